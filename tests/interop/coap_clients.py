"""CoAP clients against our `coap`: coap-client of libcoap, aiocoap, and plain datagrams."""

import asyncio
import os
import random
import subprocess
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import aiocoap
from aiocoap.numbers.constants import TransportTuning

from lossy_relay import relaying
from programs import DEADLINE, Built, connected, expect, finished, folder

Addr = tuple[str, int]
LENGTHS = (0, 1, 1_024, 1_025, 73_000)


def bytes_of(length: int) -> bytes:
    return random.Random(length).randbytes(length)


class Libcoap:
    """Runs `coap-client` once for each request. Its files are in a folder."""

    def __init__(self, addr: Addr, local: str) -> None:
        self._base, self._local = f"coap://{addr[0]}:{addr[1]}", local

    def run(self, path: str, *options: str) -> bytes:
        return finished(["coap-client-notls", "-B", "58", *options, f"{self._base}/{path}"])

    def get(self, path: str, *options: str) -> bytes:
        file = f"{self._local}/{path}.got"
        self.run(path, "-o", file, *options)
        if not os.path.exists(file):
            return b""  # it makes no file for an empty resource
        with open(file, "rb") as opened:
            return opened.read()

    def put(self, path: str, content: bytes, *options: str) -> None:
        file = f"{self._local}/{path}.sent"
        with open(file, "wb") as opened:
            opened.write(content)
        self.run(path, "-m", "put", "-f", file, *options)

    def refusal(self, path: str, *options: str) -> str:
        """The error that it prints."""
        command = ["coap-client-notls", "-B", "20", *options, f"{self._base}/{path}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stderr.strip()


def libcoap_clean(built: Built) -> None:
    """coap-client, our coap: writes, reads, lists and deletes resources, in blocks of several sizes, and prints our errors"""
    with built.serving("coap", "127.0.0.1:0") as addr, folder() as local:
        client = Libcoap(addr, local)
        for options in ([], ["-N"], ["-b", "64"], ["-b", "1024"]):
            for length in LENGTHS:
                path = f"r{length}{''.join(options)}"
                client.put(path, bytes_of(length), *options)
                expect((path, client.get(path, *options) == bytes_of(length)), (path, True))
        expect(b"</r1>;obs," in client.run(".well-known/core"), True)
        client.run("r1", "-m", "delete")
        with open(f"{local}/long", "wb") as file:
            file.write(bytes((128 << 10) + 1))
        for error, path, options in (
            ("4.04", "r1", []),
            ("4.05", "time", ["-m", "put", "-e", "1"]),
            ("4.05", "r1", ["-m", "post", "-e", "1"]),
            ("4.02", "time", ["-O", "65001,x"]),
            ("4.13", "long", ["-m", "put", "-f", f"{local}/long"]),
        ):
            expect((path, client.refusal(path, *options)[:4]), (path, error))


def libcoap_observes(built: Built) -> None:
    """coap-client, our coap: observes the time for 4 s"""
    with built.serving("coap", "127.0.0.1:0") as addr, folder() as local:
        expect_seconds(list(map(int, Libcoap(addr, local).run("time", "-s", "4", "-w").split())))


def libcoap_lossy(built: Built) -> None:
    """coap-client, our coap: 73 kB arrive whole both ways over a path that loses 10 % and repeats 20 % each way"""
    sent = bytes_of(73_000)
    with built.serving("coap", "127.0.0.1:0") as addr, folder() as local, ThreadPoolExecutor() as threads:
        Libcoap(addr, local).put("down", sent)

        def through(seed: int, use: Callable[[Libcoap], object]) -> None:
            with relaying(addr, 10, seed, repeated=20) as relay:
                use(Libcoap(relay.addr, local))
                expect(relay.lost > 5 and relay.repeated > 10, True)

        # Both at once, and with seeds that are quick: it waits for 2 to 3 s before it repeats anything.
        up = threads.submit(through, 85, lambda client: client.put("up", sent))
        down = threads.submit(through, 414, lambda client: expect(client.get("down") == sent, True))
        up.result()
        down.result()
        expect(Libcoap(addr, local).get("up") == sent, True)


class Impatient(TransportTuning):
    ACK_TIMEOUT = 0.2
    MAX_RETRANSMIT = 7


class Aiocoap:
    def __init__(self, context: aiocoap.Context, addr: Addr) -> None:
        self._context, self._base = context, f"coap://{addr[0]}:{addr[1]}"

    def begin(self, method: aiocoap.Code, path: str, **fields: object) -> aiocoap.protocol.BaseRequest:
        uri = f"{self._base}/{path}"
        message = aiocoap.Message(code=method, uri=uri, transport_tuning=Impatient(), **fields)
        return self._context.request(message)

    async def ask(self, method: aiocoap.Code, path: str, **fields: object) -> aiocoap.Message:
        return await asyncio.wait_for(self.begin(method, path, **fields).response, 55)

    async def both_ways(self, path: str, content: bytes) -> None:
        expect((await self.ask(aiocoap.PUT, path, payload=content)).code, aiocoap.CREATED)
        expect((await self.ask(aiocoap.GET, path)).payload == content, True)


@asynccontextmanager
async def aiocoap_client(addr: Addr) -> AsyncIterator[Aiocoap]:
    context = await aiocoap.Context.create_client_context()
    try:
        yield Aiocoap(context, addr)
    finally:
        await context.shutdown()


def aiocoap_clean(built: Built) -> None:
    """aiocoap, our coap: writes, reads, lists and deletes resources, and gets our errors"""

    async def run(addr: Addr) -> None:
        async with aiocoap_client(addr) as client:
            for length in LENGTHS:
                await client.both_ways(f"r{length}", bytes_of(length))
            links = (await client.ask(aiocoap.GET, ".well-known/core"))
            expect((links.opt.content_format, b"</r1>;obs," in links.payload), (40, True))
            expect((await client.ask(aiocoap.DELETE, "r1")).code, aiocoap.DELETED)
            for wanted, method, path, fields in (
                (aiocoap.NOT_FOUND, aiocoap.GET, "r1", {}),
                (aiocoap.METHOD_NOT_ALLOWED, aiocoap.POST, "r1", {"payload": b"1"}),
                (aiocoap.METHOD_NOT_ALLOWED, aiocoap.PUT, "time", {"payload": b"1"}),
                (aiocoap.BAD_OPTION, aiocoap.GET, "time", {"if_match": [b"1"]}),
                (aiocoap.REQUEST_ENTITY_TOO_LARGE, aiocoap.PUT, "long", {"payload": bytes((128 << 10) + 1)}),
            ):
                expect((path, (await client.ask(method, path, **fields)).code), (path, wanted))

    with built.serving("coap", "127.0.0.1:0") as addr:
        asyncio.run(run(addr))


def aiocoap_observes(built: Built) -> None:
    """aiocoap, our coap: observes the time, and a resource until it is deleted"""

    async def run(addr: Addr) -> None:
        async with aiocoap_client(addr) as client, asyncio.timeout(DEADLINE):
            request = client.begin(aiocoap.GET, "time", observe=0)
            times = [int((await request.response).payload)]
            async for notification in request.observation:
                times.append(int(notification.payload))
                if len(times) == 4:
                    break
            request.observation.cancel()
            expect_seconds(times)

            await client.ask(aiocoap.PUT, "a", payload=b"0")
            request = client.begin(aiocoap.GET, "a", observe=0)
            expect((await request.response).payload, b"0")
            changes = aiter(request.observation)
            for content in (b"1", bytes_of(3_000), b"3"):
                await client.ask(aiocoap.PUT, "a", payload=content)
                expect((await anext(changes)).payload == content, True)
            await client.ask(aiocoap.DELETE, "a")
            expect(await anext(changes, None), None)  # 4.04 ends it

    with built.serving("coap", "127.0.0.1:0") as addr:
        asyncio.run(run(addr))


def aiocoap_lossy(built: Built) -> None:
    """aiocoap, our coap: 73 kB arrive whole both ways over a path that loses 10 % and repeats 20 % each way"""

    async def run(addr: Addr) -> None:
        async with aiocoap_client(addr) as client:
            await client.both_ways("a", bytes_of(73_000))

    with built.serving("coap", "127.0.0.1:0") as server, relaying(server, 10, 3, repeated=20) as relay:
        asyncio.run(run(relay.addr))
        expect(relay.lost > 10 and relay.repeated > 20, True)


def repeated(built: Built) -> None:
    """plain datagrams, our coap: a confirmable request that is sent twice is handled once, and gets the same bytes again"""
    put = bytes.fromhex("42030001aaaa b161 ff31")  # PUT /a "1" with the message ID 1
    get = bytes.fromhex("42010002aaaa b161")
    with built.serving("coap", "127.0.0.1:0") as addr, connected(addr) as plain:
        plain.send(put)
        created = plain.recv(2_000)
        expect(created, bytes.fromhex("62410001aaaa"))  # 2.01 Created
        plain.send(get)
        before = plain.recv(2_000)
        plain.send(put)
        expect(plain.recv(2_000), created)
        # Each time that a resource is written, it gets another ETag.
        plain.send(get[:3] + b"\x03" + get[4:])
        expect(plain.recv(2_000)[4:], before[4:])
        plain.send(put[:3] + b"\x04" + put[4:])
        expect(plain.recv(2_000), bytes.fromhex("62440004aaaa"))  # 2.04 Changed


def expect_seconds(times: list[int]) -> None:
    if len(times) < 4 or times != sorted(set(times)):
        raise AssertionError(f"observed {times}")


CHECKS = [
    libcoap_clean,
    libcoap_observes,
    libcoap_lossy,
    aiocoap_clean,
    aiocoap_observes,
    aiocoap_lossy,
    repeated,
]
