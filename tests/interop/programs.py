"""The programs that cargo has built, and functions to run them."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from queue import SimpleQueue
from threading import Thread

DEADLINE = 20.0  # seconds, for everything that a check waits for


class Built:
    """The executables that cargo has built."""

    def __init__(self, path: str) -> None:
        self._folder = os.path.dirname(path)
        self._paths: dict[str, str] = {}
        with open(path, encoding="utf-8") as lines:
            for message in map(json.loads, lines):
                if message.get("executable"):
                    self._paths[message["target"]["name"]] = message["executable"]

    def program(self, name: str) -> str:
        return self._paths[name]

    def beside(self, name: str) -> str:
        """The path of a file that `run` has put into its output folder."""
        return os.path.join(self._folder, name)

    @contextmanager
    def serving(self, name: str, *args: str) -> Iterator[tuple[str, int]]:
        """Runs a program that serves; yields the address that it prints."""
        with started([self.program(name), *args]) as line:
            host, port = line.removeprefix("listening on ").rsplit(":", 1)
            yield host, int(port)


@contextmanager
def started(command: list[str]) -> Iterator[str]:
    """Runs a program as long as it is needed; yields the first line that it prints."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as program:
        lines: SimpleQueue[str] = SimpleQueue()
        # Reads everything that it prints; otherwise the program would block when the pipe is full.
        reader = Thread(target=lambda: [lines.put(line) for line in chain(program.stdout, [""])])
        reader.start()
        try:
            line = lines.get(timeout=DEADLINE)
            if not line:
                raise RuntimeError(f"{command[0]} ended before it printed a line")
            yield line.rstrip("\n")
        finally:
            program.kill()
            reader.join()


@contextmanager
def lines_of(command: list[str]) -> Iterator[tuple[subprocess.Popen, SimpleQueue[str]]]:
    """Runs a program as long as it is needed; yields it, and the lines that it prints."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        lines: SimpleQueue[str] = SimpleQueue()
        reader = Thread(target=lambda: [lines.put(line.rstrip("\n")) for line in program.stdout])
        reader.start()
        try:
            yield program, lines
        finally:
            program.kill()
            reader.join()


@contextmanager
def running(command: list[str], end: signal.Signals = signal.SIGKILL, **options: object) -> Iterator[subprocess.Popen]:
    """Runs a program as long as it is needed, and fails if it has ended before. What it prints is not read."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, **options) as program:
        try:
            yield program
            if program.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with exit code {program.returncode}")
        finally:
            program.send_signal(end)
            program.wait(DEADLINE)


@contextmanager
def folder() -> Iterator[str]:
    """A folder that a program without privileges can write into."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o777)
        yield path


def eventually(what: str, holds: Callable[[], bool]) -> None:
    """Waits until something holds, which nothing reports."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {DEADLINE} s: {what}")
        time.sleep(0.01)


def finished(command: list[str], request: bytes = b"", **env: str) -> bytes:
    """Runs a program to its end; returns what it printed. Fails if the exit code is not 0."""
    ended = subprocess.run(
        command, input=request, capture_output=True, timeout=60, env={**os.environ, **env}
    )
    if ended.returncode != 0:
        raise RuntimeError(f"exit code {ended.returncode}: {(ended.stdout + ended.stderr).decode()}")
    return ended.stdout


@contextmanager
def connected(addr: tuple[str, int]) -> Iterator[socket.socket]:
    """A plain socket, without a protocol."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.settimeout(DEADLINE)
        plain.connect(addr)
        yield plain


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port for a program that cannot choose one and say which."""
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def expect(got: object, wanted: object, what: str = "") -> None:
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, not {wanted!r}".removeprefix(": "))


class Skipped(Exception):
    """A program that a check needs is not there."""


def run_all(name: str, checks: list[Callable[[Built], None]], built: Built) -> int:
    """Runs the checks, one line each; returns the exit code."""
    # An exception leaves every `with`, so that no started program is left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"{name}: not done in time"))
    failed = skipped = 0
    for check in checks:
        try:
            check(built)
        except Skipped as reason:
            skipped += 1
            print(f"skipped {check.__doc__}: {reason}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED  {check.__doc__}: {type(error).__name__}: {error}", flush=True)
        else:
            print(f"ok      {check.__doc__}", flush=True)
    print(f"{len(checks) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return min(failed, 1)
