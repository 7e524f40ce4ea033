"""What a server does when it cannot send.

On Linux the replies of a batch leave by `sendmmsg`. What that refuses is tried again alone, by `sendto`, as
is a reply that is the only one of its batch, each one of the portable transport, and each one of a handler
that has become a task.
"""

from collections.abc import Callable
from contextlib import ExitStack

from faulty import Faulty, faulty, until
from programs import Built, connected, expect

# What may be the answer to an earlier datagram, and the like: the same one is tried once more.
PASSING = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EPROTO", "EACCES", "EMSGSIZE", "EINTR"]
# What is the answer to this datagram.
REFUSING = ["EPERM", "EINVAL", "EIO", "ENOBUFS", "ENOMEM"]

REQUESTS = 12
# Of twelve requests, one after the other, these are not answered.
EVERY_THIRD = "2..11+3"
LOST = [2, 5, 8, 11]


def stats(sent: int, errors: int) -> dict[str, int]:
    received = sent + errors
    return {"received": received, "delivered": received, "dropped": 0, "sent": sent, "send errors": errors}


def in_turn(server: Faulty, lost: list[int], errors_each: int) -> None:
    """Two peers ask one after the other; all is answered but what is `lost`."""
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


# Of a pair whose `sendmmsg` fails, the first is sent alone and the second by another one. So every second
# round fails, if every third call does.
LOST_OF_PAIRS = [2, 4, 6, 8]


def in_pairs(server: Faulty, lost: list[int], errors_each: int) -> None:
    """Two peers ask at once; all is answered but the first one's request in the rounds that are `lost`."""
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


# S-9: of a batch that fails, the first is tried alone, and the rest again
def batches(error: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        with faulty(built, {"sendmmsg": f"error={error}:when={EVERY_THIRD}"}) as server:
            in_pairs(server, [], 0)
            server.expect_injected(len(LOST))

    check.__doc__ = f"sendmmsg, {error} every third time: all is answered"
    return check


# S-9
def batches_and_datagrams(error: str) -> Callable[[Built], None]:
    # What may be about the past is tried again, twice.
    tries = 3 if error in PASSING else 1

    def check(built: Built) -> None:
        inject = {
            "sendmmsg": f"error={error}:when={EVERY_THIRD}",
            "sendto": f"error={error}:when=1..{tries * len(LOST)}",
        }
        with faulty(built, inject) as server:
            in_pairs(server, LOST_OF_PAIRS, 1 + tries)
            server.expect_injected((1 + tries) * len(LOST))

    check.__doc__ = f"sendmmsg and sendto, {error}: what is refused is counted, the rest is answered"
    return check


# S-9, L-22
def passing(error: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        inject = {"sendto": f"error={error}:when={EVERY_THIRD}"}
        with faulty(built, inject, "--transport", "portable") as server:
            in_turn(server, [], 0)
            server.expect_injected(len(LOST))

    check.__doc__ = f"sendto, {error} every third time: all is answered"
    return check


# S-9
def refusing(error: str, sender: str, lost: list[int], *args: str) -> Callable[[Built], None]:
    # Not for ever: tokio tells itself of our signal by a `sendto` too.
    every_third = f"2..{3 * len(lost)}+3"

    def check(built: Built) -> None:
        with faulty(built, {"sendto": f"error={error}:when={every_third}"}, *args) as server:
            in_turn(server, lost, 1)
            server.expect_injected(len(lost))

    check.__doc__ = f"sendto of a {sender}, {error} every third time: what is refused is counted, the rest is answered"
    return check


# S-10
def no_room(built: Built) -> None:
    """sendto, EAGAIN: a reply waits for room, and leaves before those that come later"""
    with (
        faulty(built, {"sendto": "error=EAGAIN:when=1"}) as server,
        connected(server.addr) as a,
        connected(server.addr) as b,
    ):
        a.send(b"first")
        until(lambda: server.injected() == 1)
        # The kernel has never been full, so it tells of room only when it tells of something else.
        b.send(b"other")
        a.send(b"second")
        expect([a.recv(100), a.recv(100), b.recv(100)], [b"first", b"second", b"other"])
        expect(server.interrupt(), stats(3, 0))


# S-9: the place in the batch does not matter
def one_of_a_batch(place: int) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        # The batch fails as a whole as often as it takes until the datagram in question is the first.
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
            # UDP_SEGMENT, which strace does not know by name.
            segmented = server.trace().count("cmsg_type=0x67")
            expect(segmented, 2 if again else 1)
            expect(server.interrupt(), stats(16, 0))

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
