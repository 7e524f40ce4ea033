"""How a server handles datagrams that claim to come from itself: `itself.py BUILT`, in its own network namespace.
BUILT is the file with the messages of cargo about the build.

The checks write raw frames to one end of a pair of interfaces. The other end has the addresses of the host.
"""

import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import product

from programs import DEADLINE, Built, expect, run_all

Address = IPv4Address | IPv6Address

INSIDE, OUTSIDE = "02:00:00:00:00:01", "02:00:00:00:00:02"
IPV4 = [ip_address(ip) for ip in ("192.0.2.1", "192.0.2.2")]
IPV6 = [ip_address(ip) for ip in ("2001:db8::1", "2001:db8::2")]
LINK_LOCAL = ip_address("fe80::1")
# Another host on that network.
STRANGERS = {4: ip_address("192.0.2.9"), 6: ip_address("2001:db8::9")}

PORT = 9000
# The ports of a stranger: enough that each of two workers gets some of them.
PORTS = range(50_000, 50_032)


def ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True)


def set_up() -> None:
    """Makes the pair: `inside` has the addresses of the host, and the checks use `outside`."""
    ip("link", "set", "lo", "up")
    peer = ["peer", "name", "outside", "address", OUTSIDE]
    ip("link", "add", "inside", "address", INSIDE, "type", "veth", *peer)
    for name in ("inside", "outside"):
        ip("link", "set", name, "addrgenmode", "none")
        ip("link", "set", name, "up")
    for address in IPV4:
        ip("address", "add", f"{address}/24", "dev", "inside")
    for address in [*IPV6, LINK_LOCAL]:
        ip("address", "add", f"{address}/64", "dev", "inside", "nodad")
    for address in STRANGERS.values():
        ip("neighbor", "add", str(address), "lladdr", OUTSIDE, "dev", "inside", "nud", "permanent")
    for name in ("all", "inside"):
        # Otherwise the kernel drops IPv4 datagrams whose source is its own address.
        write(f"/proc/sys/net/ipv4/conf/{name}/accept_local", "1")
        write(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0")


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def frame(source: Address, sport: int, to: Address, payload: bytes) -> bytes:
    """Returns the frame of a datagram to our port. The length of the payload must be even."""
    length = 8 + len(payload)
    pseudo = source.packed + to.packed + struct.pack("!2xHH", socket.IPPROTO_UDP, length)
    header = struct.pack("!HHH", sport, PORT, length)
    udp = header + struct.pack("!H", checksum(pseudo + header + b"\0\0" + payload)) + payload
    if source.version == 4:
        kind = 0x0800
        start = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP)
        addresses = source.packed + to.packed
        head = start + struct.pack("!H", checksum(start + b"\0\0" + addresses)) + addresses
    else:
        kind = 0x86DD
        head = struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 64) + source.packed + to.packed
    macs = bytes.fromhex((INSIDE + OUTSIDE).replace(":", ""))
    return macs + struct.pack("!H", kind) + head + udp


class Wire:
    """The outer end of the pair."""

    def __init__(self) -> None:
        every_protocol = 0x0003
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(every_protocol))
        self._socket.bind(("outside", every_protocol))
        self._socket.settimeout(DEADLINE)

    def send(self, source: Address, sport: int, to: Address, payload: bytes) -> None:
        self._socket.send(frame(source, sport, to, payload))

    def ask(self, sport: int, to: Address) -> None:
        """Sends a request from a stranger, which must be answered."""
        stranger = STRANGERS[to.version]
        payload = b"%06d" % sport
        self.send(stranger, sport, to, payload)
        # The source address of the answer is not checked, because the portable transport does not know where the
        # request came to.
        answer = stranger.packed + struct.pack("!HHH", PORT, sport, 8 + len(payload))
        while True:
            heard = self._socket.recv(2_000)
            if answer in heard and heard.endswith(payload):
                return


@contextmanager
def serving(built: Built, *args: str) -> Iterator[Callable[[], dict[str, int]]]:
    """Runs the byte echo; yields a function that ends it and returns the stats that it prints."""
    command = [built.program("bench_server"), "--port", str(PORT), *args]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:

        def interrupt() -> dict[str, int]:
            process.send_signal(signal.SIGINT)
            printed, _ = process.communicate(timeout=DEADLINE)
            return {name: int(n) for name, n in re.findall(r"([a-z ]+) (\d+)(?:, |$)", printed.strip())}

        try:
            if not process.stdout.readline():
                raise RuntimeError("the server ended before it printed a line")
            yield interrupt
        finally:
            process.kill()


# D-18
def from_itself(
    pairs: list[tuple[Address, Address]], *args: str, nonlocal_bind: bool = False
) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        for family in ("ipv4", "ipv6"):
            write(f"/proc/sys/net/{family}/ip_nonlocal_bind", str(int(nonlocal_bind)))
        with serving(built, *args) as interrupt:
            wire = Wire()
            for source, to in pairs:
                wire.send(source, PORT, to, b"hello!")
            # Another host may use the same port, because many protocols use one port on both sides.
            asked = [PORT, *PORTS]
            for sport in asked:
                wire.ask(sport, pairs[0][1])
            answered, refused = len(asked), len(pairs)
            stats = {"received": answered + refused, "delivered": answered, "dropped": refused}
            expect(interrupt(), stats | {"sent": answered, "send errors": 0})

    how = " ".join(args) + ", where every address can be bound" * nonlocal_bind
    check.__doc__ = f"{how}: refuses datagrams from itself, over IPv{pairs[0][0].version}"
    return check


PAIRS4 = list(product(IPV4, IPV4))
PAIRS6 = [*product(IPV6, IPV6), *product([LINK_LOCAL], [*IPV6, LINK_LOCAL])]
WAYS = [
    ["--transport", "auto"],
    ["--transport", "auto", "--handler", "loop"],
    ["--transport", "portable"],
    ["--workers", "2"],
    ["--workers", "2", "--worker-threads", "on", "--threads", "2"],
]
PAIRS = [("::", PAIRS6), ("::", PAIRS4), ("0.0.0.0", PAIRS4)]
CHECKS = [
    *[from_itself(pairs, "--ip", wildcard, *way) for wildcard, pairs in PAIRS for way in WAYS],
    # Like on hosts that share an address, which only one of them has at a time.
    *[
        from_itself(pairs, "--ip", wildcard, "--transport", transport, nonlocal_bind=True)
        for wildcard, pairs in PAIRS
        for transport in ("auto", "portable")
    ],
]

if __name__ == "__main__":
    set_up()
    sys.exit(run_all("itself", CHECKS, Built(sys.argv[1])))
