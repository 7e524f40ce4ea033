"""socat, plain sockets and easynetwork against our `unix_echo`, over Unix datagram sockets.

As a program, this file is an echo server of easynetwork on the path in its argument.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from easynetwork.clients.async_unix_datagram import AsyncUnixDatagramClient
from easynetwork.clients.unix_datagram import UnixDatagramClient
from easynetwork.protocol import DatagramProtocol
from easynetwork.serializers import JSONSerializer
from easynetwork.servers.async_unix_datagram import AsyncUnixDatagramServer
from easynetwork.servers.handlers import AsyncDatagramClient, AsyncDatagramRequestHandler

from programs import DEADLINE, Built, expect, finished, folder, started

PACKET = {"naïve": [1, 2.5, None, "x" * 30_000]}

# Bytes that are neither text nor a line.
REQUEST = bytes(range(256))


@contextmanager
def serving(built: Built) -> Iterator[str]:
    """Runs our server; yields its path."""
    with folder() as path, started([built.program("unix_echo"), "serve", f"{path}/echo"]) as line:
        expect(line, f"listening on {path}/echo")
        yield f"{path}/echo"


@contextmanager
def bound(name: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plain:
        plain.settimeout(DEADLINE)
        plain.bind(name)
        yield plain


def socat(built: Built) -> None:
    """socat with a path of its own, our server: bytes come back"""
    with serving(built) as path:
        command = ["socat", "-", f"UNIX-SENDTO:{path},bind={path}.client"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as client:
            try:
                client.stdin.write(REQUEST)
                expect(client.stdout.read(len(REQUEST)), REQUEST)
            finally:
                client.kill()


def any_length(built: Built) -> None:
    """plain sockets with a path and an abstract name, our server: datagrams of 0 to 65,535 bytes come back"""
    with serving(built) as path:
        for name in (f"{path}.client", f"\0{path}.client"):
            with bound(name) as plain:
                plain.connect(path)
                for length in (0, 1, 1472, 9000, 65535):
                    plain.send(b"\xa5" * length)
                    expect(plain.recv(65536), b"\xa5" * length)


def unnamed(built: Built) -> None:
    """a plain socket without a name, our server: it is not answered, and the server goes on"""
    with serving(built) as path, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
        nameless.sendto(b"from nobody", path)
        with bound(f"{path}.client") as plain:
            plain.sendto(b"from somebody", path)
            expect(plain.recv(65535), b"from somebody")


def our_client(built: Built) -> None:
    """our client, a plain socket as the server: the words come back"""
    with folder() as path, bound(f"{path}/echo") as server:
        command = [built.program("unix_echo"), "ask", f"{path}/echo", "Hello", "wörld"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            try:
                for word in ("Hello", "wörld"):
                    datagram, name = server.recvfrom(65535)
                    expect((datagram.decode(), bool(name)), (word, True))
                    server.sendto(datagram.upper(), name)
                lines, _ = client.communicate(timeout=DEADLINE)
            finally:
                client.kill()
        expect((lines, client.returncode), ("HELLO\nWöRLD\n", 0))


def path_ends(built: Built) -> None:
    """our server: its path is gone after SIGINT, and replaced after SIGKILL"""
    with folder() as path:
        command = [built.program("unix_echo"), "serve", f"{path}/echo"]
        for number, remains in ((signal.SIGKILL, True), (signal.SIGINT, False)):
            with (
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
                bound(f"{path}/{number}") as plain,
            ):
                try:
                    expect(server.stdout.readline(), f"listening on {path}/echo\n")
                    # When it answers, it waits for the signal.
                    plain.sendto(REQUEST, f"{path}/echo")
                    expect(plain.recv(65535), REQUEST)
                    server.send_signal(number)
                    server.wait(timeout=DEADLINE)
                finally:
                    server.kill()
            expect((number, os.path.exists(f"{path}/echo")), (number, remains))


def model_client(built: Built) -> None:
    """easynetwork's client, our server: JSON comes back equal"""
    with serving(built) as path:
        for local_path in (None, f"{path}.client"):
            with UnixDatagramClient(path, DatagramProtocol(JSONSerializer()), local_path=local_path) as model:
                for packet in (PACKET, 1, 2, 3):
                    model.send_packet(packet)
                    expect(model.recv_packet(timeout=DEADLINE), packet)


def async_model_client(built: Built) -> None:
    """easynetwork's async client, our server: JSON comes back equal"""

    async def talk(path: str) -> object:
        async with AsyncUnixDatagramClient(path, DatagramProtocol(JSONSerializer())) as model:
            await model.send_packet(PACKET)
            return await asyncio.wait_for(model.recv_packet(), DEADLINE)

    with serving(built) as path:
        expect(asyncio.run(talk(path)), PACKET)


def model_server(built: Built) -> None:
    """our client, easynetwork's server: JSON comes back equal"""
    requests = [json.dumps(PACKET), "7", '"wörld"', "[]"]
    with folder() as path, started([sys.executable, __file__, f"{path}/echo"]):
        lines = finished([built.program("unix_echo"), "ask", f"{path}/echo", *requests])
    expect([json.loads(line) for line in lines.splitlines()], [PACKET, 7, "wörld", []])


class Echo(AsyncDatagramRequestHandler[Any, Any]):
    async def handle(self, client: AsyncDatagramClient[Any]) -> AsyncGenerator[None, Any]:
        await client.send_packet((yield))


async def serve(path: str) -> None:
    async with AsyncUnixDatagramServer(path, DatagramProtocol(JSONSerializer()), Echo()) as server:
        print("listening", flush=True)
        await server.serve_forever()


CHECKS: list[Callable[[Built], None]] = [
    socat, any_length, unnamed, our_client, path_ends, model_client, async_model_client, model_server
]  # fmt: skip

if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
