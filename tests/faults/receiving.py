"""How a server behaves when receiving fails."""

import errno
import os
from collections.abc import Callable
from time import monotonic

from faulty import faulty
from programs import Built, connected, expect

# Each transport, with the system call by which it receives.
TRANSPORTS = {"auto": "recvmmsg", "portable": "recvfrom"}
# Errors about earlier datagrams, an interruption; and then errors from a lack of memory.
PASSING = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EPROTO", "ECONNRESET", "EINTR"]
PAUSING = ["ENOMEM", "ENOBUFS"]
FATAL = ["EBADF", "ENOTSOCK", "ENOTCONN"]


# L-22, L-23
def every_second(error: str, transport: str, call: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        with (
            # Not without end: tokio receives our signal with a `recvfrom` too.
            faulty(built, {call: f"error={error}:when=2..40+2"}, "--transport", transport) as server,
            connected(server.addr) as a,
            connected(server.addr) as b,
        ):
            for n in range(20):
                for peer in (a, b):
                    peer.send(b"%d" % n)
                    expect(peer.recv(100), b"%d" % n)
            server.expect_injected(20)
            stats = {"received": 40, "delivered": 40, "dropped": 0, "sent": 40, "send errors": 0}
            expect(server.interrupt(), stats)

    check.__doc__ = f"{call}, {error} every second time: all datagrams are received and answered"
    return check


# L-22
def in_a_row(error: str, transport: str, call: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        with (
            faulty(built, {call: f"error={error}:when=2..201"}, "--transport", transport) as server,
            connected(server.addr) as peer,
        ):
            for request in (b"before", b"meanwhile", b"afterwards"):
                peer.send(request)
                expect(peer.recv(100), request)
            server.expect_injected(200)
            expect(server.interrupt()["received"], 3)

    check.__doc__ = f"{call}, {error} 200 times in a row: all datagrams are received and answered"
    return check


# L-23
def pausing(built: Built) -> None:
    """recvmmsg, ENOMEM eleven times in a row: tried again after 1, 2, 4, up to 1,024 ms, and no more often"""
    with (
        faulty(built, {"recvmmsg": "error=ENOMEM:when=2..12"}) as server,
        connected(server.addr) as peer,
    ):
        peer.send(b"before")
        expect(peer.recv(100), b"before")
        since = monotonic()
        peer.send(b"meanwhile")
        expect(peer.recv(100), b"meanwhile")
        # 11 pauses, the last of them limited to one second. No machine can be faster than that.
        expect(monotonic() - since > 2.0, True)
        expect(server.trace().count("recvmmsg("), 13)
        expect(server.interrupt()["received"], 2)


# L-24
def fatal(error: str, transport: str, call: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        with (
            faulty(built, {call: f"error={error}:when=2+"}, "--transport", transport) as server,
            connected(server.addr) as peer,
        ):
            peer.send(b"before")
            expect(peer.recv(100), b"before")
            peer.send(b"too late")
            code, _, errors = server.end()
            expect((code, f"code: {getattr(errno, error)}," in errors), (1, True))
            expect(server.injected() <= 2, True)

    check.__doc__ = f"{call}, {error}: serving ends with that error ({os.strerror(getattr(errno, error))})"
    return check


CHECKS = [
    *[every_second(error, *t) for t in TRANSPORTS.items() for error in PASSING + PAUSING],
    *[in_a_row("ECONNREFUSED", *t) for t in TRANSPORTS.items()],
    pausing,
    *[fatal(error, *t) for t in TRANSPORTS.items() for error in FATAL],
]
