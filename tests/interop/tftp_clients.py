"""TFTP clients against our `tftp`: curl, atftp and tftp-hpa."""

import os
import random
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from lossy_relay import relaying
from programs import Built, expect, finished, folder

LENGTHS = (1, 511, 512, 513, 200_000)


class Client:
    """Commands that read and write a file."""

    def __init__(self, read: Callable[..., list[str]], write: Callable[..., list[str]]) -> None:
        self.read, self.write = read, write


def curl(options: list[str]) -> Client:
    command = ["curl", "--silent", "--show-error", "--max-time", "50", *options]
    return Client(
        lambda addr, name, path: [*command, "--output", path, f"tftp://{addr[0]}:{addr[1]}/{name}"],
        lambda addr, name, path: [*command, "--upload-file", path, f"tftp://{addr[0]}:{addr[1]}/{name}"],
    )


def atftp(options: list[str]) -> Client:
    command = ["atftp", *options]
    return Client(
        lambda addr, name, path: [*command, "--get", "-r", name, "-l", path, addr[0], str(addr[1])],
        lambda addr, name, path: [*command, "--put", "-r", name, "-l", path, addr[0], str(addr[1])],
    )


def tftp_hpa(options: list[str]) -> Client:
    command = ["tftp", "-m", "binary", *options]
    return Client(
        lambda addr, name, path: [*command, addr[0], str(addr[1]), "-c", "get", name, path],
        lambda addr, name, path: [*command, addr[0], str(addr[1]), "-c", "put", path, name],
    )


@contextmanager
def serving(built: Built) -> Iterator[tuple[tuple[str, int], str, str]]:
    """Runs our server; yields its address, its directory, and a directory for the client."""
    with folder() as root, folder() as local:
        with built.serving("tftp", "127.0.0.1:0", root, "1000000") as addr:
            yield addr, root, local


def content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def put(path: str, bytes_: bytes) -> None:
    with open(path, "wb") as file:
        file.write(bytes_)


def both_ways(client: Client, addr: tuple[str, int], root: str, local: str, lengths: tuple[int, ...], name: str) -> None:
    for length in lengths:
        wanted = random.Random(length).randbytes(length)
        file = f"{name}-{length}"
        put(f"{root}/{file}", wanted)
        finished(client.read(addr, file, f"{local}/{file}"))
        expect(content(f"{local}/{file}") == wanted, True)
        finished(client.write(addr, f"{file}-back", f"{local}/{file}"))
        expect(content(f"{root}/{file}-back") == wanted, True)


def clean(built: Built, clients: list[Client]) -> None:
    with serving(built) as (addr, root, local):
        for n, client in enumerate(clients):
            both_ways(client, addr, root, local, LENGTHS, str(n))


def lossy(built: Built, client: Client, seeds: tuple[int, ...] = (0, 1)) -> None:
    with serving(built) as (addr, root, local):
        for seed in seeds:
            with relaying(addr, 4, seed) as relay:
                both_ways(client, relay.addr, root, local, (20_000,), str(seed))
                expect(relay.lost > 0 and relay.repeated > 0, True)


def curl_clean(built: Built) -> None:
    """curl, our tftp: reads and writes files, with several block sizes and without options"""
    sizes = [["--tftp-blksize", size] for size in ("8", "1024", "65464")]
    clean(built, [curl(options) for options in ([], ["--tftp-no-options"], *sizes)])


def curl_refused(built: Built) -> None:
    """curl, our tftp: its errors are those that curl has exit codes for"""
    with serving(built) as (addr, root, local):
        put(f"{root}/file", b"here already")
        put(f"{local}/long", bytes(1_000_001))
        # CURLE_TFTP_NOTFOUND, CURLE_TFTP_PERM, CURLE_REMOTE_DISK_FULL, CURLE_REMOTE_FILE_EXISTS
        for command, code in (
            (curl([]).read(addr, "none", f"{local}/none"), 68),
            (curl(["--path-as-is"]).read(addr, "../secret", f"{local}/none"), 69),
            (curl([]).write(addr, "new", f"{local}/long"), 70),
            (curl([]).write(addr, "file", f"{local}/long"), 70),
            (curl(["--tftp-no-options"]).write(addr, "file", f"{local}/long"), 73),
        ):
            expect((command, subprocess.run(command, capture_output=True, timeout=60).returncode), (command, code))
        expect(os.listdir(root), ["file"])


def curl_lossy(built: Built) -> None:
    """curl, our tftp: files arrive whole over a path that loses and repeats datagrams"""
    lossy(built, curl(["--tftp-no-options"])) # its options ask the server to wait 5 s before it repeats anything


def curl_restarts(built: Built) -> None:
    """curl, our tftp: downloads go on while the server restarts on a socket that stays open, as one of systemd"""
    start = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@" 3<&0'
    lengths = range(300_000, 2_000_000, 100_000)
    with ExitStack() as stack:
        root, local = stack.enter_context(folder()), stack.enter_context(folder())
        held = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        held.bind(("127.0.0.1", 0))
        command = ["sh", "-c", start, built.program("tftp"), "inherited", root, "1000000"]

        def serve() -> subprocess.Popen:
            server = subprocess.Popen(command, stdin=held, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            stack.callback(server.kill)
            server.stdout.readline()
            return server

        servers = [serve()]
        downloads = []
        for n, length in enumerate(lengths):
            put(f"{root}/{n}", random.Random(n).randbytes(length))
            read = curl(["--tftp-blksize", "512"]).read(held.getsockname(), str(n), f"{local}/{n}")
            downloads.append(subprocess.Popen(read))
            stack.callback(downloads[-1].kill)
            if n % 3 == 2:
                servers[-1].terminate()
                servers.append(serve())
        for n, download in enumerate(downloads):
            expect((n, download.wait(timeout=60)), (n, 0))
            expect(content(f"{local}/{n}") == content(f"{root}/{n}"), True)
        servers[-1].terminate()
        expect([server.wait(timeout=60) for server in servers], [0] * len(servers))


def atftp_clean(built: Built) -> None:
    """atftp, our tftp: reads and writes files, with and without options"""
    clean(built, [atftp([]), atftp(["--option", "blksize 1024", "--option", "tsize 0", "--option", "timeout 3"])])


def atftp_lossy(built: Built) -> None:
    """atftp, our tftp: files arrive whole over a path that loses and repeats datagrams"""
    lossy(built, atftp([])) # with options it takes a second OACK for an error


def tftp_hpa_clean(built: Built) -> None:
    """tftp-hpa, our tftp: reads and writes files, and prints our errors"""
    clean(built, [tftp_hpa([])])
    with serving(built) as (addr, _, local):
        printed = subprocess.run(
            tftp_hpa([]).read(addr, "none", f"{local}/none"), capture_output=True, text=True, timeout=60
        )
        expect(bool(re.search(r"Error code 1: file not found", printed.stdout + printed.stderr)), True)


def tftp_hpa_lossy(built: Built) -> None:
    """tftp-hpa, our tftp: files arrive whole over a path that loses and repeats datagrams"""
    lossy(built, tftp_hpa([]), seeds=(0, 4)) # it waits longer and longer before it repeats anything


CHECKS = [curl_clean, curl_refused, curl_lossy, curl_restarts, atftp_clean, atftp_lossy, tftp_hpa_clean, tftp_hpa_lossy]
