"""Our typed CBOR and MessagePack against cbor-x, cborg, msgpackr and @msgpack/msgpack."""

import json
from dataclasses import dataclass
from typing import Any

from programs import Built, finished
from typed import REFUSED, Exchange, tagged


@dataclass(frozen=True)
class Library:
    """A library, by its name in `peer.js`. Its packets are JavaScript expressions."""

    name: str

    def encode(self, built: Built, packets: list[str]) -> list[str]:
        return self._answers(built, [f"encode {expression}" for expression in packets])

    def decode(self, built: Built, datagrams: list[str]) -> list[Any]:
        answers = self._answers(built, [f"decode {datagram}" for datagram in datagrams])
        return [field(json.loads(answer)) for answer in answers]

    def _answers(self, built: Built, lines: list[str]) -> list[str]:
        request = "".join(line + "\n" for line in lines).encode()
        answers = finished(["node", built.beside("javascript/peer.js"), self.name], request)
        answers = answers.decode().splitlines()
        for line, answer in zip(lines, answers, strict=True):
            if answer == "throws":
                raise RuntimeError(f"{self.name} throws at: {line}")
        return answers


def field(packet: Any) -> Any:
    return dict(packet["map"])["bar"] if "map" in packet else packet["bar"]


NOW = 1732571045123  # a value of Date.now(), in milliseconds
SAFE = 2**53 - 1  # Number.MAX_SAFE_INTEGER

# Values that all libraries support.
SENT = [
    ("{bar: 42}", "u8", 42),
    (f"{{bar: {NOW}}}", "u64", NOW),
    (f"{{bar: {NOW}}}", "f64", float(NOW)),
    (f"{{bar: {SAFE}}}", "u64", SAFE),
    (f"{{bar: -{SAFE}}}", "i64", -SAFE),
    (f"{{bar: -{SAFE}}}", "i128", -SAFE),
    ("{bar: 2 ** 32 - 1}", "u32", 2**32 - 1),
    ("{bar: 2 ** 32}", "u64", 2**32),
    ("{bar: -(2 ** 31) - 1}", "i64", -(2**31) - 1),
    ("{bar: -0}", "u8", 0),
    ("{bar: -1}", "u64", REFUSED),
    ("{bar: 300}", "u8", REFUSED),
    ("{bar: 2 ** 32}", "u32", REFUSED),
    ("{bar: 2 ** 70}", "u64", REFUSED),
    ("{bar: 1.5}", "f64", 1.5),
    ("{bar: 0.1}", "f64", 0.1),
    ("{bar: 3}", "f64", 3.0),
    ("{bar: Infinity}", "f64", None),  # JSON has no infinity
    ("{bar: 1.5}", "u64", REFUSED),
    ("{bar: NaN}", "u64", REFUSED),
    ("{bar: Infinity}", "i64", REFUSED),
    ("{bar: true}", "bool", True),
    ("{bar: 1}", "bool", REFUSED),
    ("{bar: null}", "optional u64", None),
    ("{}", "optional u64", None),
    ("{bar: 42}", "optional u64", 42),
    ("{}", "u64", REFUSED),
    ("{bar: ''}", "text", ""),
    ("{bar: 'é€😀'}", "text", "é€😀"),
    ("{bar: 'x'.repeat(60000)}", "text", "x" * 60000),
    ("{bar: 42}", "text", REFUSED),
    ("{bar: Buffer.from([1, 2, 255])}", "bytes", [1, 2, 255]),
    ("{bar: new Uint8Array([0, 255])}", "bytes", [0, 255]),
    ("{bar: Buffer.from([1, 2, 255])}", "list of u64", [1, 2, 255]),
    ("{bar: []}", "list of u64", []),
    (f"{{bar: [1, {NOW}]}}", "list of u64", [1, NOW]),
    (f"{{bar: {{é: 1, now: {NOW}}}}}", "map by text", {"now": NOW, "é": 1}),
    ("{bar: {1: 'a'}}", "map by integers", REFUSED),  # the keys of an object are text
    ("{bar: {bar: [{bar: 1.5}, {bar: 2}]}}", "packet of packets", {"bar": [{"bar": 1.5}, {"bar": 2.0}]}),
    ("{bar: 'Ping'}", "command", "Ping"),
    ("{bar: {Add: {a: 1, b: 2}}}", "command", {"Add": {"a": 1, "b": 2}}),
    ("{bar: {Pair: [1, 2]}}", "command", {"Pair": [1, 2]}),
    ("{bar: {Text: 'é'}}", "command", {"Text": "é"}),
    ("{bar: 'Pong'}", "command", REFUSED),
    ("{bar: 42, more: {a: [1.5, -1, true, null, 'é', Buffer.from([1])]}}", "u64", 42),
    ("{bar: 42, more: undefined}", "u64", 42),
    ("{bar: undefined}", "u64", REFUSED),
]
RECEIVED = [
    ("u8", 42, 42),
    ("u64", NOW, NOW),
    ("u64", SAFE, SAFE),
    ("i64", -SAFE, -SAFE),
    ("u32", 2**32 - 1, 2**32 - 1),
    ("u64", 2**32, 2**32),
    ("i64", -(2**31) - 1, -(2**31) - 1),
    ("f64", 1.5, 1.5),
    ("f64", 0.1, 0.1),
    ("f64", 3.0, 3),
    ("f64", -0.0, -0.0),
    ("bool", True, True),
    ("optional u64", None, None),
    ("text", "é€😀", "é€😀"),
    ("text", "x" * 60_000, "x" * 60_000),
    ("bytes", [1, 2, 255], {"bytes": "0102ff"}),
    ("list of u64", [1, NOW], [1, NOW]),
    ("map by text", {"now": NOW, "é": 1}, {"now": NOW, "é": 1}),
    ("packet of packets", {"bar": [{"bar": 1.5}]}, {"bar": [{"bar": 1.5}]}),
    ("command", "Ping", "Ping"),
    ("command", {"Add": {"a": 1, "b": 2}}, {"Add": {"a": 1, "b": 2}}),
    ("command", {"Pair": [1, 2]}, {"Pair": [1, 2]}),
]

