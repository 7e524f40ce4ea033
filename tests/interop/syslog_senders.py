"""Programs that send log messages against our `syslog`: logger, rsyslogd, HAProxy and Python's SysLogHandler."""

import json
import logging
import logging.handlers
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from queue import SimpleQueue
from threading import Thread

from programs import DEADLINE, Built, connected, eventually, expect, finished, running

TEXT = 'té [a="1"] \\ "quoted" 100 %'


@dataclass
class Collector:
    """Our program, as long as it runs."""

    addr: tuple[str, int]
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
    command = [built.program("syslog"), "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        lines: SimpleQueue[str] = SimpleQueue()
        reader = Thread(target=lambda: [lines.put(line) for line in program.stdout])
        reader.start()
        try:
            host, port = program.stderr.readline().removeprefix("listening on ").rsplit(":", 1)
            yield Collector((host, int(port)), lines)
            program.terminate()
            *refused, last = program.stderr.read().splitlines()
            expect((refused, last.endswith(" received, 0 refused")), ([], True))
        finally:
            program.kill()
            reader.join()


def logger(collector: Collector, *args: str, lines: bytes = b"") -> None:
    host, port = collector.addr
    finished(["logger", "--server", host, "--port", str(port), "--udp", *args], lines)


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
    """logger to rsyslogd, which forwards to our syslog: in three formats"""
    with collecting(built) as collector, folder() as path:
        host, port = collector.addr
        templates = ["TraditionalForwardFormat", "ForwardFormat", "SyslogProtocol23Format"]
        actions = [
            f'action(type="omfwd" target="{host}" port="{port}" protocol="udp" template="RSYSLOG_{template}")\n'
            for template in templates
        ]
        write(f"{path}/conf", RSYSLOGD.format(path=path) + "".join(actions))
        with running(["rsyslogd", "-n", "-f", f"{path}/conf", "-i", f"{path}/pid"], **unprivileged()):
            eventually("rsyslogd listens", lambda: os.path.exists(f"{path}/in"))
            finished(["logger", "-u", f"{path}/in", "-t", "app", "--id=77", "-p", "mail.err", TEXT])
            for template in templates:
                # rsyslogd may also send messages of its own. It takes the space behind the tag for text.
                message = collector.expect(TEXT, facility="mail", severity="err", app_name="app", proc_id="77")
                expect((template, message["text"].strip()), (template, TEXT))
                expect(message["hostname"].split(".")[0], socket.gethostname().split(".")[0])
                if template != "TraditionalForwardFormat":
                    expect_recent(message["timestamp"])


RSYSLOGD = """
global(workDirectory="{path}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{path}/in")
"""


def haproxy(built: Built) -> None:
    """HAProxy, our syslog: it logs a request in both formats"""
    with collecting(built) as collector, folder() as path, socket.create_server(("127.0.0.1", 0)) as http:
        http.set_inheritable(True)
        host, port = collector.addr
        write(f"{path}/conf", HAPROXY.format(log=f"{host}:{port}", http=http.fileno()))
        with running(["haproxy", "-db", "-f", f"{path}/conf"], pass_fds=[http.fileno()], **unprivileged()) as program:
            url = "http://{}:{}/%C3%A9".format(*http.getsockname())
            with urllib.request.urlopen(url, timeout=DEADLINE) as response:
                expect(response.read(), b"hello")
            for facility in ["local0", "local1"]:
                # It also reports that it has started.
                message = collector.expect("GET", facility=facility, severity="info", hostname="web.example")
                expect((message["app_name"], message["proc_id"]), ("proxy", str(program.pid)))
                expect(message["text"].endswith(' "GET /%C3%A9 HTTP/1.1"'), True)


HAPROXY = """
global
    log {log} format rfc5424 local0
    log {log} format rfc3164 local1
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
    """Python's SysLogHandler, our syslog: with and without a tag, and several lines at once"""
    with collecting(built) as collector:
        handler = logging.handlers.SysLogHandler(collector.addr, facility="local2")
        log = logging.Logger("test")
        log.addHandler(handler)

        log.warning("no tag here: %s", TEXT)
        collector.expect(
            facility="local2", severity="warning", timestamp=None, hostname=None, app_name=None,
            text=f"no tag here: {TEXT}",
        )  # fmt: skip
        handler.ident = "app: "
        log.critical("two\nlines\x1b[2J")
        collector.expect(severity="crit", app_name="app", text="two\nlines\x1b[2J")
        handler.append_nul = False
        handler.setFormatter(logging.Formatter("app[%(process)d]: %(message)s"))
        handler.ident = ""
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


@contextmanager
def folder() -> Iterator[str]:
    """A folder that a program without privileges can write into."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o777)
        yield path


def unprivileged() -> dict:
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def expect_recent(timestamp: str) -> None:
    age = datetime.now(timezone.utc) - datetime.fromisoformat(timestamp)
    expect((timestamp, abs(age) < timedelta(minutes=10)), (timestamp, True))


CHECKS = [logger_bsd, logger_ietf, rsyslogd, haproxy, python_handler, names]
