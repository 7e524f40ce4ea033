"""What a server does in a flood: `flood.py BUILT`, in its own network namespace. BUILT is the file with the messages of
cargo about the build.

Frames with forged source addresses are written to one end of a pair of interfaces, as fast as `FLOOD_RATE` says (60,000 a
second; from one peer, `FLOOD_CHATTY_RATE`, 100,000), `FLOOD_SOURCES` in all (1,000,000). Meanwhile honest peers ask the
server. The numbers depend on the machine, so only what does not is checked: the memory, and that replies to forged sources
stay within their budget.
"""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import Process, Value
from time import monotonic, sleep

from itself import INSIDE, OUTSIDE, PORT, checksum, ip, write
from programs import DEADLINE, Built, expect, run_all

SERVER = "192.0.2.1"
GATEWAY = "192.0.2.9"
RATE = int(os.environ.get("FLOOD_RATE", "60000"))  # frames a second
CHATTY_RATE = int(os.environ.get("FLOOD_CHATTY_RATE", "100000"))
SOURCES = int(os.environ.get("FLOOD_SOURCES", "1000000"))
REQUESTS = int(os.environ.get("FLOOD_REQUESTS", "2000"))
# Each has an address of its own, because the guard limits the replies to an address.
HONEST = [f"198.51.100.{n}" for n in range(1, 101)]
MOST_MEMORY = 192 << 10  # KiB
PAYLOAD = b"let me in, please"
# The envelope of a request, without a token. Where each of them is challenged, there is nothing in it: an attacker can make
# the server send as much as he has sent himself, and not more.
ENVELOPE = b"\x10" + bytes(16)


