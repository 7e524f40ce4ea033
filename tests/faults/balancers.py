"""The configurations of `deploy/`, as they are: `balancers.py DNS`, where DNS is the example `dns` that cargo has built.

It runs in a network namespace of its own (`unshare --net`), which has the addresses of the balancer and of the replicas. The
clients are in a second one. It needs nginx with its module for streams, dnsdist and nft.
"""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread

from programs import eventually, expect, folder, running

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BALANCER = "10.0.0.10"
REPLICAS = ["10.0.0.11", "10.0.0.12", "10.0.0.13"]
CLIENTS = [f"10.0.1.{n}" for n in range(1, 61)]

# Sends three datagrams from each of these addresses, each from a port of its own, and prints the replies.
CLIENT = """
import socket, sys
for source in sys.argv[2:]:
    for _ in range(3):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.bind((source, 0))
            client.sendto(b"x", (sys.argv[1], 9000))
            reply, sender = client.recvfrom(100)
            if sender[0] != sys.argv[1]:
                raise RuntimeError(f"a reply of {sender}")
            print(source, client.getsockname()[1], reply.decode())
"""


def main() -> None:
    for command in ("ip link set lo up", *(f"ip addr add {addr}/32 dev lo" for addr in (BALANCER, *REPLICAS))):
        subprocess.run(command.split(), check=True)
    with clients() as inside:
        with serving():
            with nginx():
                a_client_stays_with_one_replica("nginx", inside, keeps_address=False)
            subprocess.run(["nft", "-f", f"{ROOT}/deploy/replicas.nft"], check=True)
            a_client_stays_with_one_replica("nft", inside, keeps_address=True)
            subprocess.run(["nft", "flush", "ruleset"], check=True)
        dnsdist_leaves_out_a_replica_that_is_down(sys.argv[1])


# O-57
def a_client_stays_with_one_replica(balancer: str, inside: list[str], keeps_address: bool) -> None:
    command = [*inside, sys.executable, "-c", CLIENT, BALANCER, *CLIENTS]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if printed.returncode != 0:
        raise AssertionError(f"{balancer}: {printed.stderr}")
    of_client: dict[str, set[str]] = {}
    for line in printed.stdout.splitlines():
        source, port, replica, seen = line.split()
        of_client.setdefault(source, set()).add(replica)
        expect(seen == f"{source}:{port}", keeps_address, f"{balancer} keeps the address of the peer")
    expect(len(of_client), len(CLIENTS), f"clients of {balancer}")
    expect({len(replicas) for replicas in of_client.values()}, {1}, f"{balancer}: replicas of each client")
    share = Counter(replica for replicas in of_client.values() for replica in replicas)
    expect(len(share), len(REPLICAS), f"{balancer}: replicas with clients")
    print(f"{balancer}: {len(CLIENTS)} clients of 3 ports each, by replica: {dict(sorted(share.items()))}")


# O-57
def dnsdist_leaves_out_a_replica_that_is_down(dns: str) -> None:
    zone = f"{ROOT}/examples/dns/example.zone"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    first, second, third = (running([dns, f"{addr}:5353", zone, "00" * 16], **quiet) for addr in REPLICAS)
    dnsdist = running(["dnsdist", "--supervised", "--disable-syslog", "-C", f"{ROOT}/deploy/dnsdist.conf"], **quiet)
    queries = 100
    with first, third, ExitStack() as stack:
        with second:
            stack.enter_context(dnsdist)
            eventually("dnsdist answers", lambda: answered(0.2))
            with_three = sum(answered(5) for _ in range(queries))
            expect(with_three, queries, "answered with three")
        # The second one was killed. The first queries after that are lost, if they were for it.
        eventually("30 in series are answered", lambda: all(answered(0.2) for _ in range(30)))
        with_two = sum(answered(5) for _ in range(queries))
        expect(with_two, queries, "answered with two")
    print(
        f"dnsdist: {with_three} of {queries} queries answered with three replicas, "
        f"and {with_two} of {queries} after the second one was killed"
    )


def answered(seconds: float) -> bool:
    """Asks dnsdist for the address of www.example.test."""
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x04test\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds)
        client.connect((BALANCER, 53))
        try:
            client.send(query)
            reply = client.recv(512)
        except (ConnectionRefusedError, TimeoutError):
            return False
        return reply[:2] == query[:2] and reply[3] & 15 == 0 and reply[7] > 0


@contextmanager
def clients() -> Iterator[list[str]]:
    """Makes the namespace of the clients; yields the beginning of a command that runs there."""
    with running(["unshare", "--net", "sleep", "1000"]) as holder:
        inside = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        eventually("it has its namespace", lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        for command in (
            f"ip link add router type veth peer name client netns {holder.pid}",
            "ip addr add 10.0.1.254/24 dev router",
            "ip link set router up",
        ):
            subprocess.run(command.split(), check=True)
        for command in (
            "ip link set lo up",
            *(f"ip addr add {addr}/24 dev client" for addr in CLIENTS),
            "ip link set client up",
            "ip route add 10.0.0.0/24 via 10.0.1.254",
        ):
            subprocess.run([*inside, *command.split()], check=True)
        yield inside


@contextmanager
def serving() -> Iterator[None]:
    """Three servers that answer with their address, and with that of the peer."""
    with ExitStack() as stack:
        for addr in REPLICAS:
            server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            server.bind((addr, 9000))

            def serve(server: socket.socket = server, addr: str = addr) -> None:
                while True:
                    data, peer = server.recvfrom(100)
                    if data == b"end":
                        return
                    server.sendto(f"{addr} {peer[0]}:{peer[1]}".encode(), peer)

            thread = Thread(target=serve)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.sendto, b"end", (addr, 9000))
        yield


@contextmanager
def nginx() -> Iterator[None]:
    with folder() as path:
        options = f"daemon off; pid {path}/pid; error_log {path}/error.log;"
        command = ["nginx", "-c", f"{ROOT}/deploy/nginx.conf", "-e", f"{path}/error.log", "-g", options]
        # Unlike SIGKILL, SIGTERM ends the workers too.
        with running(command, end=signal.SIGTERM):
            eventually("nginx listens", lambda: "0A00000A:2328" in text("/proc/net/udp"))
            yield


def text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


if __name__ == "__main__":
    main()
