"""Replicas behind a balancer without stickiness, some of which are killed: `replicas.py PROGRAM`, where PROGRAM is the
example `replicas` that cargo has built.

It needs redis-server, nats-server, nginx with its module for streams, and radclient. The environment says how much:
REPLICAS_SECONDS of traffic, a kill each REPLICAS_KILL seconds, a store that stands still for REPLICAS_OUTAGE seconds, and
REPLICAS_DRAINED requests while a replica is taken out. REPLICAS_STORES and REPLICAS_LEASES (in milliseconds, 0 for none) are
what is tried. Without a lease a run takes as long as a client waits for a request that was lost, 40 s.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from threading import Thread

from programs import DEADLINE, eventually, expect, finished, folder, free_port, running

SECONDS = float(os.environ.get("REPLICAS_SECONDS", "4"))
KILL = float(os.environ.get("REPLICAS_KILL", "1"))
OUTAGE = float(os.environ.get("REPLICAS_OUTAGE", "2"))
DRAINED = int(os.environ.get("REPLICAS_DRAINED", "10000"))
STORES = os.environ.get("REPLICAS_STORES", "redis nats").split()
LEASES = [int(lease) for lease in os.environ.get("REPLICAS_LEASES", "2000 0").split()]
SECRET = "xyzzy5461"
LEASE = 2000  # milliseconds
NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 8192; }}
stream {{
  upstream replicas {{
    # A replica that drops requests, because the store is down, is not dead.
{servers}
  }}
  server {{
    listen 127.0.0.1:{port} udp;
    proxy_pass replicas;
    # Each datagram may go to another replica. By default a client stays with one.
    proxy_requests 1;
    proxy_responses 1;
    proxy_timeout 3s;
  }}
}}
"""


def main() -> None:
    program = sys.argv[1]
    if DRAINED:
        a_replica_is_taken_out(program)
    for store in STORES:
        for lease in LEASES:
            each_request_is_recorded_once(program, store, lease)
        for policy in ("drop", "serve"):
            the_policy_holds_while_the_store_stands_still(program, store, policy)