def set_up() -> None:
    """Makes the pair. What is sent to forged addresses leaves through it, to a neighbour that nobody has to look for."""
    ip("link", "set", "lo", "up")
    ip("link", "add", "inside", "address", INSIDE, "type", "veth", "peer", "name", "outside", "address", OUTSIDE)
    for name in ("inside", "outside"):
        ip("link", "set", name, "addrgenmode", "none")
        ip("link", "set", name, "up")
    ip("address", "add", f"{SERVER}/24", "dev", "inside")
    ip("neighbor", "add", GATEWAY, "lladdr", OUTSIDE, "dev", "inside", "nud", "permanent")
    ip("route", "add", "default", "via", GATEWAY)
    for address in HONEST:
        ip("address", "add", f"{address}/32", "dev", "inside")
    for name in ("all", "inside"):
        write(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0")


def flood(count: "Value", sources: Callable[[int], int], rate: int, number: int, payload: bytes) -> None:
    """Writes `number` frames, one after the other from these addresses."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("outside", 0))
    macs = bytes.fromhex((INSIDE + OUTSIDE).replace(":", "")) + b"\x08\x00"
    length = 8 + len(payload)
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP)
    to = socket.inet_aton(SERVER)
    # The sum without the source, whose two halves are added for each frame. A checksum of 0 means none, in UDP.
    rest = ~checksum(start + b"\0\0\0\0\0\0" + to) & 0xFFFF
    tail = to + struct.pack("!HHHH", 5_000, PORT, length, 0) + payload
    since = monotonic()
    for n in range(number):
        source = sources(n)
        total = rest + (source >> 16) + (source & 0xFFFF)
        total = (total & 0xFFFF) + (total >> 16)
        total = (total & 0xFFFF) + (total >> 16)
        try:
            wire.send(macs + start + struct.pack("!HI", ~total & 0xFFFF, source) + tail)
        except OSError:
            pass  # no room in the queue of the interface
        if n % 600 == 0:
            count.value = n
            sleep(max(0.0, since + n / rate - monotonic()))
    count.value = number


def forged(n: int) -> int:
    """An address of 64.0.0.0/3, each another one."""
    return (n * 0x9E3779B1) & 0x1FFFFFFF | 0x40000000


def one_peer(_: int) -> int:
    return 0x40000001


class Server:
    def __init__(self, built: Built, *args: str) -> None:
        command = [built.program("bench_server"), "--ip", SERVER, "--port", str(PORT), *args]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if not self._process.stdout.readline():
            raise RuntimeError("the server ended before it printed a line")

    def most_memory(self) -> int:
        """The most memory that it has had at a time, in KiB."""
        with open(f"/proc/{self._process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1])

    def end(self) -> dict[str, int]:
        self._process.send_signal(signal.SIGINT)
        printed, _ = self._process.communicate(timeout=DEADLINE)
        return {name: int(n) for name, n in re.findall(r"([a-z ]+) (\d+)(?:, |$)", printed.strip())}

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def ask(peers: list[socket.socket], number: int, each: float, goes_on: Callable[[], bool]) -> tuple[int, int]:
    """Sends requests in turn, one every `each` seconds; returns how many there were, and how many were answered in 1 s."""
    asked = answered = 0
    since = monotonic()
    waiting: dict[int, float] = {}

    def receive() -> None:
        nonlocal answered
        for peer in peers:
            while True:
                try:
                    reply = peer.recv(100)
                except BlockingIOError:
                    break
                if monotonic() - waiting.pop(int(reply), 0) < 1:
                    answered += 1

    while asked < number and goes_on():
        peers[asked % len(peers)].send(b"%017d" % asked)
        waiting[asked] = monotonic()
        asked += 1
        if asked % 10 == 0:
            receive()
        sleep(max(0.0, since + asked * each - monotonic()))
    sleep(0.9)
    receive()
    return asked, answered


def sockets() -> list[socket.socket]:
    """A socket of each honest peer."""
    peers = []
    for address in HONEST:
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        peer.bind((address, 0))
        peer.connect((SERVER, PORT))
        peer.setblocking(False)
        peers.append(peer)
    return peers


def ask_with_tokens(built: Built, number: int, each: float) -> tuple[int, int]:
    """The same as `ask`, by clients that have the envelope of address tokens."""
    numbers = map(str, (number, int(each * 1e6), 1))
    command = [built.program("honest_peers"), f"{SERVER}:{PORT}", *numbers, *HONEST]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=number * each + DEADLINE).stdout
    print(f"clients: {printed}", end="", flush=True)
    asked, answered = re.match(r"asked (\d+), answered (\d+)", printed).groups()
    return int(asked), int(answered)


def in_a_flood(what: str, sources: Callable[[int], int], rate: int, *args: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        has_tokens = "--tokens" in args
        payload = {"automatic": ENVELOPE + PAYLOAD, "required": ENVELOPE}.get(args[-1] if args else "", PAYLOAD)
        server = Server(built, *args)
        peers = [] if has_tokens else sockets()
        count = Value("l", 0)
        flooding = Process(target=flood, args=(count, sources, rate, SOURCES, payload))
        try:
            flooding.start()
            since = monotonic()
            while count.value < SOURCES // 10:
                sleep(0.01)
            each = SOURCES / rate * 0.8 / REQUESTS
            if has_tokens:
                asked, answered = ask_with_tokens(built, REQUESTS, each)
            else:
                asked, answered = ask(peers, REQUESTS, each, lambda: count.value < SOURCES)
            flooding.join()
            reached = SOURCES / (monotonic() - since)
            memory = server.most_memory()
            books = server.end()
        finally:
            flooding.kill()
            server.kill()
        print(
            f"{what}: {answered} of {asked} requests answered; {SOURCES} frames at {reached:,.0f}/s;"
            f" {memory / 1024:.1f} MiB of RSS at most; {books}",
            flush=True,
        )
        expect(memory <= MOST_MEMORY, True)
        expect(books["received"], books["delivered"] + books["dropped"])
        # An echo, or challenges: nobody gets more than was sent.
        expect(books["sent"] <= books["received"], True)
        if has_tokens:
            expect(books["sent bytes"] <= books["received bytes"], True)

    check.__doc__ = what
    return check


GUARDED = ("--guard", "internet", "--tokens")

CHECKS = [
    in_a_flood("a handler that waits, without a guard", forged, RATE, "--handler", "loop"),
    in_a_flood("a handler that waits, with a guard", forged, RATE, "--handler", "loop", "--guard", "internet"),
    in_a_flood("a function, without a guard", forged, RATE),
    in_a_flood("a function, with a guard and tokens when places are scarce", forged, RATE, *GUARDED, "automatic"),
    in_a_flood("a function, with a guard and tokens required", forged, RATE, *GUARDED, "required"),
    in_a_flood("a handler that waits, the same, when places are scarce", forged, RATE, "--handler", "loop", *GUARDED, "automatic"),
    in_a_flood("a handler that waits, the same, required", forged, RATE, "--handler", "loop", *GUARDED, "required"),
    in_a_flood("one chatty peer, a handler that waits", one_peer, CHATTY_RATE, "--handler", "loop"),
    in_a_flood("one chatty peer, with a guard", one_peer, CHATTY_RATE, "--handler", "loop", "--guard", "internet"),
]


if __name__ == "__main__":
    set_up()
    sys.exit(run_all("flood", CHECKS, Built(sys.argv[1])))
