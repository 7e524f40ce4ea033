"""Segments: datagrams that the kernel splits and merges (udp(7): UDP_SEGMENT, UDP_GRO) for a plain socket.

The sender and the receiver share no code with the server. Each datagram must come back with its exact borders and
in order.
"""

import random
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack

from programs import Built, connected, expect

SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104

# Per send: the length of the segments, their number, and the length of the last one.
SHAPES = {
    "two small ones": (32, 2, 32),
    "as many as there may be": (32, 64, 32),
    "a shorter last one": (1200, 10, 7),
    "a last one of one byte": (1472, 20, 1),
    "of one byte each": (1, 64, 1),
    "longer than most paths carry": (9000, 7, 8999),
}
SERVERS = {
    "offload on": [],
    "offload off": ["--offload", "off"],
    "portable": ["--transport", "portable"],
    "a conversation per peer": ["--handler", "loop"],
}


class Peer:
    """A socket that sends segments, and receives datagrams one by one or, with `merge`, merged."""

    def __init__(self, socket: socket.socket, merge: bool) -> None:
        self._socket = socket
        self._arrived: list[bytes] = []
        self._sent = 0
        self.merged = 0
        if merge:
            socket.setsockopt(SOL_UDP, UDP_GRO, 1)

    def send(self, segment: int, count: int, last: int) -> list[bytes]:
        """Sends datagrams as segments of one call; returns them."""
        datagrams = [self._datagram(segment) for _ in range(count - 1)] + [self._datagram(last)]
        size = (SOL_UDP, UDP_SEGMENT, struct.pack("=H", segment))
        self._socket.sendmsg([b"".join(datagrams)], [size])
        return datagrams

    def recv(self) -> bytes:
        """Returns the next datagram, separated from those that it was merged with."""
        if not self._arrived:
            bytes, control, _, _ = self._socket.recvmsg(65535, socket.CMSG_SPACE(4))
            sizes = [struct.unpack("=i", data)[0] for *kind, data in control if kind == [SOL_UDP, UDP_GRO]]
            size = sizes[0] if sizes else max(1, len(bytes))
            self.merged += size < len(bytes)
            self._arrived = [bytes[at : at + size] for at in range(0, max(1, len(bytes)), size)]
        return self._arrived.pop(0)

    def _datagram(self, length: int) -> bytes:
        self._sent += 1
        return random.Random(self._sent).randbytes(length)


def each(name: str, options: list[str], merge: bool) -> Callable[[Built], None]:
    # D-17, S-12
    def check(built: Built) -> None:
        with built.serving("bench_server", "--port", "0", *options) as addr, connected(addr) as plain:
            peer = Peer(plain, merge)
            for what, shape in SHAPES.items():
                sent = peer.send(*shape)
                expect((what, [peer.recv() for _ in sent] == sent), (what, True))
            if merge and name == "offload on":
                # Otherwise the check would not have tested merged datagrams.
                expect(peer.merged > 0, True)

    receiver = "a socket with UDP_GRO" if merge else "a plain socket"
    check.__doc__ = f"segments to our byte echo ({name}): each datagram comes back to {receiver}"
    return check


def mixed(name: str, options: list[str]) -> Callable[[Built], None]:
    # D-10, D-17, S-4, S-12
    def check(built: Built) -> None:
        with built.serving("bench_server", "--port", "0", *options) as addr, ExitStack() as stack:
            peers = [Peer(stack.enter_context(connected(addr)), n % 2 == 0) for n in range(6)]
            for time in range(20):
                # In each round, each peer sends another shape, and the next peer sends a different one.
                shapes = [list(SHAPES.values())[(time + n) % len(SHAPES)] for n in range(len(peers))]
                sent = [peer.send(*shape) for peer, shape in zip(peers, shapes, strict=True)]
                for peer, datagrams in zip(peers, sent, strict=True):
                    expect([peer.recv() for _ in datagrams] == datagrams, True)

    check.__doc__ = f"segments of six peers at the same time ({name}): each peer gets its own back, in order"
    return check


CHECKS = [
    *[each(*server, merge) for server in SERVERS.items() for merge in (False, True)],
    *[mixed(*server) for server in SERVERS.items()],
]
