"""Clients of statsd against our `statsd`: `statsd_clients.py BUILT`, where BUILT is the file with the messages of cargo about the build.

The clients are the Python packages statsd and datadog, hot-shots for JavaScript, whose folder is in `HOT_SHOTS`, and Net::Statsd
for Perl, which are Etsy's and Datadog's dialects. What they count must be on the page, and nothing must be refused. With a load,
what the senders have sent must be what was counted or what the kernel has dropped.
"""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Process, Queue

from programs import DEADLINE, Built, eventually, expect, finished, folder, run_all

LOAD_RATE = int(os.environ.get("STATSD_RATE", "100000"))  # datagrams a second
LOAD_SECONDS = float(os.environ.get("STATSD_SECONDS", "5"))


class Server:
    """Our program: where it listens, and its page."""

    def __init__(self, program: subprocess.Popen, path: str) -> None:
        self.program, self.path = program, path
        host, port = program.stdout.readline().removeprefix("listening on ").rsplit(":", 1)
        self.addr = host, int(port)
        expect(program.stdout.readline(), f"listening on {path}\n")
        self._page = program.stdout.readline().strip().removeprefix("pages on ") + "metrics"

    def page(self) -> dict[str, float]:
        """The values of the page, by their names and labels."""
        with urllib.request.urlopen(self._page, timeout=DEADLINE) as response:
            page = response.read().decode()
        return {series: float(value) for series, value in re.findall(r"^([^#\s]\S*(?: \S+)*?) (\S+)$", page, re.MULTILINE)}

    def expect(self, **wanted: float) -> None:
        self.expect_all(wanted)

    def expect_all(self, wanted: dict[str, float]) -> None:
        """Waits until these values are on the page. Nothing may have been refused."""
        page: dict[str, float] = {}

        def holds() -> bool:
            page.clear()
            page.update(self.page())
            return all(close(page.get(series), value) for series, value in wanted.items())

        try:
            eventually("", holds)
        except RuntimeError:
            expect({series: page.get(series) for series in wanted}, wanted)
        for refused in ("statsd_refused_lines_total", "statsd_refused_values_total", "datagrammar_server_decode_errors_total"):
            expect((refused, page[refused]), (refused, 0))


def close(got: float | None, wanted: float) -> bool:
    return got is not None and abs(got - wanted) <= 1e-9 * abs(wanted)


@contextmanager
def serving(built: Built) -> Iterator[Server]:
    with folder() as local:
        path = f"{local}/statsd.sock"
        command = [built.program("statsd"), "127.0.0.1:0", "127.0.0.1:0", path]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as program:
            try:
                yield Server(program, path)
            finally:
                program.kill()


def client_of_python(built: Built) -> None:
    """statsd of PyPI, our statsd: counters, sampled counters, gauges, timers, sets, and several metrics in one datagram"""
    from statsd import StatsClient

    with serving(built) as server:
        client = StatsClient(*server.addr, prefix="app")
        for _ in range(1_000):
            client.incr("hits")
        client.incr("hits", 5)
        client.decr("hits", 3)
        client.gauge("temperature", 20)
        client.gauge("temperature", 5, delta=True)
        client.gauge("temperature", -30, delta=True)
        client.gauge("below", -7)  # as two metrics in a datagram: first zero, then the difference
        client.timing("request", 320)
        client.timing("request", 80)
        for user in ("ann", "joe", "ann"):
            client.set("users", user)
        with client.pipeline() as pipe:
            for n in range(100):
                pipe.incr("piped")
                pipe.timing("batch", n)
        random.seed(1)
        for _ in range(1_000):
            client.incr("sampled", rate=0.1)
        random.seed(1)
        sampled = sum(10 for _ in range(1_000) if random.random() <= 0.1)
        server.expect(
            app_hits_total=1_005, app_hits_decrements_total=3, app_temperature=-5, app_below=-7, app_users_unique=2,
            app_request_seconds_sum=0.4, app_request_seconds_count=2, app_piped_total=100, app_batch_seconds_count=100,
            app_batch_seconds_sum=4.95, app_sampled_total=sampled,
        )  # fmt: skip


def client_of_datadog(built: Built) -> None:
    """datadog of PyPI, our statsd: tags, histograms, distributions, events and service checks, over UDP and a Unix socket"""
    from datadog.dogstatsd import DogStatsd

    with serving(built) as server:
        udp = DogStatsd(host=server.addr[0], port=server.addr[1], disable_telemetry=True)
        unix = DogStatsd(
            socket_path=server.path, disable_telemetry=True, constant_tags=["env:prod"],
            socket_timeout=DEADLINE,  # without one, it drops metrics when the socket is full
        )  # fmt: skip
        for n in range(500):
            udp.increment("page.views", tags=["site:shop"])
            unix.increment("page.views", 2, tags=["site:shop"])
            udp.histogram("size", n, tags=["site:shop", "canary"])
        unix.distribution("size.all", 1.5)
        unix.gauge("load", 0.25)
        unix.set("users", "ann")
        unix.timing("request", 250)
        udp.decrement("page.views", 4)
        udp.event("deployed", "version 2")
        udp.service_check("db", 0)
        for client in (udp, unix):
            client.flush()
            client.close_socket()
        server.expect_all({
            'page_views_total{site="shop"}': 500, 'page_views_total{env="prod",site="shop"}': 1_000,
            'size_sum{canary="true",site="shop"}': 124_750, 'size_count{canary="true",site="shop"}': 500,
            'size_all_sum{env="prod"}': 1.5, 'load{env="prod"}': 0.25, 'users_unique{env="prod"}': 1,
            'request_seconds_sum{env="prod"}': 0.25, "page_views_decrements_total": 4, "statsd_ignored_lines_total": 2,
        })  # fmt: skip


