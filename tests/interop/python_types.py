"""Our typed CBOR and MessagePack against cbor2 and msgpack."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import cbor2
import msgpack

from programs import Built
from typed import REFUSED, Exchange, tagged


@dataclass(frozen=True)
class Package:
    """A package as a pair of functions."""

    name: str
    dumps: Callable[[Any], bytes]
    loads: Callable[[bytes], Any]

    def encode(self, _: Built, packets: list[Any]) -> list[str]:
        return [self.dumps(packet).hex() for packet in packets]

    def decode(self, _: Built, datagrams: list[str]) -> list[Any]:
        return [self.loads(bytes.fromhex(datagram))["bar"] for datagram in datagrams]


TIME = datetime(2013, 3, 21, 20, 4, 0, 500_000, tzinfo=timezone.utc)
SECONDS = 1363896240

SENT = [
    ({"bar": 42}, "u8", 42),
    ({"bar": 2**53 - 1}, "u64", 2**53 - 1),
    ({"bar": 2**64 - 1}, "u64", 2**64 - 1),
    ({"bar": -(2**63)}, "i64", -(2**63)),
    ({"bar": float(SECONDS)}, "u64", SECONDS),
    ({"bar": -1.0}, "i64", -1),
    ({"bar": -1}, "u64", REFUSED),
    ({"bar": 2.0**64}, "u64", REFUSED),
    ({"bar": 2.0**64}, "i128", 2**64),
    ({"bar": 0.5}, "u64", REFUSED),
    ({"bar": float("nan")}, "i64", REFUSED),
    ({"bar": float("inf")}, "i128", REFUSED),
    ({"bar": 0.1}, "f64", 0.1),
    ({"bar": -0.0}, "f64", -0.0),
    ({"bar": 3}, "f64", 3.0),
    ({"bar": True}, "bool", True),
    ({"bar": None}, "optional u64", None),
    ({"bar": 42}, "optional u64", 42),
    ({"bar": "é€😀"}, "text", "é€😀"),
    ({"bar": "x" * 70_000}, "text", "x" * 70_000),
    ({"bar": b"\1\xff"}, "bytes", [1, 255]),
    ({"bar": bytearray(b"\1\xff")}, "bytes", [1, 255]),
    ({"bar": b"\1\xff"}, "list of u64", [1, 255]),
    ({"bar": (1, 2**40)}, "list of u64", [1, 2**40]),
    ({"bar": {"a": 1, "é": 2**40}}, "map by text", {"a": 1, "é": 2**40}),
    ({"bar": {1: "a", -2: "b"}}, "map by integers", {"-2": "b", "1": "a"}),
    ({"bar": {"bar": [{"bar": 1.5}]}}, "packet of packets", {"bar": [{"bar": 1.5}]}),
    ({"bar": {"Add": {"a": 1, "b": 2}}}, "command", {"Add": {"a": 1, "b": 2}}),
    ({b"bar": 42}, "u64", 42),
    ({"bar": 42, 1: 2, None: 3, 1.5: 4, True: 5, b"a": 6, (1, 2): 7}, "u64", 42),
    ({"bar": 42, "more": [1.5, {"a": {"b": None}}, b"\xff"]}, "u64", 42),
]
RECEIVED = [
    ("u8", 42, 42),
    ("u64", 2**64 - 1, 2**64 - 1),
    ("i64", -(2**63), -(2**63)),
    ("f64", 0.1, 0.1),
    ("f64", -0.0, -0.0),
    ("f64", 3.0, 3.0),
    ("bool", True, True),
    ("optional u64", None, None),
    ("text", "é€😀", "é€😀"),
    ("bytes", [1, 255], b"\1\xff"),
    ("list of u64", [1, 2**40], [1, 2**40]),
    ("map by text", {"a": 1, "é": 2**40}, {"a": 1, "é": 2**40}),
    ("map by integers", {"-2": "b", "1": "a"}, {-2: "b", 1: "a"}),
    ("packet of packets", {"bar": [{"bar": 1.5}]}, {"bar": [{"bar": 1.5}]}),
    ("command", {"Add": {"a": 1, "b": 2}}, {"Add": {"a": 1, "b": 2}}),
]

# Values that only CBOR supports, or for which it has a tag.
TAGS = [
    ({"bar": 2**64}, "i128", 2**64),
    ({"bar": -(2**70)}, "i128", -(2**70)),
    ({"bar": 2**64}, "u64", REFUSED),
    ({"bar": TIME}, "text", "2013-03-21T20:04:00.500000Z"),
    ({"bar": TIME}, "tagged text", tagged(0, "2013-03-21T20:04:00.500000Z")),
    ({"bar": TIME}, "u64", REFUSED),
    ({"bar": frozenset({7})}, "list of u64", [7]),
    ({"bar": {7}}, "tagged list of u64", tagged(258, [7])),
    ({"bar": cbor2.undefined}, "optional u64", None),
    ({"bar": cbor2.undefined}, "u64", REFUSED),
    ({"bar": cbor2.CBORSimpleValue(99)}, "optional u64", REFUSED),
    ({"bar": UUID(int=255)}, "bytes", [0] * 15 + [255]),
    (
        {
            "bar": 42,
            "simple": [cbor2.CBORSimpleValue(0), cbor2.CBORSimpleValue(255), cbor2.undefined],
            "tagged": [TIME, {1}, Decimal("1.5"), Fraction(1, 3), UUID(int=1), ip_address("::1")],
        },
        "u64",
        42,
    ),
]

CBOR_RECEIVED = [
    *RECEIVED,
    ("i128", -(2**70), -(2**70)),
    ("tagged text", tagged(0, "2013-03-21T20:04:00.5Z"), TIME),
    ("tagged f64", tagged(1, SECONDS + 0.5), TIME),
    ("tagged list of u64", tagged(258, [7]), {7}),
]


def timestamps(packet: Any) -> bytes:
    return cbor2.dumps(packet, datetime_as_timestamp=True)


def canonical(packet: Any) -> bytes:
    return cbor2.dumps(packet, canonical=True)


def pack(packet: Any) -> bytes:
    return msgpack.packb(packet, datetime=True)


def unpack(data: bytes) -> Any:
    return msgpack.unpackb(data, strict_map_key=False, timestamp=3)


def as_of_old(packet: Any) -> bytes:
    return msgpack.packb(packet, use_bin_type=False, use_single_float=True)


EXCHANGES = [
    Exchange(Package("cbor2", cbor2.dumps, cbor2.loads), "cbor", [*SENT, *TAGS], CBOR_RECEIVED),
    Exchange(
        Package("cbor2 with timestamps", timestamps, cbor2.loads),
        "cbor",
        [
            ({"bar": TIME}, "f64", SECONDS + 0.5),
            ({"bar": TIME}, "tagged f64", tagged(1, SECONDS + 0.5)),
            ({"bar": TIME.replace(microsecond=0)}, "u64", SECONDS),
        ],
        [],
    ),
    # It writes floats in their shortest form.
    Exchange(Package("cbor2, canonical", canonical, cbor2.loads), "cbor", SENT, []),
    Exchange(
        Package("msgpack", pack, unpack),
        "msgpack",
        [
            *SENT,
            ({"bar": TIME}, "extension", [-1, [119, 53, 148, 0, 81, 75, 103, 176]]),
            ({"bar": TIME}, "f64", REFUSED),
            ({"bar": msgpack.ExtType(5, b"\1")}, "extension", [5, [1]]),
            ({"bar": 42, "more": [TIME, msgpack.ExtType(5, bytes(300))]}, "u64", 42),
        ],
        [
            *RECEIVED,
            ("extension", [-1, [119, 53, 148, 0, 81, 75, 103, 176]], TIME),
            ("extension", [5, [1]], msgpack.ExtType(5, b"\1")),
        ],
    ),
    Exchange(
        Package("msgpack, without binary", as_of_old, unpack),
        "msgpack",
        [
            ({"bar": b"\1\xff"}, "bytes", [1, 255]),
            ({"bar": b"abc"}, "text", "abc"),
            ({b"bar": 42}, "u64", 42),
            ({"bar": float(2**40)}, "u64", 2**40),
            ({"bar": 1.5}, "f64", 1.5),
            ({"bar": 42, "more": b"\xff"}, "u64", 42),
        ],
        [],
    ),
]

CHECKS = [check for exchange in EXCHANGES for check in exchange.checks()]