# O-7
def each_request_is_recorded_once(program: str, store: str, lease: int) -> None:
    """Three replicas, one of which is killed again and again."""
    with ExitStack() as stack:
        url, _ = stack.enter_context(STARTED[store]())
        replicas = [stack.enter_context(Replica(program, url, "drop", lease)) for _ in range(3)]
        port, _ = stack.enter_context(nginx(replicas))
        pause, clients = 300, 40
        requests = min(int(SECONDS * 1000 / pause), 250)
        asking = stack.enter_context(ask(program, port, "acct", "r", clients, clients, requests, pause))
        names = [f"r-{n}-{m}" for n in range(clients) for m in range(requests)]
        others = [f"radclient-{n}" for n in range(int(SECONDS * 10))]
        radclient = subprocess.Popen(
            ["radclient", "-q", "-p", "20", "-t", "0.5", "-r", "80", f"127.0.0.1:{port}", "acct", SECRET],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        reading = Thread(target=lambda: radclient.communicate(
            "\n\n".join(f"Acct-Session-Id={name},Acct-Status-Type=Start" for name in others).encode()
        ))  # fmt: skip
        reading.start()
        kills, end = 0, time.monotonic() + SECONDS
        for replica in cycle(replicas):
            time.sleep(KILL)
            if time.monotonic() > end:
                break
            replica.kill()
            replica.start()
            kills += 1
        answered, attempts, slowest, failed = outcome(asking)
        reading.join(120)
        expect(kills > 0, True, "a replica is killed")
        expect(answered + len(failed), len(names), "answered and failed")
        expect(answered > len(names) / 2, True, "most are answered")
        expect(reading.is_alive(), False, "radclient ends")
        counts = recorded(program, url, names + others)
        twice = [name for name, count in counts.items() if count > 1]
        missing = [name for name in names if counts[name] == 0 and name not in failed]
        expect(twice, [], "recorded twice")
        expect(missing, [], "answered and not recorded")
        lost = [name for name in names + others if counts[name] == 0]
        if lease:
            expect(failed, [], "not answered")
            expect(radclient.returncode, 0, "radclient ends with")
            expect(lost, [], "not recorded")
        again = sum(line.startswith("again ") for replica in replicas for line in replica.printed)
        mode = f"lease {lease / 1000:g} s" if lease else "no lease"
        print(
            f"{store}, {mode}, {kills} kills in {SECONDS:g} s: {len(names)} requests and {len(others)} of radclient, "
            f"{len(failed)} not answered, {len(twice)} recorded twice, {len(lost)} not recorded, {again} handlers ran again, "
            f"{attempts} attempts for {answered} answers, slowest {slowest / 1000:.1f} s",
            flush=True,
        )


# O-7
def the_policy_holds_while_the_store_stands_still(program: str, store: str, policy: str) -> None:
    """Requests that need no store themselves are served or not, as the server is told."""
    with ExitStack() as stack:
        url, process = stack.enter_context(STARTED[store]())
        replicas = [stack.enter_context(Replica(program, url, policy, LEASE)) for _ in range(3)]
        port, _ = stack.enter_context(nginx(replicas))
        with ask(program, port, "acct", "before", 10, 10, 10, 0) as before:
            expect(outcome(before)[0], 100, "answered before")
        process.send_signal(signal.SIGSTOP)
        try:
            stopped = time.monotonic()
            access = stack.enter_context(ask(program, port, "auth", "during", 20, 20, 1, 0))
            account = stack.enter_context(ask(program, port, "acct", "during", 20, 20, 1, 0))
            if policy == "serve":
                eventually("answered while the store stands still", lambda: access.poll() is not None)
            time.sleep(max(stopped + OUTAGE - time.monotonic(), 0))
            answered_meanwhile = access.poll() is not None
        finally:
            process.send_signal(signal.SIGCONT)
        down = time.monotonic() - stopped
        answered, _, slowest, _ = outcome(access)
        recorded_late, _, latest, failed = outcome(account)
        expect((answered, recorded_late, failed), (20, 20, []), "answered")
        expect(answered_meanwhile, policy == "serve", "answered while the store stood still")
        names = [f"before-{n}-{m}" for n in range(10) for m in range(10)] + [f"during-{n}-0" for n in range(20)]
        counts = recorded(program, url, names)
        expect(sum(counts.values()), 120, "recorded")
        expect(max(counts.values()), 1, "recorded once")
        stats = [replica.ended() for replica in replicas]
        total = {key: sum(one[key] for one in stats) for key in stats[0]}
        expect(total["store_timeouts"] > 0, True, "timeouts are counted")
        expect(total["store_failed"] > 0, policy == "drop", "dropped requests are counted")
        print(
            f"{store}, {policy}, stopped for {down:.1f} s: slowest answer without the store {slowest / 1000:.1f} s, "
            f"with it {latest / 1000:.1f} s, {total}",
            flush=True,
        )


# O-56
def a_replica_is_taken_out(program: str) -> None:
    """Two replicas under load; the balancer is told first, then one replica drains."""
    with ExitStack() as stack:
        url, _ = stack.enter_context(STARTED["redis"]())
        replicas = [stack.enter_context(Replica(program, url, "drop", 0)) for _ in range(2)]
        port, configure = stack.enter_context(nginx(replicas))
        clients = max(DRAINED // 250, 8)
        asking = stack.enter_context(ask(program, port, "auth", "d", clients, 32, DRAINED // clients, 0))
        # In Redis is each request that a replica has received.
        known = ["redis-cli", "-u", url, "DBSIZE"]
        eventually("a tenth was received", lambda: int(finished(known)) >= DRAINED / 10)
        expect(asking.poll(), None, "the clients that go on")
        configure(replicas[1:])
        stats = replicas[0].ended()
        answered, attempts, slowest, failed = outcome(asking)
        requests = DRAINED // clients * clients
        expect(failed, [], "not answered")
        expect(answered, requests, "answered")
        print(
            f"one of two replicas is taken out: {answered} of {requests} requests answered, {attempts} attempts, "
            f"slowest {slowest} ms, {stats}",
            flush=True,
        )


class Replica:
    """A server process on a port of its own, which stays the same when it is started again."""

    def __init__(self, program: str, url: str, policy: str, lease: int) -> None:
        self.port = free_port()
        self.printed: list[str] = []
        self._command = [program, "serve", f"127.0.0.1:{self.port}", SECRET, url, policy, str(lease)]

    def __enter__(self) -> "Replica":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError("a replica ended before it listened")
        self._reader = Thread(target=lambda stdout: self.printed.extend(stdout), args=[self._process.stdout])
        self._reader.start()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def ended(self) -> dict[str, int]:
        """Ends it as a service manager does; returns its stats."""
        self._process.terminate()
        expect(self._process.wait(DEADLINE), 0, "the replica ends with")
        self._reader.join()
        return json.loads(self.printed[-1].removeprefix("stats "))


def accepts(port: int) -> bool:
    with socket.socket() as stream:
        return stream.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def redis() -> Iterator[tuple[str, subprocess.Popen]]:
    port = free_port(socket.SOCK_STREAM)
    with folder() as path:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", path]
        with running(command, **QUIET) as process:
            eventually("Redis answers", lambda: accepts(port))
            yield f"redis://127.0.0.1:{port}", process


@contextmanager
def nats() -> Iterator[tuple[str, subprocess.Popen]]:
    port = free_port(socket.SOCK_STREAM)
    with folder() as path:
        command = ["nats-server", "--addr", "127.0.0.1", "--port", str(port), "--jetstream", "--store_dir", path]
        with running(command, **QUIET) as process:
            eventually("NATS answers", lambda: accepts(port))
            yield f"nats://127.0.0.1:{port}", process


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
STARTED = {"redis": redis, "nats": nats}


@contextmanager
def nginx(replicas: list[Replica]) -> Iterator:
    """Runs nginx; yields its port, and a function that gives it other replicas."""
    port = free_port()
    with folder() as path:

        def write(replicas: list[Replica]) -> None:
            servers = "\n".join(f"    server 127.0.0.1:{replica.port} max_fails=0;" for replica in replicas)
            with open(f"{path}/nginx.conf", "w", encoding="utf-8") as file:
                file.write(NGINX.format(folder=path, port=port, servers=servers))

        def workers() -> set[str]:
            with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="utf-8") as file:
                return set(file.read().split())

        def configure(replicas: list[Replica]) -> None:
            write(replicas)
            old = workers()
            process.send_signal(signal.SIGHUP)
            # The old workers finish their sessions first.
            eventually("the workers of nginx are new", lambda: len(workers()) == 2 and not workers() & old)

        write(replicas)
        # Unlike SIGKILL, SIGTERM ends the workers too.
        with running(["nginx", "-c", f"{path}/nginx.conf", "-e", f"{path}/error.log"], end=signal.SIGTERM) as process:
            eventually("nginx has its workers", lambda: len(workers()) == 2)
            yield port, configure


@contextmanager
def ask(program: str, port: int, kind: str, name: str, *numbers: int) -> Iterator[subprocess.Popen]:
    command = [program, "ask", f"127.0.0.1:{port}", SECRET, kind, name, *map(str, numbers)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def outcome(asking: subprocess.Popen) -> tuple[int, int, int, list[str]]:
    """How many requests of these clients were answered, the attempts, the slowest in ms, and those that failed."""
    lines = asking.communicate(timeout=SECONDS + OUTAGE + DRAINED / 500 + 120)[0].splitlines()
    expect(asking.returncode, 0, "the clients end with")
    failed = [line.split()[1] for line in lines if line.startswith("failed ")]
    _, answered, _, attempts, _, slowest = lines[-1].split()
    return int(answered), int(attempts), int(slowest), failed


def recorded(program: str, url: str, names: list[str]) -> dict[str, int]:
    lines = finished([program, "recorded", url], "\n".join(names).encode()).decode().splitlines()
    return {name: int(count) for name, count in map(str.split, lines)}


if __name__ == "__main__":
    main()
