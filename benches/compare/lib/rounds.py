"""Starts the servers, and measures them in interleaved rounds."""

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lib.scenarios import SCENARIOS
from lib.servers import Programs, Server

# A window in which the server had a smaller share of its core is measured again, up to this many times.
LEAST_CPU = 0.01
TRIES = 4


@dataclass(frozen=True)
class Cores:
    """The CPUs of the servers and of the load generator; None where they cannot be chosen."""

    server: int | None
    load: int | None


def cores(server: int | None, load: int | None) -> Cores:
    """Returns the two CPUs that were asked for, or the first two that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    for cpu in (server, load):
        if cpu is not None and cpu not in allowed:
            sys.exit(f"CPU {cpu} cannot be used here, only {', '.join(map(str, allowed))}")
    if len(allowed) < 2:
        say(f"only CPU {allowed[0]} can be used here: servers and load generator share it, so the numbers mean little")
        return Cores(None, None)
    server = next(cpu for cpu in allowed if cpu != load) if server is None else server
    load = next(cpu for cpu in allowed if cpu != server) if load is None else load
    try:
        os.sched_setaffinity(0, {server})
        os.sched_setaffinity(0, allowed)
    except OSError as error:
        say(f"the system does not let a program choose its CPU ({error}), so the numbers mean little")
        return Cores(None, None)
    return Cores(server, load)


def warn_of_small_buffers() -> None:
    with open("/proc/sys/net/core/rmem_max", encoding="ascii") as file:
        size = int(file.read())
    if size < 4 << 20:
        say(f"net.core.rmem_max is {size}, so bursts of requests are lost: sysctl -w net.core.rmem_max=4194304")


def say(text: str) -> None:
    """Beside the tables, which go to standard output."""
    print(f"# {text}", file=sys.stderr, flush=True)


@contextmanager
def running(server: Server, programs: Programs, cpu: int | None) -> Iterator[tuple[subprocess.Popen, int]]:
    """Runs a server, and gives its process and port."""
    port = free_port()
    pin = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    try:
        process = subprocess.Popen(
            programs.command(server.command, port), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            preexec_fn=pin, env=environment,
        )  # fmt: skip
    except FileNotFoundError as error:
        sys.exit(f"{server.name}: there is no {error.filename}: benches/README.md says what to install")
    try:
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def measure(servers: dict[Server, tuple[subprocess.Popen, int]], load: str, on: Cores, args) -> Iterator[dict]:
    """Measures each server once a round in each scenario of its kind. Each round begins with the next server."""
    start = time.monotonic()
    for number in range(args.rounds):
        for scenario in args.scenarios:
            kind, options = SCENARIOS[scenario]
            turns = [server for server in servers if server.kind == kind]
            first = number % len(turns) if turns else 0
            for server in turns[first:] + turns[:first]:
                process, port = servers[server]
                command = [load, "--port", str(port), *shlex.split(options), "--timeout-ms", "1000",
                           "--duration", str(args.duration), "--warmup", str(args.warmup), "--pid", str(process.pid)]  # fmt: skip
                if on.load is not None:
                    command += ["--cpu", str(on.load), "--server-cpu", str(on.server)]
                row = once([*command, *shlex.split(args.gen_args)], process)
                row |= {"scenario": scenario, "name": server.name, "round": number}
                if "error" in row:
                    say(f"{scenario}, {server.name}: {row['error']}")
                yield row
        say(f"round {number + 1} of {args.rounds} after {time.monotonic() - start:.0f} s")


def once(command: list[str], server: subprocess.Popen) -> dict:
    """One window of one server: what was measured, and "error" if that is of no use."""
    for _ in range(TRIES):
        if server.poll() is not None:
            return {"error": f"the server has ended with status {server.returncode}"}
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            return {"error": "the load generator does not end"}
        if result.returncode != 0:
            return {"error": result.stderr.strip()[:200]}
        row = json.loads(result.stdout)
        if row.get("srv_util", 0) >= LEAST_CPU:
            return row
    return row | {"error": "the server got no CPU in this window"}