BYTES_FOR_TEXT = "{bar: Buffer.from('abc')}"
MAPS = [
    ("new Map([['bar', 42], [1, 2]])", "u64", 42),
    ("new Map([[1, 2], [null, [3]], [[4], 5], [1.5, 6], ['bar', 42]])", "u64", 42),
    ("{bar: new Map([[1, 'a'], [-2, 'b']])}", "map by integers", {"-2": "b", "1": "a"}),
    (f"{{bar: new Map([[{NOW}, 'a']])}}", "map by integers", {str(NOW): "a"}),
]
BIG_INTEGERS = [
    ("{bar: 2n ** 64n - 1n}", "u64", 2**64 - 1),
    ("{bar: -(2n ** 63n)}", "i64", -(2**63)),
    ("{bar: 2n ** 64n - 1n}", "i64", REFUSED),
]
TIMESTAMPS = [
    ("{bar: new Date(1732571045000)}", "extension", [-1, [103, 68, 239, 165]]),
    (f"{{bar: new Date({NOW})}}", "extension", [-1, [29, 83, 83, 0, 103, 68, 239, 165]]),
    ("{bar: new Date(-1)}", "extension", [-1, [59, 139, 135, 192] + [255] * 8]),
    ("{bar: new Date(0)}", "u64", REFUSED),
    ("{bar: 42, at: new Date(0)}", "u64", 42),
]
THE_GREATEST = ("u64", 2**64 - 1, 2**64 - 1)
# The keys of an object are text; whole numbers come first.
BY_INTEGERS = ("map by integers", {"-2": "b", "1": "a"}, {"1": "a", "-2": "b"})
TIMESTAMP = ("extension", [-1, [103, 68, 239, 165]], {"date": 1732571045000})
# By default, these libraries write `{bar: 42}` in a format of their own: not a map, but a list with a number that
# stands for the names, or several items. So they read a map as a `Map`.
RECORDS = [("{bar: 42}", "u64", REFUSED), ("new Map([['bar', 42]])", "u64", 42)]
RECORDS_RECEIVED = [("u64", NOW, NOW), ("map by integers", {"1": "a"}, {"map": [[1, "a"]]})]

