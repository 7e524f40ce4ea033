"""Our client against easynetwork's server.

As a program, this file is that server: it echoes JSON like the server in the tutorial of easynetwork.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from easynetwork.exceptions import DatagramProtocolParseError
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers import AsyncUDPNetworkServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler

from programs import Built, expect, finished, started


class Echo(AsyncDatagramRequestHandler[Any, Any]):
    async def handle(self, client: AsyncDatagramClient[Any]) -> AsyncGenerator[None, Any]:
        try:
            answer = yield
        except DatagramProtocolParseError:
            answer = {"error": "Invalid JSON", "code": "parse_error"}
        await client.send_packet(answer)


async def serve() -> None:
    protocol = DatagramProtocol(JSONSerializer())
    async with AsyncUDPNetworkServer("127.0.0.1", 0, protocol, Echo()) as server:
        address = server.get_addresses()[0]
        print(f"{address.host}:{address.port}", flush=True)
        await server.serve_forever()


@contextmanager
def serving() -> Iterator[str]:
    with started([sys.executable, __file__]) as addr:
        yield addr


def example(built: Built) -> None:
    """our echo_client, easynetwork's server: the words come back"""
    with serving() as addr:
        lines = finished([built.program("echo_client"), "--to", addr, "Hello", "wörld"])
    sent, received = lines.decode().splitlines()
    packet = {"command-line arguments": ["Hello", "wörld"]}
    expect(json.loads(sent.removeprefix("sent: ")), packet)
    expect(json.loads(received.removeprefix("received: ")), packet)


def rust_test(name: str, doc: str) -> Callable[[Built], None]:
    """A check that runs a test of `main.rs`."""

    def check(built: Built) -> None:
        with serving() as addr:
            command = [built.program("interop"), "--exact", name]
            expect(b"1 passed" in finished(command, ECHO_SERVER=addr), True)

    check.__doc__ = f"our client, easynetwork's server: {doc}"
    return check


CHECKS = [
    example,
    rust_test("json_of_every_kind_comes_back_equal", "JSON of every kind comes back equal"),
    rust_test(
        "typed_packets_come_back_equal_in_utf_8_and_in_ascii",
        "typed packets come back equal, in UTF-8 and in ASCII",
    ),
    rust_test(
        "a_datagram_that_is_not_json_is_answered_with_an_error",
        "invalid JSON gets the same answer as in easynetwork's tutorial",
    ),
    rust_test("three_in_flight_come_back_in_order", "three requests in flight are answered in order"),
]

if __name__ == "__main__":
    asyncio.run(serve())
