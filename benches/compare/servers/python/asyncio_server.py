#!/usr/bin/env python3
"""A UDP server on asyncio alone: it echoes bytes, or answers typed JSON.

usage: asyncio_server.py PORT [--uvloop] [--json]
"""

import argparse
import asyncio
import json
import socket


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)


class Typed(Echo):
    def datagram_received(self, data, addr):
        request = json.loads(data)
        values = request["values"]
        response = {"id": request["id"], "ok": True, "name": request["name"], "sum": sum(values), "max": max(values)}
        self.transport.sendto(json.dumps(response).encode(), addr)


async def serve(args):
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    bound.setblocking(False)
    bound.bind(("127.0.0.1", args.port))
    await asyncio.get_running_loop().create_datagram_endpoint(Typed if args.json else Echo, sock=bound)
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    loop_factory = None
    if args.uvloop:
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve(args))


if __name__ == "__main__":
    main()