EXCHANGES = [
    Exchange(
        Library("cbor-x"),
        "cbor",
        [
            *SENT,
            *MAPS,
            *BIG_INTEGERS,
            (BYTES_FOR_TEXT, "text", REFUSED),
            ("{bar: 2n ** 64n}", "i128", 2**64),
            ("{bar: 2n ** 64n}", "u64", REFUSED),
            ("{bar: undefined}", "optional u64", None),
            ("{bar: new Date(1732571045000)}", "u64", 1732571045),
            (f"{{bar: new Date({NOW})}}", "f64", 1732571045.123),
            (f"{{bar: new Date({NOW})}}", "tagged f64", tagged(1, 1732571045.123)),
            ("{bar: new Set([1, 2, 3])}", "list of u64", [1, 2, 3]),
            ("{bar: new Set([1, 2, 3])}", "tagged list of u64", tagged(258, [1, 2, 3])),
            ("{bar: 42, at: new Date(0), all: new Set([[]]), re: /a/, error: new Error('a')}", "u64", 42),
            (r"{bar: '\ud800'}", "text", REFUSED),  # it writes surrogates, which are not UTF-8
            (r"{bar: 42, more: '\ud800'}", "u64", REFUSED),
        ],
        [
            *RECEIVED,
            THE_GREATEST,
            BY_INTEGERS,
            ("i128", 2**64, 2**64),
            ("tagged f64", tagged(1, 1732571045.5), {"date": 1732571045500}),
            ("tagged text", tagged(0, "2013-03-21T20:04:00Z"), {"date": 1363896240000}),
            ("tagged list of u64", tagged(258, [1, 2, 3]), {"set": [1, 2, 3]}),
        ],
    ),
    Exchange(Library("cbor-x, an Encoder"), "cbor", RECORDS, RECORDS_RECEIVED),
    Exchange(Library("cbor-x, an Encoder without records"), "cbor", [*SENT, *MAPS], RECEIVED),
    Exchange(
        Library("cborg"),
        "cbor",
        [
            *SENT,
            *MAPS,
            *BIG_INTEGERS,
            ("{bar: undefined}", "optional u64", None),
            (r"{bar: '\ud800'}", "text", "\ufffd"),
        ],
        [*RECEIVED, THE_GREATEST],
    ),
    Exchange(
        Library("cborg, with maps"),
        "cbor",
        MAPS,
        [("map by integers", {"-2": "b", "1": "a"}, {"map": [[-2, "b"], [1, "a"]]})],
    ),
    Exchange(
        Library("msgpackr"),
        "msgpack",
        [
            *SENT,
            *MAPS,
            *BIG_INTEGERS,
            *TIMESTAMPS,
            (BYTES_FOR_TEXT, "text", "abc"),
            ("{bar: undefined}", "optional u64", None),  # its own extension
            ("{bar: new Set([1, 2, 3])}", "list of u64", [1, 2, 3]),
            (r"{bar: '\ud800'}", "text", "\ufffd"),
        ],
        [*RECEIVED, THE_GREATEST, BY_INTEGERS, TIMESTAMP],
    ),
    Exchange(Library("msgpackr, a Packr"), "msgpack", RECORDS, RECORDS_RECEIVED),
    Exchange(
        Library("@msgpack/msgpack"),
        "msgpack",
        [
            *SENT,
            *TIMESTAMPS,
            ("{bar: undefined}", "optional u64", None),
            # It writes maps and sets as empty maps.
            ("{bar: new Map([[1, 'a']])}", "map by integers", {}),
            ("{bar: new Set([1, 2, 3])}", "list of u64", REFUSED),
            (r"{bar: '\ud800'}", "text", REFUSED),
        ],
        [*RECEIVED, BY_INTEGERS, TIMESTAMP],
    ),
    Exchange(Library("@msgpack/msgpack, with big integers"), "msgpack", [*SENT, *BIG_INTEGERS], [THE_GREATEST]),
    Exchange(Library("@msgpack/msgpack, integers as floats"), "msgpack", SENT, []),
]

CHECKS = [check for exchange in EXCHANGES for check in exchange.checks()]
