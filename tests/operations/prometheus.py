"""Prometheus reads the statistics of a server: `prometheus.py BUILT`, where BUILT is the file with the messages of cargo about
the build.

It needs the programs prometheus and promtool, and the Python package grafana-foundation-sdk. The server is the example
`metrics`, which has a page through the crate `metrics`, and one that our `to_prometheus` has made.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from programs import DEADLINE, Built, connected, eventually, expect, folder, run_all, running

EXAMPLE = os.path.join(os.path.dirname(__file__), "../../examples/metrics")
PAGES = {"echo": "/metrics", "echo_stats": "/stats"}  # by the names of the jobs

Series = tuple[str, frozenset[tuple[str, str]]]


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=DEADLINE) as response:
        return response.read().decode()


class Example:
    """The server: where it listens, where its pages are, and what it prints at the end."""

    def __init__(self, program: subprocess.Popen) -> None:
        self._program = program
        host, port = program.stdout.readline().strip().removeprefix("listening on ").rsplit(":", 1)
        self.addr = host, int(port)
        self.pages = program.stdout.readline().strip().removeprefix("pages on http://").rstrip("/")

    def page(self, path: str) -> str:
        return get(f"http://{self.pages}{path}")

    def ask(self, requests: int) -> None:
        """Sends requests, each after the reply to the one before."""
        with connected(self.addr) as peer:
            for n in range(requests):
                peer.send(b"hello %d" % n)
                expect(peer.recv(2048), b"hello %d" % n)

    def stop(self) -> dict[str, int]:
        """Ends it; returns its stats as it prints them, without those that are 0."""
        self._program.send_signal(signal.SIGINT)
        line = self._program.stdout.readline()
        expect(self._program.wait(DEADLINE), 0)
        return {name: int(value) for name, value in re.findall(r"([a-z_]+): (\d+)", line)}


@contextmanager
def example(built: Built) -> Iterator[Example]:
    command = [built.program("metrics"), "127.0.0.1:0", "127.0.0.1:0"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as program:
        try:
            yield Example(program)
        finally:
            program.kill()


def values(page: str) -> dict[Series, float]:
    """The values of a page, by their names and labels."""
    found = {}
    for line in page.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line).groups()
            pairs = re.findall(r'([a-z_]+)="([^"]*)"', labels or "")
            found[name, frozenset(pairs)] = float(value)
    return found


class Prometheus:
    """A Prometheus that reads both pages five times a second."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _ask(self, path: str, **parameters: str) -> list[dict]:
        answer = json.loads(get(f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        expect(answer["status"], "success")
        return answer["data"]["result"]

    def values(self, job: str) -> dict[Series, float]:
        found = {}
        for result in self._ask("query", query=f'{{job="{job}",__name__=~"datagrammar_.*"}}'):
            labels = {name: value for name, value in result["metric"].items() if name not in ("job", "instance")}
            found[labels.pop("__name__"), frozenset(labels.items())] = float(result["value"][1])
        return found

    def has_data(self, expression: str) -> bool:
        return bool(self._ask("query", query=expression))


@contextmanager
def prometheus(pages: str) -> Iterator[Prometheus]:
    """With the configuration of the example, but for the addresses and the interval."""
    with folder() as local:
        with open(f"{EXAMPLE}/prometheus.yml", encoding="utf-8") as file:
            config = file.read()
        for old, new in (("127.0.0.1:9090", pages), ("scrape_interval: 5s", "scrape_interval: 200ms")):
            if old not in config:
                raise AssertionError(f"prometheus.yml does not have {old}")
            config = config.replace(old, new)
        with open(f"{local}/prometheus.yml", "w", encoding="utf-8") as file:
            file.write(config)
        subprocess.run(["promtool", "check", "config", f"{local}/prometheus.yml"], check=True, stdout=subprocess.DEVNULL)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            addr = "127.0.0.1:%d" % free.getsockname()[1]
        command = ["prometheus", f"--config.file={local}/prometheus.yml", f"--storage.tsdb.path={local}/data",
                   f"--web.listen-address={addr}", "--log.level=error"]  # fmt: skip

        def is_ready() -> bool:
            try:
                return bool(get(f"http://{addr}/-/ready"))
            except urllib.error.URLError:
                return False

        with running(command):
            eventually("Prometheus is ready", is_ready)
            yield Prometheus(f"http://{addr}")


def advice(page: str) -> set[str]:
    """What promtool says about a page."""
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=60)
    if checked.returncode not in (0, 3):  # 3: it can be read, and there is advice
        raise AssertionError(checked.stderr)
    return set(checked.stderr.splitlines())


# O-15
def promtool_has_no_advice(built: Built) -> None:
    """promtool, our page of Prometheus: nothing to say against it"""
    with example(built) as server:
        server.ask(10)
        expect(advice(server.page("/stats")), set())


# O-16
def promtool_knows_the_types(built: Built) -> None:
    """promtool, the page through the crate `metrics`: only histograms and summaries have types of their own"""
    with example(built) as server:
        server.ask(10)
        parts = re.compile(r"datagrammar_server_(batch_datagrams|queue_time_seconds)_(bucket|sum|count) ")
        expect({line for line in advice(server.page("/metrics")) if not parts.match(line)}, set())


# O-1
def totals_are_those_of_the_stats(built: Built) -> None:
    """Prometheus, our server: after traffic, all values of both pages are those of `stats()`"""
    with example(built) as server, prometheus(server.pages) as reader:
        for _ in range(3):
            server.ask(300)
        wanted = values(server.page("/stats"))
        expect(wanted, values(server.page("/stats")))  # to read it changes nothing
        for job in PAGES:
            eventually(f"the values of {job} are those of the page", lambda: reader.values(job) == wanted)
        read = {job: reader.values(job) for job in PAGES}  # once the server has ended, they are no longer current
        stats = server.stop()
        expect(stats["received"], 900)
        label = frozenset({("server", "echo")})
        for name, metric in (
            ("received", "received_datagrams"), ("received_bytes", "received_bytes"), ("sent", "sent_datagrams"),
            ("delivered", "delivered_datagrams"), ("sent_bytes", "sent_bytes"), ("conversations", "conversations"),
        ):  # fmt: skip
            for job in PAGES:
                expect((job, name, read[job][f"datagrammar_server_{metric}_total", label]), (job, name, stats[name]))


def expressions(panels: list[dict]) -> list[str]:
    return [target["expr"] for panel in panels for target in panel["targets"]]


def dashboard_finds_data(built: Built) -> None:
    """Prometheus, the dashboard: each expression has data, for both pages"""
    with open(f"{EXAMPLE}/dashboard.json", encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    with example(built) as server, prometheus(server.pages) as reader:
        for job in PAGES:
            for expression in expressions(panels):
                for variable, value in (("$__rate_interval", "2s"), ("$job", job), ("$server", "echo")):
                    expression = expression.replace(variable, value)
                if "$" in expression:
                    raise AssertionError(f"{expression} has another variable")

                def has_data() -> bool:
                    server.ask(10)
                    return reader.has_data(expression)

                eventually(f"{expression} has data", has_data)


def lost(given: object, kept: object, path: str = "") -> Iterator[str]:
    """What of a document is not kept, as paths."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from lost(value, kept[key], f"{path}/{key}") if key in kept else [f"{path}/{key}"]
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for n, pair in enumerate(zip(given, kept)):
            yield from lost(*pair, f"{path}/{n}")
    elif given != kept:
        yield path


def grafana_knows_each_field(_: Built) -> None:
    """Grafana's Python library, the dashboard: it knows each field"""
    register_default_plugins()
    with open(f"{EXAMPLE}/dashboard.json", encoding="utf-8") as file:
        document = json.load(file)

    def kept(document: dict) -> dict:
        return json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(document)))

    expect(list(lost(document, kept(document))), [])
    misspelt = {**document, "panelz": []}
    expect(list(lost(misspelt, kept(misspelt))), ["/panelz"])


CHECKS = [
    promtool_has_no_advice, promtool_knows_the_types, totals_are_those_of_the_stats, dashboard_finds_data,
    grafana_knows_each_field,
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(run_all("operations", CHECKS, Built(sys.argv[1])))
