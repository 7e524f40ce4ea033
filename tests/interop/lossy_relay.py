"""A UDP relay that loses and repeats datagrams, for protocols in which a server answers from a new port."""

import random
import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

Addr = tuple[str, int]


class Relay:
    """Each client gets a socket towards the server, and each port of the server gets one towards the client."""

    def __init__(self, server: Addr, lost: int, repeated: int, seed: int) -> None:
        self._server, self._random = server, random.Random(seed)
        self._lost, self._repeated = lost, repeated
        self._selector = selectors.DefaultSelector()
        self._up: dict[Addr, socket.socket] = {}
        self._down: dict[tuple[Addr, Addr], socket.socket] = {}
        self._front = self._bind(lambda datagram, client: self._send(self._towards_server(client), datagram, server))
        self.addr: Addr = self._front.getsockname()
        self.lost = self.repeated = 0
        self._ended = Event()

    def run(self) -> None:
        while not self._ended.is_set():
            for key, _ in self._selector.select(timeout=0.1):
                datagram, sender = key.fileobj.recvfrom(65_535)
                key.data(datagram, sender)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()

    def end(self) -> None:
        self._ended.set()

    def _bind(self, arrived: object) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))
        self._selector.register(bound, selectors.EVENT_READ, arrived)
        return bound

    def _towards_server(self, client: Addr) -> socket.socket:
        if client not in self._up:
            self._up[client] = self._bind(
                lambda datagram, server: self._send(self._towards_client(client, server), datagram, client)
            )
        return self._up[client]

    def _towards_client(self, client: Addr, server: Addr) -> socket.socket:
        if server == self._server:
            return self._front
        if (client, server) not in self._down:
            self._down[client, server] = self._bind(
                lambda datagram, _: self._send(self._up[client], datagram, server)
            )
        return self._down[client, server]

    def _send(self, through: socket.socket, datagram: bytes, to: Addr) -> None:
        percent = self._random.randrange(100)
        if percent < self._lost:
            self.lost += 1
            return
        through.sendto(datagram, to)
        if percent < self._lost + self._repeated:
            self.repeated += 1
            through.sendto(datagram, to)


@contextmanager
def relaying(server: Addr, lost: int, seed: int, repeated: int | None = None) -> Iterator[Relay]:
    """Runs a relay to the server. In each direction it loses and repeats so many of 100 datagrams, as many of both by default."""
    relay = Relay(server, lost, lost if repeated is None else repeated, seed)
    thread = Thread(target=relay.run)
    thread.start()
    try:
        yield relay
    finally:
        relay.end()
        thread.join()
