#!/usr/bin/env python3
"""A UDP server on EasyNetwork: it echoes bytes, or answers typed JSON.

usage: easynetwork_server.py PORT [--uvloop] [--json] [--eager] [--loop]

--eager starts tasks at once (asyncio.eager_task_factory). With --loop a generator serves a client for many requests.
"""

import argparse
import asyncio
import socket
from dataclasses import dataclass

from easynetwork.converter import AbstractPacketConverterComposite
from easynetwork.lowlevel.api_async.backend.utils import new_builtin_backend
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.serializers.abc import AbstractPacketSerializer
from easynetwork.servers import AsyncUDPNetworkServer
from easynetwork.servers.handlers import AsyncDatagramRequestHandler


class Raw(AbstractPacketSerializer):
    __slots__ = ()

    def serialize(self, packet):
        return packet

    def deserialize(self, data):
        return data


@dataclass(slots=True)
class Request:
    id: int
    name: str
    values: list


@dataclass(slots=True)
class Response:
    id: int
    ok: bool
    name: str
    sum: float
    max: float


class Converter(AbstractPacketConverterComposite):
    def create_from_dto_packet(self, packet):
        return Request(packet["id"], packet["name"], packet["values"])

    def convert_to_dto_packet(self, obj):
        return {"id": obj.id, "ok": obj.ok, "name": obj.name, "sum": obj.sum, "max": obj.max}


class Handler(AsyncDatagramRequestHandler):
    eager = False

    async def service_init(self, exit_stack, server):
        if self.eager:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)


class Echo(Handler):
    async def handle(self, client):
        request = yield
        await client.send_packet(request)


class EchoLoop(Handler):
    async def handle(self, client):
        while True:
            request = yield
            await client.send_packet(request)


class Typed(Handler):
    async def handle(self, client):
        request = yield
        values = request.values
        await client.send_packet(Response(request.id, True, request.name, sum(values), max(values)))


async def serve(args):
    if args.json:
        protocol, handler = DatagramProtocol(JSONSerializer(), Converter()), Typed()
    else:
        protocol, handler = DatagramProtocol(Raw()), EchoLoop() if args.loop else Echo()
    handler.eager = args.eager
    backend = new_builtin_backend("asyncio")
    async with AsyncUDPNetworkServer("127.0.0.1", args.port, protocol, handler, backend) as server:
        for bound in server.get_sockets():
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        await server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    for option in ("uvloop", "json", "loop", "eager"):
        parser.add_argument("--" + option, action="store_true")
    args = parser.parse_args()
    loop_factory = None
    if args.uvloop:
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve(args))


if __name__ == "__main__":
    main()
