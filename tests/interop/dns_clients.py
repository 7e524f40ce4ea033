"""DNS: dig, kdig, drill and delv get the same answers from our `dns` and from NSD, and each server accepts the cookies of the other."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from programs import DEADLINE, Built, Skipped, connected, eventually, expect, folder

Addr = tuple[str, int]
ZONE = os.path.abspath("examples/dns/example.zone")
SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf"
CLIENT_COOKIE = "2464c4abcf10c957"

CONFIGURATION = """
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/pid"
  xfrdfile: "{folder}/xfrd"
  zonelistfile: "{folder}/zones"
  xfrdir: "{folder}"
  server-count: 1
  minimal-responses: yes
  rrl-ratelimit: 0
  answer-cookie: yes
  cookie-secret: {secret}
remote-control:
  control-enable: no
zone:
  name: example.test.
  zonefile: "{zone}"
"""

QUESTIONS = [
    (f"{owner}example.test", kind)
    for owners, kinds in (
        (("", "www."), ("A", "AAAA", "TXT", "MX", "NS", "SOA", "CNAME", "SRV")),
        (("alias.", "alias2.", "dangling.", "outside.", "into.", "loop1."), ("A", "TXT", "CNAME")),
        (("a.wild.", "a.b.wild.", "host.wild.", "wild.", "*.wild.", "a.alias."), ("A", "AAAA")),
        (("sub.", "a.sub.", "ns.sub.", "b.a.sub.", "far.", "a.far."), ("A", "NS", "DS")),
        (("_sip._udp.", "_udp."), ("SRV",)),
        (("nothing.", "a.b.nothing.", "a.www.", "ns1.", "WwW.", "list.", "a", "elsewhere.test.not"), ("TXT",)),
    )
    for owner in owners
    for kind in kinds
] + [("WwW.eXaMpLe.TeSt", "A"), ("elsewhere.test", "A"), ("test", "SOA"), (".", "NS")]

# What a resolver finds without asking another server, and without TCP.
RESOLVED = [
    ("", "A"), ("", "MX"), ("", "SOA"), ("", "NS"), ("www.", "A"), ("www.", "TXT"), ("www.", "MX"), ("alias2.", "A"),
    ("alias.", "CNAME"), ("dangling.", "A"), ("nothing.", "A"), ("a.b.wild.", "A"), ("host.wild.", "A"), ("_udp.", "SRV"),
]  # fmt: skip

# Datagrams after which both servers send the same bytes, or nothing: a name, and messages around it.
NAME = "076578616d706c65 0474657374 00"
SAME = {
    "a query": f"0001 0000 0001000000000000 {NAME} 0001 0001",
    "a query, and more": f"0001 0000 0001000000000000 {NAME} 0001 0001 00",
    "flags that a server does not copy": f"0001 0770 0001000000000000 {NAME} 0001 0001",
    "part of a header": "0001 0000 0001 0000 0000 00",
    "a header only": "0001 0000 0001 0000 0000 0000",
    "no question": "0001 0000 0000 0000 0000 0000",
    "a response": f"0001 8000 0001000000000000 {NAME} 0001 0001",
    "STATUS": f"0001 1000 0001000000000000 {NAME} 0001 0001",
    "UPDATE": f"0001 2800 0001000000000000 {NAME} 0006 0001",
    "two questions": f"0001 0000 0002000000000000 {NAME} 0001 0001 {NAME} 0001 0001",
    "half a question": f"0001 0000 0001000000000000 {NAME} 0001 00",
    "a query with an answer": f"0001 0000 0001000100000000 {NAME} 0001 0001 {NAME} 0001 0001 00000000 0004 01020304",
    "a name that points to itself": "0001 0000 0001000000000000 c00c 0001 0001",
    "a name that points beyond": "0001 0000 0001000000000000 c0ff 0001 0001",
    "another class": f"0001 0000 0001000000000000 {NAME} 0001 0003",
    "a transfer": f"0001 0000 0001000000000000 {NAME} 00fc 0001",
    "EDNS version 1": f"0001 0000 0001000000000001 {NAME} 0001 0001 00 0029 04d0 00010000 0000",
    "two OPT records": f"0001 0000 0001000000000002 {NAME} 0001 0001 00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000",
    "an OPT record with a name": f"0001 0000 0001000000000001 {NAME} 0001 0001 016100 0029 04d0 00000000 0000",
    "half an option": f"0001 0000 0001000000000001 {NAME} 0001 0001 00 0029 04d0 00000000 0005 000a 0028 01",
    **{
        f"a cookie of {length} bytes": f"0001 0000 0001000000000001 {NAME} 0001 0001 00 0029 04d0 00000000"
        f"{length + 4:04x} 000a {length:04x} {'01' * length}"
        for length in (0, 7, 9, 12, 15, 41)
    },
}


class Message:
    """What dig, kdig or drill prints of a response."""

    def __init__(self, text: str) -> None:
        # With a second response, after a first one with BADCOOKIE, that is the one.
        self.text = text[text.rfind("->>HEADER<<-") :]
        self.rcode = self._found(r"(?:status|rcode): (\w+)")
        self.flags = " ".join(self._found(r";; [Ff]lags: ([a-z ]*);").split())
        self.cookie = self._found(r"COOKIE: ([0-9a-fA-F]+)").lower()
        self.sections: dict[str, list[str]] = {}
        section = ""
        for line in self.text.splitlines():
            if heading := re.match(r";; (ANSWER|AUTHORITY|ADDITIONAL) SECTION", line):
                section = heading[1]
            elif section and line and not line.startswith(";"):
                self.sections.setdefault(section, []).append(" ".join(line.split()))
                self.sections[section].sort()

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        return found[1] if found else ""

    def parts(self) -> tuple[object, ...]:
        # NSD also adds the addresses of servers where a client does not need them: when it asks for the servers.
        is_needed = "AUTHORITY" in self.sections
        sections = {name: lines for name, lines in self.sections.items() if is_needed or name != "ADDITIONAL"}
        return self.rcode, self.flags, sections


def ask(program: str, addr: Addr, name: str, kind: str, *options: str) -> Message:
    """Runs dig, kdig or drill. A truncated response is enough."""
    if not shutil.which(program):
        raise Skipped(f"{program} is not installed")
    host, port = addr
    more = ["-o", "rd"] if program == "drill" else ["+norecurse", "+ignore", f"+timeout={int(DEADLINE)}"]
    command = [program, "-p", str(port), *more, *options, name, kind, f"@{host}"]
    return Message(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout)


@contextmanager
def nsd() -> Iterator[Addr]:
    """Runs NSD with our zone and our secret."""
    if not shutil.which("nsd"):
        raise Skipped("nsd is not installed")
    # NSD cannot say which port it has chosen.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        addr = free.getsockname()
    with folder() as path:
        with open(f"{path}/nsd.conf", "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(folder=path, port=addr[1], secret=SECRET, zone=ZONE))
        with subprocess.Popen(["nsd", "-d", "-c", f"{path}/nsd.conf"], stderr=subprocess.DEVNULL) as program:
            try:
                eventually("NSD answers", lambda: answers(addr))
                yield addr
            finally:
                program.terminate()  # then it ends its children


def answers(addr: Addr) -> bool:
    with connected(addr) as plain:
        plain.settimeout(0.1)
        try:
            plain.send(bytes.fromhex(SAME["a query"]))
            return plain.recv(2_000) != b""
        except OSError:
            return False


def ours(built: Built, *required: str) -> AbstractContextManager[Addr]:
    return built.serving("dns", "127.0.0.1:0", ZONE, SECRET, *required)


def compare(built: Built, program: str, *options: str) -> None:
    with nsd() as theirs, ours(built) as addr:
        for name, kind in QUESTIONS:
            wanted = ask(program, theirs, name, kind, *options)
            got = ask(program, addr, name, kind, *options)
            expect((name, kind, *got.parts()), (name, kind, *wanted.parts()))
            expect((name, kind, bool(got.rcode)), (name, kind, True))


def dig(built: Built) -> None:
    """dig: our dns and NSD answer alike, with EDNS and a cookie"""
    compare(built, "dig")


def kdig(built: Built) -> None:
    """kdig: our dns and NSD answer alike, without EDNS"""
    compare(built, "kdig", "+noedns")


def drill(built: Built) -> None:
    """drill: our dns and NSD answer alike, and copy the DO bit"""
    compare(built, "drill", "-D")


def delv(built: Built) -> None:
    """delv: it resolves the same from our dns and from NSD: records, aliases, and that there is no such name or record"""
    if not shutil.which("delv"):
        raise Skipped("delv is not installed")
    with nsd() as theirs, ours(built) as addr:
        for name, kind in RESOLVED:
            wanted, got = resolved(theirs, name, kind), resolved(addr, name, kind)
            expect((name, kind, got), (name, kind, wanted))
            expect((name, kind, got != []), (name, kind, True))


def resolved(addr: Addr, name: str, kind: str) -> list[str]:
    """What delv finds, without errors. It does not validate, since the zone is not signed."""
    host, port = addr
    command = ["delv", "-i", "-p", str(port), f"@{host}", f"{name}example.test", kind]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    return sorted(" ".join(line.split()) for line in text.splitlines() if not line.startswith(";;"))


def lengths(built: Built) -> None:
    """dig: our dns and NSD truncate the same answers, whatever length the client allows"""
    with nsd() as theirs, ours(built) as addr:
        # With a cookie of the server, the guard does not limit the answer.
        cookie = f"+cookie={ask('dig', addr, 'example.test', 'A', f'+cookie={CLIENT_COOKIE}').cookie}"
        for name in ("key", "list", "sub"):
            for option in ("+noedns", "+bufsize=1", "+bufsize=600", "+bufsize=1232", "+bufsize=65535"):
                options = [option] if option == "+noedns" else [cookie, option]
                wanted = ask("dig", theirs, f"{name}.example.test", "TXT", *options)
                got = ask("dig", addr, f"{name}.example.test", "TXT", *options)
                expect((name, option, *got.parts()), (name, option, *wanted.parts()))


def refusals(built: Built) -> None:
    """plain datagrams: our dns and NSD send the same bytes, or nothing, to what is malformed or not implemented"""
    with nsd() as theirs, ours(built) as addr:
        for what, datagram in SAME.items():
            expect((what, reply(addr, datagram)), (what, reply(theirs, datagram)))
        expect(reply(addr, SAME["a header only"]), "000180010000000000000000")


def reply(addr: Addr, datagram: str) -> str:
    """The next reply after a datagram, in hexadecimal digits. If there is none, that to a query which follows."""
    with connected(addr) as plain:
        plain.send(bytes.fromhex(datagram))
        plain.send(bytes.fromhex("ffff" + SAME["a query"][4:]))
        return plain.recv(2_000).hex()


def any_type(built: Built) -> None:
    """dig: our dns answers a query for all types with HINFO (RFC 8482)"""
    with ours(built) as addr:
        message = ask("dig", addr, "example.test", "ANY", "+notcp")
        expect(message.sections, {"ANSWER": ['example.test. 3600 IN HINFO "RFC8482" ""']})


def cookies(built: Built) -> None:
    """dig: our dns takes a cookie of NSD for its own, and NSD one of ours; both replace one of another secret"""
    with nsd() as theirs, ours(built, "required") as addr:
        from_nsd = ask("dig", theirs, "example.test", "A", f"+cookie={CLIENT_COOKIE}").cookie
        from_us = ask("dig", addr, "example.test", "A", f"+cookie={CLIENT_COOKIE}").cookie
        expect((len(from_nsd), len(from_us)), (48, 48))
        other = f"{from_nsd[:-1]}{int(from_nsd[-1], 16) ^ 1:x}"
        for cookie in (from_nsd, from_us):
            for server in (theirs, addr):
                # A server sends back the cookie that it accepts and that is not old.
                message = ask("dig", server, "www.example.test", "A", f"+cookie={cookie}", "+nobadcookie")
                expect((message.rcode, len(message.sections["ANSWER"]), message.cookie), ("NOERROR", 2, cookie))
        message = ask("dig", theirs, "www.example.test", "A", f"+cookie={other}", "+nobadcookie")
        expect((message.rcode, message.cookie == other), ("NOERROR", False))
        message = ask("dig", addr, "www.example.test", "A", f"+cookie={other}", "+nobadcookie")
        expect((message.rcode, message.flags, message.sections), ("BADCOOKIE", "qr", {}))
        message = ask("dig", addr, "www.example.test", "A", f"+cookie={message.cookie}", "+nobadcookie")
        expect((message.rcode, len(message.sections["ANSWER"])), ("NOERROR", 2))


def required_of_dig(built: Built) -> None:
    """dig: if our dns requires cookies, it gets one, comes again with it, and is answered; without cookies it gets TC"""
    required(built, "dig", "+nocookie")


def required_of_kdig(built: Built) -> None:
    """kdig: if our dns requires cookies, it gets one, comes again with it, and is answered; without cookies it gets TC"""
    required(built, "kdig")


def required(built: Built, program: str, *without: str) -> None:
    with ours(built, "required") as addr:
        # Only a client cookie, also with padding, and a server cookie of somebody else.
        for server_cookie, *cookie in (("",), ("", "+padding=64"), ("01" * 16,)):
            cookie.append(f"+cookie={CLIENT_COOKIE}{server_cookie}")
            first = ask(program, addr, "www.example.test", "A", *cookie, "+nobadcookie")
            expect((cookie, first.rcode, first.sections), (cookie, "BADCOOKIE", {}))
            message = ask(program, addr, "www.example.test", "A", *cookie, "+badcookie")
            expect((cookie, message.rcode, message.flags), (cookie, "NOERROR", "qr aa"))
            expect(len(message.sections["ANSWER"]), 2)
        message = ask(program, addr, "www.example.test", "A", *without)
        expect((message.rcode, message.flags, message.sections), ("NOERROR", "qr tc", {}))


CHECKS = [dig, kdig, drill, delv, lengths, refusals, any_type, cookies, required_of_dig, required_of_kdig]
