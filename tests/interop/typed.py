"""Our typed CBOR and MessagePack against encoders of other languages, in both directions.

All packets have one field, `bar`. `typed.rs` contains its types.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from programs import Built, expect, finished

REFUSED = "refused"


class Peer(Protocol):
    name: str

    def encode(self, built: Built, packets: list[Any]) -> list[str]:
        """Returns the datagrams of the packets, in hexadecimal."""

    def decode(self, built: Built, datagrams: list[str]) -> list[Any]:
        """Returns the field of each packet in the datagrams."""


@dataclass(frozen=True)
class Exchange:
    peer: Peer
    codec: str  # its name in `typed.rs`
    # A packet of the peer, the type of its field, and the value that we read as this type, or `REFUSED`.
    sent: list[tuple[Any, str, Any]]
    # The type of the field of a packet, the value that we write as this type, and the value that the peer reads.
    received: list[tuple[str, Any, Any]]

    def checks(self) -> list[Callable[[Built], None]]:
        def read(built: Built) -> None:
            packets, types, wanted = zip(*self.sent, strict=True)
            datagrams = self.peer.encode(built, list(packets))
            answers = self._ours(built, types, [f"decode {datagram}" for datagram in datagrams])
            got = [answer if answer == REFUSED else json.loads(answer)["bar"] for answer in answers]
            expect_each(zip(packets, types, datagrams, strict=True), got, wanted)

        def write(built: Built) -> None:
            types, values, wanted = zip(*self.received, strict=True)
            lines = [f"encode {json.dumps({'bar': value})}" for value in values]
            datagrams = self._ours(built, types, lines)
            answers = self.peer.decode(built, datagrams)
            expect_each(zip(types, values, datagrams, strict=True), answers, wanted)

        read.__doc__ = f"{self.peer.name} writes, our typed {self.codec} reads values of the right type"
        write.__doc__ = f"our typed {self.codec} writes, {self.peer.name} reads"
        return [read] + [write] * bool(self.received)

    def _ours(self, built: Built, types: tuple[str, ...], lines: list[str]) -> list[str]:
        answers = {}
        for of in dict.fromkeys(types):
            at = [n for n, other in enumerate(types) if other == of]
            request = "".join(lines[n] + "\n" for n in at).encode()
            answered = finished([built.program("codec"), f"{self.codec} of {of}"], request).decode()
            answers.update(zip(at, answered.splitlines(), strict=True))
        return [answers[n] for n in range(len(types))]


def expect_each(rows: Iterable[Any], got: Sequence[Any], wanted: Sequence[Any]) -> None:
    # Compared as text, because in Python 1, 1.0 and True are equal, and so are 0.0 and -0.0.
    compared = zip(rows, map(repr, got), map(repr, wanted), strict=True)
    wrong = [(row, got, wanted) for row, got, wanted in compared if got != wanted]
    expect(wrong, [])


def tagged(tag: int, content: Any) -> dict[str, Any]:
    """A CBOR tag in the form of `typed.rs`."""
    return {"@@TAGGED@@": [tag, content]}
