"""The example `production` as systemd runs it: its socket, its units, its endpoint for operators, and its end."""

import json
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from queue import SimpleQueue

from activation import free_addrs
from programs import DEADLINE, Built, connected, eventually, expect, lines_of

UNITS = Path(__file__).resolve().parent.parent.parent / "examples" / "production"


def life(built: Built) -> None:
    """systemd-socket-activate, our service: ready, then a lame duck that answers, then exit code 0"""
    [(host, port)] = free_addrs(1, socket.SOCK_DGRAM)
    command = ["systemd-socket-activate", "--datagram", f"--listen={host}:{port}", "--fdname=readings"]
    arguments = ["--operators", "127.0.0.1:0", "--lame-duck", "2"]
    command = [*command, built.program("production"), *arguments]
    with lines_of(command) as (service, lines), connected((host, port)) as sensor:
        line_with(lines, "Listening on ")
        expect(asked(sensor, 20.5), {"mean": 20.5})
        operators = line_with(lines, "operators: ").removeprefix("operators: ")
        expect([page(operators, name)[0] for name in ("live", "ready", "diagnostics")], [200, 200, 200])
        service.send_signal(signal.SIGTERM)
        eventually("it says that it is not ready", lambda: page(operators, "ready")[0] == 503)
        expect(asked(sensor, 21.5), {"mean": 21.0})
        status, text = page(operators, "metrics")
        line = 'datagrammar_server_received_datagrams_total{server="readings"} 2'
        expect((status, line in text.splitlines()), (200, True))
        expect(service.wait(timeout=DEADLINE), 0)
    stopped = [lines.get() for _ in range(lines.qsize())][-1]
    expect(stopped.startswith("stopped: received: 2,"), True)


def units(built: Built) -> None:
    """systemd-analyze verify and security, units of the service: no complaint, and little that it may do"""
    with tempfile.TemporaryDirectory() as folder:
        for unit in ("readings.socket", "readings.service"):
            text = (UNITS / unit).read_text().replace("/usr/local/bin/readings", built.program("production"))
            Path(folder, unit).write_text(text)
        paths = [str(path) for path in Path(folder).iterdir()]
        ended = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, timeout=60, text=True)
        # It also complains about units of other programs that are installed.
        complaints = [line for line in ended.stderr.splitlines() if not line.startswith(("/lib/", "/usr/lib/"))]
        expect((ended.returncode, ended.stdout, complaints), (0, "", []))
        exposure = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15"]
        ended = subprocess.run(
            [*exposure, f"{folder}/readings.service"], capture_output=True, timeout=60, text=True
        )
        expect((ended.returncode, ended.stderr), (0, ""))


def line_with(lines: SimpleQueue[str], start: str) -> str:
    while not (line := lines.get(timeout=DEADLINE)).startswith(start):
        pass
    return line


def asked(sensor: socket.socket, value: float) -> object:
    sensor.send(json.dumps({"sensor": "hall", "value": value}).encode())
    return json.loads(sensor.recv(1000))


def page(operators: str, name: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{operators}/{name}", timeout=DEADLINE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


CHECKS = [
    life,
    units,
]
