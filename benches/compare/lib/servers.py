"""The servers that can be measured, by group, and how they are built."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BENCHES = Path(__file__).resolve().parents[2]
SOURCES = BENCHES / "compare/servers"
JARS = [f"/usr/share/java/netty-{part}.jar" for part in ("common", "buffer", "transport", "resolver")]


@dataclass(frozen=True)
class Server:
    group: str
    kind: str  # echo or json
    name: str
    command: str  # with {port} and the names of `Programs` in braces


def known() -> list[Server]:
    return [Server(group, *row) for group, rows in GROUPS.items() for row in rows]


def own(text: str) -> Server:
    """The server that KIND:NAME=COMMAND describes."""
    left, _, command = text.partition("=")
    kind, _, name = left.partition(":")
    if kind not in ("echo", "json") or not name or not command:
        sys.exit(f"{text} is not KIND:NAME=COMMAND with the kind echo or json")
    return Server("own", kind, name, command)


# By group: kind, name, command.
GROUPS = {
    "ours": [
        ("echo", "ours", "{ours} --port {port}"),
        ("echo", "ours, offload off", "{ours} --port {port} --offload off"),
        ("echo", "ours, loop", "{ours} --port {port} --handler loop"),
        ("json", "ours", "{ours} --port {port} --json"),
    ],
    "reference": [
        ("echo", "raw-mmsg", "{rival} raw-mmsg {port}"),
        ("echo", "raw-std", "{rival} raw-std {port}"),
        ("echo", "tokio-framed", "{rival} tokio-framed {port}"),
        ("json", "raw-json", "{rival} raw-json {port}"),
        ("json", "tokio-framed-json", "{rival} tokio-framed-json {port}"),
    ],
    "workers": [
        ("echo", "ours, 2 workers", "{ours} --port {port} --workers 2"),
        ("echo", "ours, worker threads", "{ours} --port {port} --worker-threads on"),
    ],
    "raw": [
        ("echo", "raw-gro", "{rival} raw-gro {port}"),
        ("echo", "io-uring", "{rival} io-uring {port}"),
        ("json", "raw-json-sonic", "{rival} raw-json {port} codec=sonic"),
    ],
    "tokio": [
        ("echo", "tokio-mmsg", "{rival} tokio-mmsg {port}"),
        ("echo", "quinn-udp", "{rival} quinn-udp {port}"),
        ("echo", "tokio-loop", "{rival} tokio-loop {port}"),
        ("echo", "tokio-loop-mt", "{rival} tokio-loop {port} flavor=mt"),
        ("echo", "tokio-try", "{rival} tokio-try {port}"),
        ("echo", "tokio-spawn", "{rival} tokio-spawn {port}"),
        ("echo", "tokio-spawn-mt", "{rival} tokio-spawn {port} flavor=mt"),
        ("echo", "tokio-actor", "{rival} tokio-actor {port}"),
        ("json", "tokio-mmsg-json", "{rival} tokio-mmsg-json {port}"),
        ("json", "tokio-loop-json", "{rival} tokio-loop-json {port}"),
    ],
    "sessions": [
        ("echo", "tokio-mmsg+sessions", "{rival} tokio-mmsg {port} sessions=ahash"),
        ("echo", "tokio-mmsg+sessions-siphash", "{rival} tokio-mmsg {port} sessions=std"),
    ],
    "python": [
        ("echo", "asyncio-uvloop", "{python} {sources}/python/asyncio_server.py {port} --uvloop"),
        ("echo", "easynetwork-uvloop", "{python} {sources}/python/easynetwork_server.py {port} --uvloop"),
        ("echo", "easynetwork-asyncio", "{python} {sources}/python/easynetwork_server.py {port}"),
        ("json", "asyncio-uvloop", "{python} {sources}/python/asyncio_server.py {port} --uvloop --json"),
        ("json", "easynetwork-uvloop", "{python} {sources}/python/easynetwork_server.py {port} --uvloop --json"),
        ("json", "easynetwork-asyncio", "{python} {sources}/python/easynetwork_server.py {port} --json"),
    ],
    "python-more": [
        ("echo", "easynetwork-asyncio-eager", "{python} {sources}/python/easynetwork_server.py {port} --eager"),
        ("echo", "easynetwork-uvloop-loop", "{python} {sources}/python/easynetwork_server.py {port} --uvloop --loop"),
    ],
    "node": [
        ("echo", "node-dgram", "node {sources}/node/dgram_server.js {port}"),
        ("json", "node-dgram", "node {sources}/node/dgram_server.js {port} --json"),
    ],
    "go": [
        ("echo", "go-net", "{go} {port}"),
        ("json", "go-net", "{go} {port} json"),
    ],
    "netty": [
        ("echo", "netty-nio", "java -Xmx256m -XX:-UsePerfData -cp {netty} NettyEcho {port}"),
    ],
}  # fmt: skip


class Programs:
    """Where the programs are. Those in Rust, Go and Java are built on first use, and Python's packages installed."""

    def __init__(self, build: bool = True) -> None:
        self.build = build
        self.target = Path(os.environ.get("CARGO_TARGET_DIR", BENCHES / "target")).absolute()
        self.found: dict[str, str] = {"sources": str(SOURCES)}

    def command(self, command: str, port: int) -> list[str]:
        """Splits a server's command into words, and puts in the port and the paths of programs."""
        for name in ("sources", "ours", "rival", "load", "python", "go", "netty"):
            if f"{{{name}}}" in command:
                command = command.replace(f"{{{name}}}", shlex.quote(self.path(name)))
        return shlex.split(command.replace("{port}", str(port)))

    def path(self, name: str) -> str:
        if name not in self.found:
            self.found[name] = getattr(self, f"_{name}")()
        return self.found[name]

    def _ours(self) -> str:
        return self._cargo("bench_server")

    def _rival(self) -> str:
        return self._cargo("rival_server")

    def _load(self) -> str:
        return self._cargo("loadgen")

    def _cargo(self, package: str) -> str:
        if not self.build:
            return str(self.target / "release" / package)
        # A package at a time: together each would get the features that any of them asks of a crate.
        command = ["cargo", "build", "--release", "--locked", "--package", package, "--target-dir", self.target,
                   "--message-format=json-render-diagnostics"]  # fmt: skip
        lines = call(command, cwd=BENCHES, stdout=subprocess.PIPE).stdout.splitlines()
        programs = (json.loads(line) for line in lines)
        return next(it["executable"] for it in programs if it.get("executable") and it["target"]["name"] == package)

    def _python(self) -> str:
        venv = self.target / "venv"
        if self.build and not (venv / "installed").exists():
            call([os.environ.get("PYTHON", "python3"), "-m", "venv", "--clear", venv])
            requirements = SOURCES / "python/requirements.txt"
            call([venv / "bin/pip", "install", "--quiet", "--no-cache-dir", "--requirement", requirements])
            (venv / "installed").touch()
        return str(venv / "bin/python")

    def _go(self) -> str:
        program = self.target / "udp_go"
        if self.build:
            caches = {"GOCACHE": f"{self.target}/go-cache", "GOPATH": f"{self.target}/go", "GOFLAGS": "-buildvcs=false"}
            call(["go", "build", "-o", program, "."], cwd=SOURCES / "go", env=os.environ | caches)
        return str(program)

    def _netty(self) -> str:
        classes = self.target / "netty"
        path = ":".join(map(str, [classes, *JARS]))
        if self.build:
            classes.mkdir(parents=True, exist_ok=True)
            call(["javac", "-cp", path, "-d", classes, "NettyEcho.java"], cwd=SOURCES / "netty")
        return path


def call(command: list, **options) -> subprocess.CompletedProcess:
    """Runs a program that builds or installs something; without it, or when it fails, the run ends."""
    if not shutil.which(command[0]):
        sys.exit(f"there is no {command[0]}: benches/README.md says what to install")
    try:
        return subprocess.run(command, check=True, text=True, **options)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{shlex.join(map(str, command))} failed with status {error.returncode}")
