"""Our codecs and layers against serializers that we did not write, datagram by datagram, in both directions.

To add a codec, add a row to `ROWS` here, and a line to `codec.rs`.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import cbor2
import msgpack
from easynetwork.serializers import (
    CBORSerializer,
    JSONSerializer,
    MessagePackSerializer,
    NamedTupleStructSerializer,
    StringLineSerializer,
    StructSerializer,
)
from easynetwork.serializers.wrapper import (
    Base64EncoderSerializer,
    BZ2CompressorSerializer,
    ZlibCompressorSerializer,
)
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from programs import Built, expect, finished


class Serializer(Protocol):
    """The interface of the serializers of easynetwork."""

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
    ours: str  # its name in `codec.rs`
    packets: list[Any]
    same_bytes: bool = True  # whether both write the same bytes, or only read them
    refused: list[bytes] = field(default_factory=list)  # datagrams that they accept and we refuse
    as_json: Callable[[Any], Any] = lambda packet: packet
    from_json: Callable[[Any], Any] = lambda packet: packet

    def checks(self) -> list[Callable[[Built], None]]:
        def decode(built: Built) -> None:
            datagrams = [self.serializer.serialize(packet) for packet in self.packets]
            answers = self._answers(built, [f"decode {datagram.hex()}" for datagram in datagrams])
            for answer, packet in zip(answers, self.packets, strict=True):
                # Compared as text, because 0.0 and -0.0 are equal, and so are 1 and 1.0.
                expect(repr(self.from_json(json.loads(answer))), repr(packet))

        def encode(built: Built) -> None:
            lines = [f"encode {json.dumps(self.as_json(packet))}" for packet in self.packets]
            for answer, packet in zip(self._answers(built, lines), self.packets, strict=True):
                expect(repr(self.serializer.deserialize(bytes.fromhex(answer))), repr(packet))
                if self.same_bytes:
                    expect(answer, self.serializer.serialize(packet).hex())

        def refuse(built: Built) -> None:
            for datagram in self.refused:
                self.serializer.deserialize(datagram)
            lines = [f"decode {datagram.hex()}" for datagram in self.refused]
            expect(self._answers(built, lines), ["refused"] * len(lines))

        decode.__doc__ = f"{self.theirs} writes, our {self.ours} reads"
        encode.__doc__ = f"our {self.ours} writes, {self.theirs} reads"
        if self.same_bytes:
            encode.__doc__ += ", and writes the same bytes"
        refuse.__doc__ = f"our {self.ours} refuses datagrams beyond the standard that {self.theirs} reads"
        return [decode, encode, *([refuse] if self.refused else [])]

    def _answers(self, built: Built, lines: list[str]) -> list[str]:
        request = "".join(line + "\n" for line in lines).encode()
        return finished([built.program("codec"), self.ours], request).decode().splitlines()


class Person(NamedTuple):
    """Row w9 of the wire vectors."""

    name: str
    age: int


def reading() -> Serializer:
    """The message of `codec.rs`, described here instead of in a `.proto` file."""
    kind = descriptor_pb2.FieldDescriptorProto
    message = descriptor_pb2.DescriptorProto(name="Reading")
    for number, (name, type_, label) in enumerate(
        [
            ("sensor", kind.TYPE_INT32, kind.LABEL_OPTIONAL),
            ("name", kind.TYPE_STRING, kind.LABEL_OPTIONAL),
            ("values", kind.TYPE_DOUBLE, kind.LABEL_REPEATED),
            ("before", kind.TYPE_MESSAGE, kind.LABEL_OPTIONAL),
        ],
        start=1,
    ):
        message.field.add(name=name, number=number, type=type_, label=label)
    message.field[3].type_name = "Reading"
    file = descriptor_pb2.FileDescriptorProto(name="reading.proto", syntax="proto3", message_type=[message])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    Reading = message_factory.GetMessageClass(pool.FindMessageTypeByName("Reading"))
    return Functions(
        lambda packet: json_format.ParseDict(packet, Reading()).SerializeToString(),
        lambda data: without_nothing(
            json_format.MessageToDict(
                Reading.FromString(data), always_print_fields_with_no_presence=True
            )
        ),
    )


def without_nothing(packet: Any) -> Any:
    """The packet without the fields of absent messages."""
    before = packet.pop("before", None)
    return packet if before is None else {**packet, "before": without_nothing(before)}


KEY = bytes(range(32))

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
    {"data": None, "key": [1, 2, 3]},  # sorted, because our packets of any shape are sorted too
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
        same_bytes=False,
        refused=[b"NaN", b"-Infinity", b"1e400", rb'"\ud800"', b"[" * 200 + b"]" * 200],
    ),
    Row("cbor2", Functions(cbor2.dumps, cbor2.loads), "cbor", [*ANY, *FLOATS], same_bytes=False),
    Row("CBORSerializer", CBORSerializer(), "cbor", [*ANY, *FLOATS], same_bytes=False),
    Row("msgpack", Functions(msgpack.packb, msgpack.unpackb), "msgpack", [*ANY, *FLOATS]),
    Row("MessagePackSerializer", MessagePackSerializer(), "msgpack", [*ANY, *FLOATS]),
    Row(
        "protobuf",
        reading(),
        "protobuf",
        [
            {"sensor": 0, "name": "", "values": []},
            {"sensor": -7, "name": "né", "values": [0.5, -0.0, 1e300]},
            {"sensor": 150, "name": "", "values": [], "before": {"sensor": 1, "name": "", "values": []}},
        ],
        from_json=without_nothing,
    ),
    Row("StringLineSerializer", StringLineSerializer(), "text lines", ["", "abc", "a\rb "]),
    Row(
        "StringLineSerializer",
        StringLineSerializer("CRLF", encoding="utf-8", keep_end=True),
        "text lines in UTF-8, CR and LF kept",
        ["", "né", "abc\r\n\r\n"],
    ),
    *[
        Row(
            "StructSerializer",
            StructSerializer(f"{endianness}iHQ?10sd"),  # row w8 of the wire vectors
            ours,
            [
                (-1, 2, 3, True, b"abc\0\0\0\0\0\0\0", 1.5),
                (-(2**31), 0, 2**64 - 1, False, "né 01234 ".encode(), -0.0),
            ],
            as_json=lambda packet: [*packet[:4], packet[4].decode().rstrip("\0"), packet[5]],
            from_json=lambda fields: (*fields[:4], fields[4].encode().ljust(10, b"\0"), fields[5]),
        )
        for endianness, ours in [("!", "fixed layout"), ("<", "fixed layout, little-endian")]
    ],
    Row(
        "NamedTupleStructSerializer",
        NamedTupleStructSerializer(Person, {"name": "10s", "age": "I"}),
        "fixed layout of a person",
        [Person("John", 20), Person("", 0), Person("Zoë", 2**32 - 1)],
        as_json=Person._asdict,
        from_json=lambda fields: Person(**fields),
    ),
    Row("Base64EncoderSerializer", Base64EncoderSerializer(JSONSerializer()), "base64", ANY),
    Row(
        "Base64EncoderSerializer",
        Base64EncoderSerializer(JSONSerializer(), alphabet="standard"),
        "base64, standard",
        ANY,
    ),
    Row(
        "Base64EncoderSerializer",
        Base64EncoderSerializer(JSONSerializer(), checksum=True),
        "base64 of digest",
        ANY,
    ),
    Row(
        "Base64EncoderSerializer",
        Base64EncoderSerializer(JSONSerializer(), checksum=urlsafe_b64encode(KEY)),
        "base64 of signed",
        ANY,
    ),
    *[
        Row(
            "ZlibCompressorSerializer",
            ZlibCompressorSerializer(JSONSerializer(), compress_level=level),
            "zlib",
            ANY,
            same_bytes=False,
        )
        for level in (1, 9)
    ],
    Row(
        "BZ2CompressorSerializer",
        BZ2CompressorSerializer(JSONSerializer(), compress_level=9),
        "bz2",
        ANY,
        same_bytes=False,
    ),
]

CHECKS = [check for row in ROWS for check in row.checks()]