JAVASCRIPT = """
const StatsD = require('hot-shots')
const [host, port] = process.argv.slice(1)
const client = new StatsD({ host, port: Number(port), prefix: 'js.', globalTags: { env: 'prod' }, maxBufferSize: 1000 })
for (let n = 0; n < 500; n++) client.increment('hits', { site: 'shop' })
client.decrement('hits', 2)
client.timing('request', 40)
client.gauge('load', 0.5)
client.gaugeDelta('load', -0.25)
client.set('users', 'ann')
client.set('users', 'joe')
client.histogram('size', 12)
client.distribution('spread', 3)
client.close(error => { if (error) throw error })
"""


def client_of_javascript(built: Built) -> None:
    """hot-shots of npm, our statsd: tags, and many metrics in one datagram"""
    with serving(built) as server:
        host, port = server.addr
        finished(["node", "-e", JAVASCRIPT, host, str(port)], NODE_PATH=os.environ["HOT_SHOTS"] + "/node_modules")
        server.expect_all({
            'js_hits_total{env="prod",site="shop"}': 500, 'js_hits_decrements_total{env="prod"}': 2,
            'js_request_seconds_sum{env="prod"}': 0.04, 'js_load{env="prod"}': 0.25, 'js_users_unique{env="prod"}': 2,
            'js_size_sum{env="prod"}': 12, 'js_spread_count{env="prod"}': 1,
        })  # fmt: skip


PERL = """
use Net::Statsd;
($Net::Statsd::HOST, $Net::Statsd::PORT) = @ARGV;
srand(1);
Net::Statsd::increment('perl.hits') for 1..500;
Net::Statsd::decrement('perl.hits');
Net::Statsd::update_stats(['perl.a', 'perl.b'], 7);
Net::Statsd::timing('perl.request', 30);
Net::Statsd::gauge('perl.load' => 3, 'perl.load' => '+2', 'perl.heat' => 36.5);
Net::Statsd::increment('perl.sampled', 0.1) for 1..1000;
"""


def client_of_perl(built: Built) -> None:
    """Net::Statsd of CPAN, our statsd: counters, timers, gauges, and sampled counters in tens"""
    with serving(built) as server:
        finished(["perl", "-e", PERL, *map(str, server.addr)])
        server.expect(
            perl_hits_total=500, perl_hits_decrements_total=1, perl_a_total=7, perl_b_total=7, perl_request_seconds_sum=0.03,
            perl_load=5, perl_heat=36.5,
        )  # fmt: skip
        sampled = server.page()["perl_sampled_total"]
        expect((sampled % 10, 200 < sampled < 3_000), (0, True))  # what Perl draws is its own


def send(addr: tuple[str, int], rate: float, seconds: float, sent: "Queue[int]") -> None:
    """Sends datagrams with one counter each, at this rate, or as fast as it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.connect(addr)
        count, begun = 0, time.monotonic()
        while (now := time.monotonic() - begun) < seconds:
            for _ in range(min(int(now * rate) - count, 200)):
                plain.send(b"load.test:1|c|#host:web-1,env:prod")
                count += 1
    sent.put(count)


def load_is_accounted_for(built: Built) -> None:
    """a load of 100,000 datagrams a second, our statsd: what was sent is counted, or dropped by the kernel and counted as that"""
    with serving(built) as server:
        sent: Queue[int] = Queue()
        begun = time.monotonic()
        senders = [Process(target=send, args=(server.addr, LOAD_RATE / 2, LOAD_SECONDS, sent)) for _ in range(2)]
        for sender in senders:
            sender.start()
        total = sum(sent.get(timeout=LOAD_SECONDS + DEADLINE) for _ in senders)
        seconds = time.monotonic() - begun
        page: dict[str, float] = {}

        def is_accounted_for() -> bool:
            page.clear()
            page.update(server.page())
            return total == counted() + dropped()

        def counted() -> float:
            return page['load_test_total{env="prod",host="web-1"}']

        def dropped() -> float:
            return page['datagrammar_server_dropped_datagrams_total{reason="kernel"}']

        eventually("what was sent is counted or dropped", is_accounted_for)
        with open(f"/proc/{server.program.pid}/stat", encoding="ascii") as file:
            user, system = (int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in file.read().rsplit(")", 1)[1].split()[11:13])
        print(
            f"{total:,} sent in {seconds:.1f} s ({total / seconds:,.0f} a second), {counted():,.0f} counted, {dropped():,.0f} dropped by "
            f"the kernel; the server took {user + system:.2f} s of processor time, {(user + system) / counted() * 1e6:.2f} µs each"
        )
        for sender in senders:
            sender.join()
        server.program.send_signal(signal.SIGINT)
        expect(server.program.wait(DEADLINE), 0)


CHECKS = [client_of_python, client_of_datadog, client_of_javascript, client_of_perl, load_is_accounted_for]

if __name__ == "__main__":
    sys.exit(run_all("operations", CHECKS, Built(sys.argv[1])))
