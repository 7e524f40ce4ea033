"""Load balancers: kdig and dnsdist tell our `dns` by the PROXY protocol who asks; nginx tells it in version 1, which it refuses."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from dns_clients import CLIENT_COOKIE, SECRET, ZONE, Addr, Message, answers, ask
from programs import DEADLINE, Built, Skipped, eventually, expect, folder, free_port, running

DNSDIST = """
setLocal("127.0.0.1:{port}")
newServer{{address="{server}", useProxyProtocol=true, checkName="example.test.", checkInterval=1}}
setACL("127.0.0.0/8")
"""

NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/log;
load_module {module};
events {{}}
stream {{
  server {{
    listen 127.0.0.1:{port} udp;
    proxy_pass {server};
    proxy_protocol on;
  }}
}}
"""

MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


@contextmanager
def ours(built: Built, trusted: str, *required: str) -> Iterator[Addr]:
    with built.serving("dns", "--trust-proxy", trusted, "127.0.0.1:0", ZONE, SECRET, *required) as addr:
        yield addr


def asks(addr: Addr, cookie: str, *options: str) -> Message:
    return ask("kdig", addr, "www.example.test", "A", f"+cookie={cookie}", "+nobadcookie", *options)


def kdig(built: Built) -> None:
    """kdig +proxy: a cookie of our dns is one of the client in the header, in both families, and of nobody else"""
    with ours(built, "127.0.0.1", "required") as addr:
        for client, other, to in (
            ("192.0.2.7#5000", "192.0.2.8#5000", "192.0.2.1#53"),
            ("2001:db8::7#5000", "2001:db8::8#5000", "2001:db8::1#53"),
        ):
            proxy, proxy_of_other = (f"+proxy={source}-{to}" for source in (client, other))
            first = asks(addr, CLIENT_COOKIE, proxy)
            expect((first.rcode, len(first.cookie)), ("BADCOOKIE", 48))
            again = asks(addr, first.cookie, proxy)
            expect((again.rcode, len(again.sections["ANSWER"]), again.cookie), ("NOERROR", 2, first.cookie))
            expect(asks(addr, first.cookie, proxy_of_other).rcode, "BADCOOKIE")
    # A client that is not trusted cannot say that it is another one: it gets no answer, and one without a header.
    with ours(built, "192.0.2.0/24") as addr:
        expect(asks(addr, CLIENT_COOKIE, "+proxy=192.0.2.7#5000-192.0.2.1#53", "+timeout=1", "+retry=0").rcode, "")
        expect(asks(addr, CLIENT_COOKIE).rcode, "NOERROR")


@contextmanager
def dnsdist(server: Addr) -> Iterator[Addr]:
    """Runs dnsdist in front of a server."""
    if not shutil.which("dnsdist"):
        raise Skipped("dnsdist is not installed")
    addr = ("127.0.0.1", free_port())
    with folder() as path:
        with open(f"{path}/dnsdist.conf", "w", encoding="utf-8") as file:
            file.write(DNSDIST.format(port=addr[1], server="{}:{}".format(*server)))
        command = ["dnsdist", "--supervised", "--disable-syslog", "-C", f"{path}/dnsdist.conf"]
        with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            # It asks our server first whether it is there, with the command LOCAL.
            eventually("dnsdist answers", lambda: answers(addr))
            yield addr


def behind_dnsdist(built: Built) -> None:
    """dnsdist: a cookie that a client gets through it is valid for that client without it, and for no other client"""
    with ours(built, "127.0.0.1", "required") as addr, dnsdist(addr) as balanced:
        through = asks(balanced, CLIENT_COOKIE, "-b", "127.0.0.2")
        expect((through.rcode, len(through.cookie)), ("BADCOOKIE", 48))
        for client, server, rcode in (
            ("127.0.0.2", balanced, "NOERROR"),
            ("127.0.0.2", addr, "NOERROR"),
            ("127.0.0.3", balanced, "BADCOOKIE"),
            ("127.0.0.3", addr, "BADCOOKIE"),
        ):
            expect((client, server, asks(server, through.cookie, "-b", client).rcode), (client, server, rcode))


def behind_nginx(built: Built) -> None:
    """nginx: over UDP it writes the text of version 1, which our dns refuses"""
    if not shutil.which("nginx") or not os.path.exists(MODULE):
        raise Skipped("nginx is not installed, with its module for streams")
    with folder() as path, ours(built, "127.0.0.1") as addr, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.bind(("127.0.0.1", 0))
        plain.settimeout(DEADLINE)
        for server in (plain.getsockname(), addr):
            port = free_port()
            with open(f"{path}/nginx.conf", "w", encoding="utf-8") as file:
                server = "{}:{}".format(*server)
                file.write(NGINX.format(folder=path, port=port, server=server, module=MODULE))
            command = ["nginx", "-p", path, "-e", f"{path}/log", "-c", f"{path}/nginx.conf"]
            with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
                eventually("nginx listens", lambda port=port: is_taken(port))
                options = ("+timeout=1", "+retry=0")
                expect(asks(("127.0.0.1", port), CLIENT_COOKIE, *options).rcode, "")
        expect(plain.recv(2_000).partition(b"\r\n")[0].split()[0], b"PROXY")


def is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        try:
            plain.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


CHECKS = [kdig, behind_dnsdist, behind_nginx]
