"""How a server behaves when sending fails.

On Linux the replies of a batch leave with `sendmmsg`. If it refuses a datagram, that datagram is tried again alone,
with `sendto`. A reply that is the only one of its batch also leaves with `sendto`, and so do all replies of the
portable transport and of handlers that have become tasks.
"""

from collections.abc import Callable
from contextlib import ExitStack

from faulty import Faulty, faulty, until
from programs import Built, connected, expect

# Errors that may be about an earlier datagram, and an interruption: the same datagram is tried again.
PASSING = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EPROTO", "EACCES", "EMSGSIZE", "EINTR"]
# Errors about this datagram.
REFUSING = ["EPERM", "EINVAL", "EIO", "ENOBUFS", "ENOMEM"]

REQUESTS = 12
# Of twelve requests, one after the other, these are not answered.
EVERY_THIRD = "2..11+3"
LOST = [2, 5, 8, 11]


def stats(sent: int, errors: int) -> dict[str, int]:
    received = sent + errors
    return {"received": received, "delivered": received, "dropped": 0, "sent": sent, "send errors": errors}


def in_turn(server: Faulty, lost: list[int], errors_each: int) -> None:
    """Two peers send requests one after the other; all are answered except those in `lost`."""
    with connected(server.addr) as a, connected(server.addr) as b:
        errors = 0
        for n in range(1, REQUESTS + 1):
            peer = (a, b)[n % 2]
            peer.send(b"%d" % n)
            if n in lost:
                errors += errors_each
                until(lambda: server.injected() >= errors)
            else:
                expect(peer.recv(100), b"%d" % n)
    expect(server.interrupt(), stats(REQUESTS - len(lost), len(lost)))


# If `sendmmsg` fails for a pair, the first datagram is sent alone, and the second one by another `sendmmsg`. So if
# every third call fails, every second round is affected.
LOST_OF_PAIRS = [2, 4, 6, 8]


def in_pairs(server: Faulty, lost: list[int], errors_each: int) -> None:
    """Two peers send at once; all requests are answered except those of the first peer in the rounds in `lost`."""
    with connected(server.addr) as a, connected(server.addr) as b:
        errors = 0
        for n in range(1, REQUESTS + 1):
            with server.stopped():
                a.send(b"a%d" % n)
                b.send(b"b%d" % n)
            expect(b.recv(100), b"b%d" % n)
            if n in lost:
                errors += errors_each
                server.expect_injected(errors)
            else:
                expect(a.recv(100), b"a%d" % n)
    expect(server.interrupt(), stats(2 * REQUESTS - len(lost), len(lost)))


# S-9: if a batch fails, the first datagram is tried alone, and the rest again
def batches(error: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        with faulty(built, {"sendmmsg": f"error={error}:when={EVERY_THIRD}"}) as server:
            in_pairs(server, [], 0)
            server.expect_injected(len(LOST))

    check.__doc__ = f"sendmmsg, {error} every third time: all requests are answered"
    return check


# S-9
def batches_and_datagrams(error: str) -> Callable[[Built], None]:
    # An error that may be about an earlier datagram is tried again, twice.
    tries = 3 if error in PASSING else 1

    def check(built: Built) -> None:
        inject = {
            "sendmmsg": f"error={error}:when={EVERY_THIRD}",
            "sendto": f"error={error}:when=1..{tries * len(LOST)}",
        }
        with faulty(built, inject) as server:
            in_pairs(server, LOST_OF_PAIRS, 1 + tries)
            server.expect_injected((1 + tries) * len(LOST))

    check.__doc__ = f"sendmmsg and sendto, {error}: refused replies are counted, the others are sent"
    return check


# S-9, L-22
def passing(error: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        inject = {"sendto": f"error={error}:when={EVERY_THIRD}"}
        with faulty(built, inject, "--transport", "portable") as server:
            in_turn(server, [], 0)
            server.expect_injected(len(LOST))

    check.__doc__ = f"sendto, {error} every third time: all requests are answered"
    return check


# S-9
def refusing(error: str, sender: str, lost: list[int], *args: str) -> Callable[[Built], None]:
    # Not without end: tokio passes our signal on with a `sendto` too.
    every_third = f"2..{3 * len(lost)}+3"

    def check(built: Built) -> None:
        with faulty(built, {"sendto": f"error={error}:when={every_third}"}, *args) as server:
            in_turn(server, lost, 1)
            server.expect_injected(len(lost))

    check.__doc__ = f"sendto of a {sender}, {error} every third time: refused replies are counted, the others are sent"
    return check


# S-10
def no_room(built: Built) -> None:
    """sendto, EAGAIN: a reply waits for room, and leaves before later replies"""
    with (
        faulty(built, {"sendto": "error=EAGAIN:when=1"}) as server,
        connected(server.addr) as a,
        connected(server.addr) as b,
    ):
        a.send(b"first")
        until(lambda: server.injected() == 1)
        # The send buffer was never really full, so the kernel reports room only together with another event.
        b.send(b"other")
        a.send(b"second")
        expect([a.recv(100), a.recv(100), b.recv(100)], [b"first", b"second", b"other"])
        expect(server.interrupt(), stats(3, 0))


# S-9: the position in the batch does not matter
def one_of_a_batch(place: int) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        # The whole batch fails until the chosen datagram is its first one.
        inject = {"sendmmsg": f"error=EPERM:when=1..{place + 1}", "sendto": f"error=EPERM:when={place + 1}"}
        with faulty(built, inject) as server, ExitStack() as stack:
            peers = [stack.enter_context(connected(server.addr)) for _ in range(5)]
            with server.stopped():
                for n, peer in enumerate(peers):
                    peer.send(b"%d" % n)
            for n, peer in enumerate(peers):
                if n != place:
                    expect(peer.recv(100), b"%d" % n)
            peers[place].send(b"again")
            expect(peers[place].recv(100), b"again")
            expect(server.interrupt(), stats(5, 1))

    check.__doc__ = f"sendto, EPERM for number {place + 1} of a batch of five: the others are answered"
    return check


# S-12
def segments(error: str, again: bool) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        with (
            faulty(built, {"sendmmsg": f"error={error}:when=1"}) as server,
            connected(server.addr) as peer,
        ):
            for burst in (b"a%d", b"b%d"):
                with server.stopped():
                    for n in range(8):
                        peer.send(burst % n)
                expect([peer.recv(100) for _ in range(8)], [burst % n for n in range(8)])
            expect(server.interrupt(), stats(16, 0))
            # UDP_SEGMENT; strace does not know its name. It writes each call a moment after the server has gone on.
            segmented, expected = lambda: server.trace().count("cmsg_type=0x67"), 2 if again else 1
            until(lambda: segmented() >= expected)
            expect(segmented(), expected)

    tried = "tried again" if again else "not tried again"
    check.__doc__ = f"sendmmsg, {error} for segments: they are sent singly, and segmentation is {tried}"
    return check


PORTABLE = ("worker", LOST, "--transport", "portable")
TASK = ("task", LOST, "--handler", "loop")
CHECKS = [
    *[batches(error) for error in PASSING + REFUSING],
    *[batches_and_datagrams(error) for error in PASSING + REFUSING if error != "EINTR"],
    *[passing(error) for error in PASSING],
    *[refusing(error, *how) for error in REFUSING for how in (PORTABLE, TASK)],
    no_room,
    *[one_of_a_batch(place) for place in (0, 2, 4)],
    *[segments(error, again) for error, again in (("EIO", False), ("EINVAL", False), ("EMSGSIZE", False), ("ECONNREFUSED", True))],
]
