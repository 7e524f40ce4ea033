"""RADIUS: our client and FreeRADIUS, and radclient, pyrad and our server, through a relay that loses and duplicates."""

import json
import os
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pyrad.packet
from pyrad.client import Client
from pyrad.dictionary import Dictionary

from lossy_relay import relaying
from programs import DEADLINE, Built, eventually, expect, finished, running

SECRET = "xyzzy5461"

CONFIGURATION = """
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {folder}
run_dir = {folder}
max_requests = 65536
cleanup_delay = 10
log {{
  destination = files
  file = {folder}/log
}}
security {{
  allow_core_dumps = no
  max_attributes = 200
  reject_delay = 0
  status_server = no
}}
thread pool {{
  start_servers = 2
  max_servers = 2
  min_spare_servers = 1
  max_spare_servers = 2
  max_requests_per_server = 0
  max_queue_size = 65536
}}
modules {{
  cache recent {{
    driver = "rlm_cache_rbtree"
    key = "%{{Acct-Session-Id}}"
    ttl = 300
    update {{
      &control:Class := "recorded"
    }}
  }}
  linelog record {{
    filename = {folder}/records
    format = "%{{Acct-Session-Id}}"
  }}
}}
client loopback {{
  ipaddr = 127.0.0.1
  secret = {secret}
}}
server default {{
  listen {{
    type = acct
    ipaddr = 127.0.0.1
    port = {port}
  }}
  accounting {{
    # FreeRADIUS remembers an Accounting-Request only until it has answered, so an operator looks for known sessions.
    recent
    if (updated) {{
      record
    }}
  }}
}}
"""

# The attributes that pyrad uses.
DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE User-Password 2 octets
ATTRIBUTE Reply-Message 18 string
ATTRIBUTE Acct-Status-Type 40 integer
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE Message-Authenticator 80 octets
VALUE Acct-Status-Type Start 1
"""


@contextmanager
def freeradius() -> Iterator[tuple[tuple[str, int], str]]:
    """Runs FreeRADIUS for accounting; yields its address, and the file with a line for each record."""
    with tempfile.TemporaryDirectory() as path:
        # FreeRADIUS cannot say which port it has chosen.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with open(f"{path}/radiusd.conf", "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(folder=path, port=port, secret=SECRET))
        command = ["freeradius", "-f", "-d", path, "-n", "radiusd"]
        with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            eventually("FreeRADIUS is ready", lambda: "Ready to process requests" in text(f"{path}/log"))
            yield ("127.0.0.1", port), f"{path}/records"


def text(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def our_client_and_freeradius(built: Built) -> None:
    """RADIUS: FreeRADIUS records 10,000 accounting requests once each, at 30 % loss each way and 20 % duplicates"""
    clients, requests = 125, 80  # an id has 8 bits, so a port is good for 256 requests
    with freeradius() as (server, records), relaying(server, 30, 1, repeated=20) as relay:
        command = [built.program("radius_client"), "%s:%d" % relay.addr, SECRET, str(clients), str(requests)]
        printed = subprocess.run(command, capture_output=True, timeout=200, text=True, check=True).stdout
        _, answered, _, attempts = printed.split()
        expect(int(answered), clients * requests)
        if not 1.5 < int(attempts) / int(answered) < 2.3:
            raise AssertionError(f"{attempts} attempts for {answered} requests")
        found = Counter(text(records).split())
        expect((len(found), max(found.values())), (clients * requests, 1))


@contextmanager
def listening(built: Built) -> Iterator[tuple[subprocess.Popen, tuple[str, int]]]:
    """Runs our server, which prints a record of each accounting request."""
    users = ["nemo=arctangent", f"ahab={'a white whale ' * 8}"]
    with subprocess.Popen(
        [built.program("radius"), "127.0.0.1:0", SECRET, *users],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        try:
            host, port = server.stderr.readline().removeprefix("listening on ").strip().rsplit(":", 1)
            yield server, (host, int(port))
        finally:
            server.kill()


def radclient_and_our_server(built: Built) -> None:
    """RADIUS: our server with a reply cache records each accounting request of radclient once, through the same relay"""
    # In one run no id is used twice: a late response to its first request would count as an error.
    runs, requests = 10, 20
    with listening(built) as (server, addr):
        with relaying(addr, 30, 2, repeated=20) as relay:
            # All at once; a timer of 0.3 s, and up to 60 attempts.
            command = ["radclient", "-q", "-p", str(requests), "-t", "0.3", "-r", "60", "%s:%d" % relay.addr, "acct", SECRET]
            for run in range(runs):
                sessions = [f"Acct-Session-Id={run}-{n},Acct-Status-Type=Start" for n in range(requests)]
                finished(command, "\n\n".join(sessions).encode())
        sessions = Counter(json.loads(server.stdout.readline())["session"] for _ in range(runs * requests))
        expect((len(sessions), max(sessions.values())), (runs * requests, 1))
        access = "User-Name=nemo,User-Password={},Message-Authenticator=0x00\n"
        ask = ["radclient", "-x", "%s:%d" % addr, "auth", SECRET]
        expect(b"Received Access-Accept" in finished(ask, access.format("arctangent").encode()), True)
        rejected = subprocess.run(
            ask, input=access.format("sine"), capture_output=True, timeout=DEADLINE, text=True
        )
        expect("Received Access-Reject" in rejected.stdout, True)
        server.kill()
        expect(server.stdout.read(), "")  # no session was recorded again


def pyrad_and_our_server(built: Built) -> None:
    """RADIUS: our server accepts and rejects passwords of pyrad, and records each of its accounting requests once"""
    names = Dictionary(StringIO(DICTIONARY))
    with listening(built) as (server, addr), relaying(addr, 30, 3, repeated=20) as relay:
        host, port = relay.addr
        client = Client(host, port, port, secret=SECRET.encode(), dict=names, retries=40, timeout=0.3, enforce_ma=True)
        # A password of one block, one of several, and a wrong one.
        for user, password, code in (
            ("nemo", "arctangent", pyrad.packet.AccessAccept),
            ("ahab", "a white whale " * 8, pyrad.packet.AccessAccept),
            ("nemo", "sine", pyrad.packet.AccessReject),
        ):
            request = client.CreateAuthPacket(User_Name=user)
            request["User-Password"] = request.PwCrypt(password)
            response = client.SendPacket(request)
            expect((user, response.code), (user, code))
            expect(bool(response["Reply-Message"]), True)
        for n in range(20):
            request = client.CreateAcctPacket(Acct_Status_Type="Start", Acct_Session_Id=str(n), User_Name="nemo")
            expect(client.SendPacket(request).code, pyrad.packet.AccountingResponse)
        records = [json.loads(server.stdout.readline()) for _ in range(20)]
        expect([record["session"] for record in records], [str(n) for n in range(20)])
        expect({(record["status"], record["user"]) for record in records}, {("start", "nemo")})
        server.kill()
        expect(server.stdout.read(), "")  # no session was recorded again


CHECKS = [our_client_and_freeradius, radclient_and_our_server, pyrad_and_our_server]
