"""systemd's socket activation: its programs start our example `activated`, and read the units beside it."""

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

from programs import DEADLINE, Built, connected, expect, finished, lines_of

UNITS = Path(__file__).resolve().parent.parent.parent / "examples" / "activated"
HOST = "127.0.0.77"  # no other test uses it, so a free port stays free


def version() -> str:
    return finished(["systemd-socket-activate", "--version"]).decode().partition(" (")[0]


def by_name(built: Built) -> None:
    """systemd-socket-activate, our service: it serves the socket of a name, and the datagram that started it"""
    with activated(built, ["echo"], ["--name", "echo"]) as (addrs, lines):
        expect(wakes(addrs[0], lines, addrs), b"wake up")


def by_position(built: Built) -> None:
    """systemd-socket-activate, our service: it serves the socket of a position, and no other"""
    with activated(built, ["first", "second"], ["--nth", "1"]) as (addrs, lines):
        expect(wakes(addrs[1], lines, addrs[1:]), b"wake up")


def by_one_of_several_names(built: Built) -> None:
    """systemd-socket-activate, our service: two of three sockets have the name, and a datagram to each is answered"""
    with activated(built, ["echo", "other", "echo"], ["--name", "echo"]) as (addrs, lines):
        expect(wakes(addrs[2], lines, [addrs[0], addrs[2]]), b"wake up")
        with connected(addrs[0]) as peer:
            peer.send(b"hello")
            expect(peer.recv(100), b"hello")


def all_sockets(built: Built) -> None:
    """systemd-socket-activate, our service: it serves all sockets"""
    with activated(built, ["a", "b"], []) as (addrs, lines):
        expect(wakes(addrs[1], lines, addrs), b"wake up")


def missing_name(built: Built) -> None:
    """systemd-socket-activate, our service: an error lists the names that exist"""
    with activated(built, ["a", "b"], ["--name", "c"]) as (addrs, lines):
        with connected(addrs[0]) as peer:
            peer.send(b"wake up")
            expect('no inherited socket has the name "c", the names are "a", "b"' in error(lines), True)


def stream_socket(built: Built) -> None:
    """systemd-socket-activate, our service: an error says that a stream socket was passed"""
    with activated(built, ["a"], [], kind=socket.SOCK_STREAM) as (addrs, lines):
        with socket.create_connection(addrs[0], timeout=DEADLINE):
            expect("needs ListenDatagram= instead of ListenStream=" in error(lines), True)


def notifications(built: Built) -> None:
    """a socket in place of systemd, our service: it is told READY, WATCHDOG and STOPPING"""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        systemd = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        systemd.settimeout(DEADLINE)
        systemd.bind(f"{folder}/notify")
        env = {**os.environ, "NOTIFY_SOCKET": f"{folder}/notify", "WATCHDOG_USEC": "20000"}
        command = [built.program("activated"), "127.0.0.1:0"]
        service = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env))
        try:
            expect(systemd.recv(100), b"READY=1\n")
            expect(systemd.recv(100), b"WATCHDOG=1\n")
            service.send_signal(signal.SIGTERM)
            while (told := systemd.recv(100)) == b"WATCHDOG=1\n":
                pass
            expect(told, b"STOPPING=1\n")
            output, _ = service.communicate(timeout=DEADLINE)
        finally:
            service.kill()
    expect((service.returncode, output.splitlines()[-1]), (0, "stopped, 0 datagrams received"))


def units(built: Built) -> None:
    """systemd-analyze verify, our units: no complaint, and the units fit the example"""
    with tempfile.TemporaryDirectory() as folder:
        for unit in ("datagrammar-echo.socket", "datagrammar-echo.service"):
            text = (UNITS / unit).read_text().replace("/usr/local/bin/datagrammar-echo", built.program("activated"))
            Path(folder, unit).write_text(text)
        paths = [str(path) for path in Path(folder).iterdir()]
        ended = subprocess.run(
            ["systemd-analyze", "verify", *paths], capture_output=True, timeout=60, text=True
        )
    # It also complains about units of other programs that are installed.
    complaints = [line for line in ended.stderr.splitlines() if not line.startswith(("/lib/", "/usr/lib/"))]
    expect((ended.returncode, ended.stdout, complaints), (0, "", []))


@contextmanager
def activated(
    built: Built, names: list[str], args: list[str], kind: int = socket.SOCK_DGRAM
) -> Iterator[tuple[list[tuple[str, int]], SimpleQueue[str]]]:
    """Binds a socket for each name, and starts the example when something arrives; yields addresses and output."""
    addrs = free_addrs(len(names), kind)
    listen = [f"--listen={host}:{port}" for host, port in addrs]
    datagram = ["--datagram"] if kind == socket.SOCK_DGRAM else []
    command = ["systemd-socket-activate", *datagram, *listen, f"--fdname={':'.join(names)}"]
    with lines_of([*command, built.program("activated"), *args]) as (_, lines):
        for _ in addrs:
            expect(lines.get(timeout=DEADLINE).startswith("Listening on "), True)
        yield addrs, lines


def free_addrs(count: int, kind: int) -> list[tuple[str, int]]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, kind)) for _ in range(count)]
        for free in sockets:
            free.bind((HOST, 0))
        return [free.getsockname() for free in sockets]


def wakes(addr: tuple[str, int], lines: SimpleQueue[str], served: list[tuple[str, int]]) -> bytes:
    """Starts the service by one datagram; it must print these addresses. Returns the answer."""
    with connected(addr) as peer:
        peer.send(b"wake up")
        for host, port in served:
            while not (line := lines.get(timeout=DEADLINE)).startswith("listening on "):
                pass
            expect(line, f"listening on {host}:{port}")
        return peer.recv(100)


def error(lines: SimpleQueue[str]) -> str:
    while not (line := lines.get(timeout=DEADLINE)).startswith("Error: "):
        pass
    return line.replace('\\"', '"')


CHECKS = [
    by_name,
    by_position,
    by_one_of_several_names,
    all_sockets,
    missing_name,
    stream_socket,
    notifications,
    units,
]
