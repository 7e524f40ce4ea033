"""easynetwork's clients against our `echo_server`."""

import asyncio
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager

from easynetwork.clients import AsyncUDPNetworkClient, UDPNetworkClient
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer

from programs import DEADLINE, Built, connected, expect

ERROR = {"error": "Invalid JSON", "code": "parse_error"}

PACKETS = [
    {"command-line arguments": ["Hello", "world"]},
    'é€😀 \x7f / \\ " \b\f\n\r\t\x01',
    [0.1, 1e16, 1e-07, 5e-324, 1.7976931348623157e308, -0.0, 1.0],
    [0, -1, -(2**63), 2**64 - 1],
    [None, True, False, "", [], {}],
    {"naïve": {"a": [{"b": [[["c", {"d": None}]]]}]}},
    "x" * 60_000,
]


@contextmanager
def client(addr: tuple[str, int]) -> Iterator[UDPNetworkClient]:
    with UDPNetworkClient(addr, DatagramProtocol(JSONSerializer())) as model:
        yield model


def ask(model: UDPNetworkClient, packet: object) -> object:
    model.send_packet(packet)
    return model.recv_packet(timeout=DEADLINE)


def json_comes_back_equal(built: Built) -> None:
    """easynetwork's client, our server: JSON of every kind comes back equal"""
    with built.serving("echo_server", "--bind", "127.0.0.1:0") as addr, client(addr) as model:
        for packet in PACKETS:
            # Compared as text, because in Python 1, 1.0 and True are equal, and so are 0.0 and -0.0.
            expect(*(json.dumps(value, sort_keys=True) for value in (ask(model, packet), packet)))


def utf_8_is_read(built: Built) -> None:
    """plain socket, our server: text in UTF-8 and in ASCII comes back equal"""
    with built.serving("echo_server", "--bind", "127.0.0.1:0") as addr, connected(addr) as plain:
        for ascii_only in (True, False):
            plain.send(json.dumps("é€😀", ensure_ascii=ascii_only).encode())
            expect(plain.recv(65535), '"é€😀"'.encode())


def async_client(built: Built) -> None:
    """easynetwork's async client, our server: JSON comes back equal"""

    async def talk(addr: tuple[str, int]) -> object:
        async with AsyncUDPNetworkClient(addr, DatagramProtocol(JSONSerializer())) as model:
            await model.send_packet(PACKETS[0])
            return await asyncio.wait_for(model.recv_packet(), DEADLINE)

    with built.serving("echo_server", "--bind", "127.0.0.1:0") as addr:
        expect(asyncio.run(talk(addr)), PACKETS[0])


def wildcard(built: Built) -> None:
    """easynetwork's client, our server: it answers over IPv4 and IPv6 when bound to all addresses"""
    with built.serving("echo_server", "--port", "0") as (_, port):
        for host in ("127.0.0.1", "::1"):
            with client((host, port)) as model:
                expect(ask(model, [host]), [host])


def bad_json(built: Built) -> None:
    """plain socket, our server: invalid JSON gets the same answer as in easynetwork's tutorial"""
    with built.serving("echo_server", "--bind", "127.0.0.1:0") as addr, connected(addr) as plain:
        for datagram in (b"{", b"[1,]", b"\xff", b"nothing", b"\0", b"{}{}"):
            plain.send(datagram)
            expect(json.loads(plain.recv(65535)), ERROR)


def nan(built: Built) -> None:
    """easynetwork's client, our server: it writes NaN and Infinity, which our server refuses as invalid JSON"""
    with built.serving("echo_server", "--bind", "127.0.0.1:0") as addr, client(addr) as model:
        for number in (math.nan, math.inf):
            expect(ask(model, number), ERROR)


def zero_length(built: Built) -> None:
    """plain socket, our server: an empty datagram is answered, and the server goes on"""
    with built.serving("echo_server", "--bind", "127.0.0.1:0") as addr, connected(addr) as plain:
        plain.send(b"")
        expect(json.loads(plain.recv(65535)), ERROR)
        plain.send(b"1")
        expect(plain.recv(65535), b"1")


def three_in_flight(built: Built) -> None:
    """easynetwork's client, our server: three requests in flight are answered in order"""
    with built.serving("echo_server", "--bind", "127.0.0.1:0") as addr, client(addr) as model:
        for packet in (1, 2, 3):
            model.send_packet(packet)
        expect([model.recv_packet(timeout=DEADLINE) for _ in range(3)], [1, 2, 3])


CHECKS = [
    json_comes_back_equal,
    utf_8_is_read,
    async_client,
    wildcard,
    bad_json,
    nan,
    zero_length,
    three_in_flight,
]
