"""Our codecs and layers against serializers that we did not write, datagram by datagram, both ways.

A further codec is a row of `ROWS` here, and a line in `codec.rs`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from easynetwork.serializers import JSONSerializer

from programs import Built, expect, finished


class Serializer(Protocol):
    """What those of easynetwork are."""

    def serialize(self, packet: Any, /) -> bytes: ...

    def deserialize(self, data: bytes, /) -> Any: ...


@dataclass(frozen=True)
class Functions:
    """A pair of functions as a serializer."""

    serialize: Callable[[Any], bytes]
    deserialize: Callable[[bytes], Any]


@dataclass(frozen=True)
class Row:
    theirs: str
    serializer: Serializer
    ours: str  # as `codec.rs` names it
    packets: list[Any]
    same_octets: bool = True  # whether both write the same octets, or only read them
    refused: list[bytes] = field(default_factory=list)  # what they read and we do not
    as_json: Callable[[Any], Any] = lambda packet: packet
    from_json: Callable[[Any], Any] = lambda packet: packet

    def checks(self) -> list[Callable[[Built], None]]:
        def decode(built: Built) -> None:
            datagrams = [self.serializer.serialize(packet) for packet in self.packets]
            answers = self._answers(built, [f"decode {datagram.hex()}" for datagram in datagrams])
            for answer, packet in zip(answers, self.packets, strict=True):
                # As text, since 0.0 and -0.0 are equal, and so are 1 and 1.0.
                expect(repr(self.from_json(json.loads(answer))), repr(packet))

        def encode(built: Built) -> None:
            lines = [f"encode {json.dumps(self.as_json(packet))}" for packet in self.packets]
            for answer, packet in zip(self._answers(built, lines), self.packets, strict=True):
                expect(repr(self.serializer.deserialize(bytes.fromhex(answer))), repr(packet))
                if self.same_octets:
                    expect(answer, self.serializer.serialize(packet).hex())

        def refuse(built: Built) -> None:
            for datagram in self.refused:
                self.serializer.deserialize(datagram)
            lines = [f"decode {datagram.hex()}" for datagram in self.refused]
            expect(self._answers(built, lines), ["refused"] * len(lines))

        decode.__doc__ = f"{self.theirs} writes, our {self.ours} reads"
        encode.__doc__ = f"our {self.ours} writes, {self.theirs} reads"
        if self.same_octets:
            encode.__doc__ += ", and would have written the same"
        refuse.__doc__ = f"what {self.theirs} reads beyond the standard, our {self.ours} refuses"
        return [decode, encode, *([refuse] if self.refused else [])]

    def _answers(self, built: Built, lines: list[str]) -> list[str]:
        request = "".join(line + "\n" for line in lines).encode()
        return finished([built.test("codec"), self.ours], request).decode().splitlines()


ANY = [
    None,
    True,
    0,
    -(2**63),
    2**64 - 1,
    1.5,
    -0.0,
    "",
    'é€😀 \x7f \\ / " \b\f\n\r\t\x01',
    [],
    {},
    {"data": None, "key": [1, 2, 3]},  # sorted, as our packets of any shape are
    [[[{"deep": [{}]}]], list(range(300)), "x" * 70_000],
]
FLOATS = [0.1, 1e16, 1e-7, 5e-324, 1.7976931348623157e308]

ROWS = [
    Row("JSONSerializer", JSONSerializer(), "json ascii", ANY),
    Row(
        "JSONSerializer",
        JSONSerializer(),
        "json",
        [*ANY, *FLOATS],
        same_octets=False,
        refused=[b"NaN", b"-Infinity", b"1e400", rb'"\ud800"', b"[" * 200 + b"]" * 200],
    ),
]

CHECKS = [check for row in ROWS for check in row.checks()]
