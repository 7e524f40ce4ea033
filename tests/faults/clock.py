"""What a server does when the wall clock jumps, and when it is stopped for a while: `clock.py BUILT`, where BUILT is the
file with the messages of cargo about the build.

libfaketime (the Debian package `faketime`) changes the wall clock of the server while it runs. `CLOCK_STOP` is how many
seconds the server is stopped; with it, the checks also run with several threads.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import glob
from time import monotonic, sleep, time

from programs import DEADLINE, Built, expect, run_all

STOP = float(os.environ.get("CLOCK_STOP", "2"))
HOUR = 3600
PEERS = 100
# No conversation with this timeout ends while the checks run. But each would if a jump of an hour counted.
LONG = HOUR // 2
QUIET = 0.5  # seconds


class Server:
    """A server whose wall clock can be set."""

    def __init__(self, built: Built, offset: str, *args: str, monotonic_too: bool = False) -> None:
        self._offset = offset
        self.set_clock(0)
        libraries = glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not libraries:
            raise RuntimeError("there is no libfaketime")
        faked = {
            "LD_PRELOAD": libraries[0],
            "FAKETIME_TIMESTAMP_FILE": offset,
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": str(int(not monotonic_too)),
        }
        command = [built.program("bench_server"), "--handler", "timed", "--port", "0", *args]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env={**os.environ, **faked}
        )
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the server ended before it printed a line")
        host, port = line.rstrip().removeprefix("listening on ").rsplit(":", 1)
        self.addr = host, int(port)

    def set_clock(self, seconds: int) -> None:
        """From now on the clock of the server differs by so much."""
        # The server must not read an empty file.
        with open(f"{self._offset}.new", "w", encoding="utf-8") as file:
            file.write(f"{seconds:+d}s\n")
        os.replace(f"{self._offset}.new", self._offset)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGSTOP)
        if not os.WIFSTOPPED(os.waitpid(self._process.pid, os.WUNTRACED)[1]):
            raise RuntimeError("the server has ended")
        yield
        self._process.send_signal(signal.SIGCONT)

    def used(self) -> float:
        """The seconds of a core that it has used."""
        with open(f"/proc/{self._process.pid}/stat", encoding="utf-8") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def interrupt(self) -> dict[str, int]:
        self._process.send_signal(signal.SIGINT)
        printed, _ = self._process.communicate(timeout=DEADLINE)
        return {name: int(n) for name, n in re.findall(r"([a-z ]+) (\d+)(?:, |$)", printed.strip())}

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Peers:
    """Peers that are in conversation with the server, and how many requests of each conversation were answered."""

    def __init__(self, server: Server, number: int) -> None:
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(number)]
        for peer in self._sockets:
            peer.connect(server.addr)
            peer.setblocking(False)
        self._counts = [0] * number

    def __len__(self) -> int:
        return len(self._sockets)

    def send(self, wait: float) -> None:
        """Each sends a request; the server waits so many seconds for the next one."""
        for peer in self._sockets:
            peer.send(b"%d" % (wait * 1000))

    def answered(self, clock: int) -> None:
        """Expects one more answer for each, in the same conversation, by a clock that differs by so much."""
        self._counts = [count + 1 for count in self._counts]
        for peer, count in zip(self._sockets, self._counts):
            expect(hear(peer, clock), f"next {count}")

    def ended(self, clock: int) -> None:
        """Expects that each conversation ends once because of its timeout."""
        for peer, count in zip(self._sockets, self._counts):
            expect(hear(peer, clock), f"over {count}")
        self._counts = [0] * len(self)

    def hear_nothing(self) -> None:
        for peer in self._sockets:
            try:
                raise AssertionError(f"unexpected {peer.recv(100)}")
            except BlockingIOError:
                pass


def hear(peer: socket.socket, clock: int) -> str:
    """Receives a packet, in which the clock must differ by so much, to the minute."""
    deadline = monotonic() + DEADLINE
    while True:
        try:
            what, seconds = peer.recv(100).decode().rsplit(" ", 1)
            break
        except BlockingIOError:
            if monotonic() > deadline:
                raise RuntimeError(f"nothing heard within {DEADLINE} s") from None
            sleep(0.001)
    difference = int(seconds) - time()
    if abs(difference - clock) > 60:
        raise AssertionError(f"the clock of the server differs by {difference:.0f} s, not by {clock} s")
    return what


def is_quiet(server: Server, *all_peers: Peers) -> float:
    """Expects that the server sends nothing and uses less than a fifth of a core for a while; returns its share in %."""
    before = server.used()
    sleep(QUIET)
    used = server.used() - before
    for peers in all_peers:
        peers.hear_nothing()
    expect(used < QUIET / 5, True)
    return 100 * used / QUIET


@contextmanager
def serving(built: Built, *args: str, monotonic_too: bool = False) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(built, os.path.join(folder, "offset"), *args, monotonic_too=monotonic_too)
        try:
            yield server
        finally:
            server.kill()


def jumps(*args: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        with serving(built, *args) as server:
            lasting, short = Peers(server, PEERS), Peers(server, PEERS)
            before, shares = 0, []
            for clock in (HOUR, -HOUR):
                # These wait with one clock, and end with the other one.
                short.send(1)
                lasting.send(LONG)
                short.answered(before)
                lasting.answered(before)
                server.set_clock(clock)
                short.ended(clock)
                shares.append(f"{clock:+d} s: {is_quiet(server, lasting, short):.0f} %")
                lasting.send(LONG)
                lasting.answered(clock)
                before = clock
            expect(server.interrupt()["received"], 6 * PEERS)
            print(f"        {', '.join(shares)} of a core")

    how = " ".join(["the wall clock jumps by an hour, forth and back", *args])
    check.__doc__ = f"{how}: no conversation ends, each timeout elapses once and in time"
    return check


def begin(server: Server, wait: float) -> tuple[Peers, Peers]:
    """Peers in conversations that end after `wait` seconds, of which at least half are left."""
    for _ in range(10):
        since = monotonic()
        both = Peers(server, PEERS), Peers(server, PEERS)
        for peers in both:
            peers.send(wait)
        for peers in both:
            peers.answered(0)
        if monotonic() - since < wait / 2:
            return both
    raise RuntimeError("the machine is too slow for this CLOCK_STOP")


def stop(*args: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        with serving(built, *args) as server:
            lasting, silent = begin(server, STOP / 2)
            with server.stopped():
                lasting.send(LONG)
                sleep(STOP)
            # All timeouts have elapsed meanwhile. But what had arrived comes first.
            lasting.answered(0)
            silent.ended(0)
            share = is_quiet(server, lasting, silent)
            for peers in (lasting, silent):
                peers.send(LONG)
                peers.answered(0)
            print(f"        after {STOP:.0f} s, {PEERS} conversations went on, {PEERS} timeouts, {share:.0f} % of a core")

    how = " ".join([f"the server is stopped for {STOP:.0f} s", *args])
    check.__doc__ = f"{how}: who has sent meanwhile stays in conversation, the others time out once"
    return check


def monotonic_jumps(built: Built) -> None:
    """all clocks jump by an hour, as when a machine was suspended: each conversation times out once, new ones begin"""
    with serving(built, monotonic_too=True) as server:
        peers = Peers(server, PEERS)
        peers.send(LONG)
        peers.answered(0)
        server.set_clock(HOUR)
        # Nothing wakes the server, because the kernel has not seen the jump.
        waker = Peers(server, 1)
        waker.send(LONG)
        waker.answered(HOUR)
        peers.ended(HOUR)
        share = is_quiet(server, peers, waker)
        peers.send(LONG)
        peers.answered(HOUR)
        print(f"        {PEERS} timeouts, {share:.0f} % of a core")


THREADS = ["--workers", "2", "--worker-threads", "on", "--threads", "2"]
CHECKS = [jumps(), stop()]
if "CLOCK_STOP" in os.environ:
    CHECKS += [jumps(*THREADS), stop(*THREADS), monotonic_jumps]

if __name__ == "__main__":
    sys.exit(run_all("clock", CHECKS, Built(sys.argv[1])))
