"""Runs servers one after the other, round by round, and reads what CPU time each answer takes."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parents[2]
SERVER_CPU, LOAD_CPU = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")

# What a load generator has seen: the answers, and the seconds in which they came.
Seen = tuple[float, float]


@dataclass(frozen=True)
class Server:
    name: str
    command: list[str]
    # Whether it answers already.
    is_ready: Callable[[], bool]


def built(example: str, *options: str) -> str:
    """Builds an example, with the profile of the other benches, and gives its path."""
    profile = {"CARGO_PROFILE_RELEASE_LTO": "thin", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1"}
    command = ["cargo", "build", "--release", "-p", "datagrammar-examples", "--example", example, *options]
    if not arguments().no_build:
        subprocess.run(command, cwd=ROOT, check=True, env=os.environ | profile)
    return str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/examples" / example)


def on_cpu(cpu: int) -> Callable[[], None]:
    return lambda: os.sched_setaffinity(0, {cpu})


@contextmanager
def running(server: Server) -> Iterator[int]:
    """Runs a server on its core, and gives its process id as soon as it answers."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(server.command, preexec_fn=on_cpu(SERVER_CPU), **quiet) as process:
        try:
            deadline = time.monotonic() + 20
            while not server.is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{server.name} does not answer: {' '.join(server.command)}")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()  # a server with children ends them


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process and its children, in user mode and in the kernel."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    own = (int(fields[11]) + int(fields[12])) / TICKS
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return own + sum(cpu_seconds(int(child)) for child in file.read().split())


def measure(servers: list[Server], load: Callable[[str], Seen], answers: str) -> int:
    """Measures each server once a round, adds a line to the file for each, and prints the table of the whole file."""
    args = arguments()
    chosen = [server for server in servers if not args.only or server.name in args.only]
    first = len(rows_of(args.out)) // len(chosen)
    for number in range(first, first + args.rounds):
        begin = number % len(chosen)
        for server in chosen[begin:] + chosen[:begin]:
            with running(server) as pid:
                before = cpu_seconds(pid)
                count, seconds = load(server.name)
                cpu = cpu_seconds(pid) - before
            row = {"name": server.name, "cpu_us": 1e6 * cpu / count, "rate": count / seconds, "busy": cpu / seconds}
            with open(args.out, "a", encoding="utf-8") as out:
                print(json.dumps(row), file=out)
    print(table(rows_of(args.out), answers))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="how often each server is measured (default: 9)")
    parser.add_argument("--only", action="append", metavar="NAME", help="only these servers; can be given several times")
    parser.add_argument("--out", metavar="RUN.jsonl", required=True, help="rounds are added to this file")
    parser.add_argument("--no-build", action="store_true", help="use the program of the last build")
    return parser.parse_args()


def rows_of(path: str) -> list[dict]:
    try:
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return []


def table(rows: list[dict], answers: str) -> str:
    lines = [f"| server | CPU, µs | quartiles | {answers}/s | quartiles | {answers}/s of a core | busy | rounds |",
             f"| --- |{' ---: |' * 7}"]  # fmt: skip
    for name in dict.fromkeys(row["name"] for row in rows):
        found = [row for row in rows if row["name"] == name]
        cpu, rate, busy = ([row[member] for row in found] for member in ("cpu_us", "rate", "busy"))
        cells = (
            name,
            f"{median(cpu):.2f}",
            quartiles(cpu, ".2f"),
            f"{median(rate):,.0f}",
            quartiles(rate, ",.0f"),
            f"{1e6 / median(cpu):,.0f}",
            f"{median(busy):.0%}",
            str(len(found)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def quartiles(values: list[float], form: str) -> str:
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return f"{low:{form}}–{high:{form}}"
