"""Programs that send log messages against our `syslog`: logger, rsyslogd, HAProxy and Python's SysLogHandler."""

import json
import logging
import logging.handlers
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from queue import SimpleQueue
from threading import Thread

from programs import DEADLINE, Built, connected, eventually, expect, finished, folder, running

TEXT = 'té [a="1"] \\ "quoted" 100 %'


@dataclass
class Collector:
    """Our program, as long as it runs."""

    addr: tuple[str, int]
    path: str
    lines: SimpleQueue[str]

    def message(self, containing: str = "") -> dict:
        """The next message with this text that it prints."""
        while True:
            message = json.loads(self.lines.get(timeout=DEADLINE))
            if containing in message["text"]:
                return message

    def expect(self, containing: str = "", **fields: object) -> dict:
        """Compares some fields of the next message with this text."""
        message = self.message(containing)
        expect({name: message[name] for name in fields}, fields)
        return message


@contextmanager
def collecting(built: Built) -> Iterator[Collector]:
    with folder() as path, subprocess.Popen(
        [built.program("syslog"), "127.0.0.1:0", f"{path}/log"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        lines: SimpleQueue[str] = SimpleQueue()
        reader = Thread(target=lambda: [lines.put(line) for line in program.stdout])
        reader.start()
        try:
            host, port = program.stderr.readline().removeprefix("listening on ").rsplit(":", 1)
            expect(program.stderr.readline(), f"listening on {path}/log\n")
            yield Collector((host, int(port)), f"{path}/log", lines)
            program.terminate()
            *refused, last = program.stderr.read().splitlines()
            expect((refused, last.endswith(" received, 0 refused")), ([], True))
        finally:
            program.kill()
            reader.join()


def logger(collector: Collector, *args: str, lines: bytes = b"") -> None:
    host, port = collector.addr
    finished(["logger", "--server", host, "--port", str(port), "--udp", *args], lines)


def logger_local(built: Built) -> None:
    """logger over a Unix socket, our syslog: without a host name, and in both formats"""
    with collecting(built) as collector:
        command = ["logger", "--socket", collector.path, "-t", "app", "--id=77", "-p", "cron.info"]
        for options in ([], ["--rfc3164"], ["--rfc5424"]):
            finished([*command, *options, TEXT])
            message = collector.expect(facility="cron", severity="info", app_name="app", proc_id="77", text=TEXT)
            expect((options, message["from"], message["hostname"] is None), (options, "<unnamed>", options == []))
        finished(command, b"one\ntwo\n")
        # Each datagram without a name is from a peer of its own, so there is no order between them.
        expect(sorted(collector.message()["text"] for _ in range(2)), ["one", "two"])


def logger_bsd(built: Built) -> None:
    """logger --rfc3164, our syslog: header, non-ASCII and long text"""
    with collecting(built) as collector:
        before = int(time.time())
        logger(collector, "--rfc3164", "-t", "app", "--id=77", "-p", "local3.warning", TEXT)
        message = collector.expect(facility="local3", severity="warning", app_name="app", proc_id="77", text=TEXT)
        expect(message["hostname"], socket.gethostname().split(".")[0])
        times = [time.strftime("%b %e %T", time.localtime(at)) for at in range(before, int(time.time()) + 1)]
        expect(message["timestamp"] in times, True)

        logger(collector, "--rfc3164", "-t", "app", "--size", "9000", "é" * 4000)
        collector.expect(facility="user", severity="notice", app_name="app", proc_id=None, text="é" * 4000)

        logger(collector, "--rfc3164", lines=b"one\ntwo\n")
        expect([collector.message()["text"] for _ in range(2)], ["one", "two"])


def logger_ietf(built: Built) -> None:
    """logger --rfc5424, our syslog: header, structured data, non-ASCII and long text"""
    with collecting(built) as collector:
        logger(collector, "--rfc5424", "-t", "app", "--id=77", "-p", "auth.crit", "--msgid", "ID47", TEXT)
        message = collector.expect(
            facility="auth", severity="crit", app_name="app", proc_id="77", msg_id="ID47", text=TEXT
        )
        expect(message["hostname"], socket.gethostname())
        expect_recent(message["timestamp"])
        expect(message["structured_data"][0]["id"], "timeQuality")

        first = ["--sd-id", "a@1", "--sd-param", 'x="1"', "--sd-param", r'y="\]\"\\é"']
        second = ["--sd-id", "b@1", "--sd-param", 'z=""']
        logger(collector, "--rfc5424=notime,notq,nohost", *first, *second, "--size", "9000", "é" * 4000)
        elements = [{"id": "a@1", "params": [["x", "1"], ["y", ']"\\é']]}, {"id": "b@1", "params": [["z", ""]]}]
        collector.expect(
            timestamp=None, hostname=None, proc_id=None, msg_id=None, structured_data=elements, text="é" * 4000
        )


def rsyslogd(built: Built) -> None:
    """logger to rsyslogd, which forwards to our syslog: in three formats over UDP, and over a Unix socket"""
    with collecting(built) as collector, folder() as path:
        host, port = collector.addr
        udp = ["TraditionalForwardFormat", "ForwardFormat", "SyslogProtocol23Format"]
        actions = [
            f'action(type="omfwd" target="{host}" port="{port}" protocol="udp" template="RSYSLOG_{template}")\n'
            for template in udp
        ]
        write(f"{path}/conf", RSYSLOGD.format(path=path, log=collector.path) + "".join(actions))
        with running(["rsyslogd", "-n", "-f", f"{path}/conf", "-i", f"{path}/pid"], **unprivileged()):
            eventually("rsyslogd listens", lambda: os.path.exists(f"{path}/in"))
            finished(["logger", "-u", f"{path}/in", "-t", "app", "--id=77", "-p", "mail.err", TEXT])
            messages = [collector.message(TEXT) for _ in range(4)] # rsyslogd may also send some of its own
            # The two sockets of our program have no order between them.
            messages.sort(key=lambda message: message["from"] == "<unnamed>")
            for template, message in zip([*udp, "over a Unix socket"], messages, strict=True):
                fields = [message[name] for name in ("facility", "severity", "app_name", "proc_id")]
                # It takes the space behind the tag for text.
                expect((template, *fields, message["text"].strip()), (template, "mail", "err", "app", "77", TEXT))
                expect(message["hostname"].split(".")[0], socket.gethostname().split(".")[0])
                if template != "TraditionalForwardFormat":
                    expect_recent(message["timestamp"])
            expect([message["from"] == "<unnamed>" for message in messages], [False, False, False, True])


RSYSLOGD = """
global(workDirectory="{path}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{path}/in")
module(load="omuxsock")
$OMUxSockSocket {log}
*.* :omuxsock:;RSYSLOG_ForwardFormat
"""


def haproxy(built: Built) -> None:
    """HAProxy, our syslog: it logs a request in both formats, over UDP and a Unix socket"""
    with collecting(built) as collector, folder() as path, socket.create_server(("127.0.0.1", 0)) as http:
        http.set_inheritable(True)
        host, port = collector.addr
        write(f"{path}/conf", HAPROXY.format(udp=f"{host}:{port}", unix=collector.path, http=http.fileno()))
        with running(["haproxy", "-db", "-f", f"{path}/conf"], pass_fds=[http.fileno()], **unprivileged()) as program:
            url = "http://{}:{}/%C3%A9".format(*http.getsockname())
            with urllib.request.urlopen(url, timeout=DEADLINE) as response:
                expect(response.read(), b"hello")
            messages = [collector.message("GET") for _ in range(4)]  # it also reports that it has started
            facilities = {message["facility"]: message["from"] == "<unnamed>" for message in messages}
            expect(facilities, {"local0": False, "local1": False, "local2": True, "local3": True})
            for message in messages:
                fields = [message[name] for name in ("severity", "hostname", "app_name", "proc_id")]
                expect(fields, ["info", "web.example", "proxy", str(program.pid)])
                expect(message["text"].endswith(' "GET /%C3%A9 HTTP/1.1"'), True)


HAPROXY = """
global
    log {udp} format rfc5424 local0
    log {udp} format rfc3164 local1
    log {unix} format rfc5424 local2
    log {unix} format rfc3164 local3
    log-tag proxy
    log-send-hostname web.example
defaults
    mode http
    log global
    option httplog
    timeout client 20s
    timeout connect 20s
    timeout server 20s
frontend web
    bind fd@{http}
    http-request return status 200 content-type text/plain string hello
"""


def python_handler(built: Built) -> None:
    """Python's SysLogHandler, our syslog: with and without a tag, several lines at once, over UDP and a Unix socket"""
    with collecting(built) as collector:
        for addr in (collector.addr, collector.path):
            handler = logging.handlers.SysLogHandler(addr, facility="local2")
            log = logging.Logger("test")
            log.addHandler(handler)

            log.warning("no tag here: %s", TEXT)
            nothing = {"timestamp": None, "hostname": None, "app_name": None}
            collector.expect(facility="local2", severity="warning", text=f"no tag here: {TEXT}", **nothing)
            handler.ident = "app: "
            log.critical("two\nlines\x1b[2J")
            collector.expect(severity="crit", app_name="app", text="two\nlines\x1b[2J")
            handler.ident, handler.append_nul = "", False
            handler.setFormatter(logging.Formatter("app[%(process)d]: %(message)s"))
            log.debug("x" * 30_000)
            collector.expect(severity="debug", app_name="app", proc_id=str(os.getpid()), text="x" * 30_000)
            handler.close()


def names(built: Built) -> None:
    """Python's table of facilities and severities, our syslog: the names are the same"""
    facilities = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp".split()
    facilities += [f"local{number}" for number in range(8)]
    severities = "emerg alert crit err warning notice info debug".split()
    handler = logging.handlers.SysLogHandler
    with collecting(built) as collector, connected(collector.addr) as plain:
        for facility in facilities:
            for severity in severities:
                number = handler.facility_names[facility] << 3 | handler.priority_names[severity]
                plain.send(f"<{number}>text".encode())
                collector.expect(facility=facility, severity=severity)


def unprivileged() -> dict:
    # HAProxy must be able to return to the directory in which it starts, and only root may enter that of a checkout.
    user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
    return {"cwd": "/", **user}


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def expect_recent(timestamp: str) -> None:
    age = datetime.now(timezone.utc) - datetime.fromisoformat(timestamp)
    expect((timestamp, abs(age) < timedelta(minutes=10)), (timestamp, True))


CHECKS = [logger_local, logger_bsd, logger_ietf, rsyslogd, haproxy, python_handler, names]
