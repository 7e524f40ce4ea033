"""A relay of datagrams that loses and duplicates, in a thread."""

import random
import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def relay(server: tuple[str, int], seed: int, loss: float, duplicate: float) -> Iterator[tuple[str, int]]:
    """Relays datagrams to `server`; yields the address to send to. Each client has a port of its own towards the server."""
    draw = random.Random(seed).random
    inside = bound()
    selector = selectors.DefaultSelector()
    selector.register(inside, selectors.EVENT_READ)
    flows: dict[object, socket.socket] = {}
    clients: dict[socket.socket, object] = {}
    done = Event()

    def copies() -> int:
        return 0 if draw() < loss else 2 if draw() < duplicate else 1

    def run() -> None:
        while not done.is_set():
            for key, _ in selector.select(timeout=0.1):
                pass_on(key.fileobj)

    def pass_on(received: socket.socket) -> None:
        while True:
            try:
                datagram, sender = received.recvfrom(65_536)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            if received is inside:
                if sender not in flows:
                    flows[sender] = bound()
                    flows[sender].connect(server)
                    clients[flows[sender]] = sender
                    selector.register(flows[sender], selectors.EVENT_READ)
                send = flows[sender].send
            else:
                client = clients[received]
                send = lambda datagram: inside.sendto(datagram, client)
            for _ in range(copies()):
                try:
                    send(datagram)
                except OSError:
                    pass

    thread = Thread(target=run)
    thread.start()
    try:
        yield inside.getsockname()
    finally:
        done.set()
        thread.join()
        for opened in [inside, *flows.values()]:
            opened.close()


def bound() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    opened.bind(("127.0.0.1", 0))
    opened.setblocking(False)
    return opened
