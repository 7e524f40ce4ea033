"""BitTorrent clients that find each other through our `tracker`: aria2c, and libtorrent with IPv6."""

import hashlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from programs import DEADLINE, Built, eventually, expect, finished, folder, running

Addr = tuple[str, int]
CONTENT = random.Random(1).randbytes(700_000)
NAME = "content"
PIECE = 32_768

# aria2 speaks to UDP trackers only if it may use the DHT, which it does not do for a private torrent.
OPTIONS = (
    "--no-conf", "--quiet", "--interface=127.0.0.1", "--disable-ipv6", "--enable-dht=true", "--enable-dht6=false",
    "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--listen-port=20000-60000",
    "--dht-listen-port=20000-60000", "--check-integrity", "--summary-interval=0",
)  # fmt: skip


def bencoded(value: int | bytes | str | dict[str, object]) -> bytes:
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, dict):
        return b"d%se" % b"".join(bencoded(key) + bencoded(value[key]) for key in sorted(value))
    text = value if isinstance(value, bytes) else value.encode()
    return b"%d:%s" % (len(text), text)


def torrent() -> tuple[bytes, bytes]:
    """The file that describes the content, and the hash that identifies it."""
    pieces = [hashlib.sha1(CONTENT[at : at + PIECE]).digest() for at in range(0, len(CONTENT), PIECE)]
    info = {
        "name": NAME, "length": len(CONTENT), "piece length": PIECE, "pieces": b"".join(pieces), "private": 1
    }  # fmt: skip
    return bencoded({"info": info}), hashlib.sha1(bencoded(info)).digest()


def scrape(tracker: Addr, info_hash: bytes) -> tuple[int, int, int]:
    """How many peers have all of it, how many have completed it, and how many are not done."""
    host, port = tracker
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(DEADLINE)
        client.connect((host.strip("[]"), port))
        client.send(struct.pack("!QII", 0x41727101980, 0, 1))
        action, transaction, connection = struct.unpack("!IIQ", client.recv(2048))
        expect((action, transaction), (0, 1))
        client.send(struct.pack("!QII20s", connection, 2, 2, info_hash))
        action, transaction, *counts = struct.unpack("!5I", client.recv(2048))
        expect((action, transaction), (2, 2))
        return tuple(counts)


class Swarm:
    """The peers of one torrent. Each of them has a folder."""

    def __init__(self, tracker: Addr, local: str) -> None:
        self._tracker, self._local = tracker, local
        self._url = "udp://%s:%d/announce" % tracker
        self._file = f"{local}/{NAME}.torrent"
        content, self._info_hash = torrent()
        with open(self._file, "wb") as file:
            file.write(content)

    def put_content(self, peer: str) -> None:
        os.makedirs(f"{self._local}/{peer}")
        with open(f"{self._local}/{peer}/{NAME}", "wb") as file:
            file.write(CONTENT)

    def aria2(self, peer: str, *options: str) -> list[str]:
        os.makedirs(f"{self._local}/{peer}", exist_ok=True)
        own = (f"--dir={self._local}/{peer}", f"--dht-file-path={self._local}/{peer}/dht")
        return ["aria2c", *OPTIONS, *own, f"--bt-tracker={self._url}", *options, self._file]

    def libtorrent(self, peer: str) -> list[str]:
        """A process for each peer: within one, they would use one connection id, which is bound to one port."""
        script = os.path.join(os.path.dirname(__file__), "libtorrent_peer.py")
        return [sys.executable, script, self._file, self._url, f"{self._local}/{peer}", self._tracker[0]]

    @contextmanager
    def seeding(self, peer: str) -> Iterator[subprocess.Popen]:
        """A peer that gets what it lacks, and stays until it is told to leave."""
        with subprocess.Popen(self.aria2(peer, "--seed-ratio=0"), stdin=subprocess.DEVNULL) as program:
            try:
                yield program
            finally:
                program.kill()

    def expect(self, seeders: int, completed: int, leechers: int) -> None:
        wanted, last = (seeders, completed, leechers), None

        def holds() -> bool:
            nonlocal last
            last = scrape(self._tracker, self._info_hash)
            return last == wanted

        eventually(f"the tracker counts {wanted}", holds)

    def expect_content(self, peer: str) -> None:
        with open(f"{self._local}/{peer}/{NAME}", "rb") as file:
            expect(hashlib.sha256(file.read()).digest(), hashlib.sha256(CONTENT).digest())


def leave(peer: subprocess.Popen) -> None:
    peer.send_signal(signal.SIGINT)
    expect(peer.wait(DEADLINE), 0)


def aria2_moves_a_file(built: Built) -> None:
    """aria2c, our tracker: a file goes from peer to peer to peer, and the tracker counts who comes, has it all and leaves"""
    with built.serving("tracker", "127.0.0.1:0") as addr, folder() as local:
        swarm = Swarm(addr, local)
        swarm.expect(0, 0, 0)
        with swarm.seeding("second") as second:
            swarm.expect(0, 0, 1)  # it has nothing, and knows nobody
            swarm.put_content("first")
            with swarm.seeding("first") as first:
                swarm.expect(2, 1, 0)
                swarm.expect_content("second")
                leave(first)
            swarm.expect(1, 1, 0)
            finished(swarm.aria2("third", "--seed-time=0"))
            swarm.expect_content("third")
            leave(second)
        swarm.expect(0, 0, 0)  # nobody is left, so nothing is remembered


def libtorrent_moves_a_file(built: Built) -> None:
    """libtorrent, our tracker: a file goes from peer to peer with IPv6"""
    with built.serving("tracker", "[::1]:0") as addr, folder() as local:
        swarm = Swarm(addr, local)
        with running(swarm.libtorrent("second")):
            swarm.expect(0, 0, 1)
            swarm.put_content("first")
            with running(swarm.libtorrent("first")):
                swarm.expect(2, 1, 0)
                swarm.expect_content("second")


CHECKS = [aria2_moves_a_file, libtorrent_moves_a_file]
