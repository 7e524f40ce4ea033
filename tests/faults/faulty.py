"""A server under strace, which makes some of its system calls fail."""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from programs import DEADLINE, Built, expect

# The system calls that receive and send, in batches and one by one.
CALLS = "recvmmsg,sendmmsg,recvfrom,sendto"


class Faulty:
    """The server, and the output of strace about it."""

    def __init__(self, process: subprocess.Popen[str], trace: str) -> None:
        self._process = process
        self._trace = trace
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the server ended before it printed a line")
        host, port = line.rstrip().removeprefix("listening on ").rsplit(":", 1)
        self.addr = host, int(port)

    def trace(self) -> str:
        with open(self._trace, encoding="utf-8") as lines:
            return lines.read()

    def injected(self) -> int:
        return self.trace().count("(INJECTED)")

    def expect_injected(self, errors: int) -> None:
        """Expects this number of injected errors. strace writes each one a moment after the server has gone on."""
        until(lambda: self.injected() >= errors)
        expect(self.injected(), errors)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stops the server meanwhile, so that it then finds all datagrams at once."""
        self._process.send_signal(signal.SIGSTOP)
        if not os.WIFSTOPPED(os.waitpid(self._process.pid, os.WUNTRACED)[1]):
            raise RuntimeError("the server has ended")
        yield
        self._process.send_signal(signal.SIGCONT)

    def interrupt(self) -> dict[str, int]:
        """Ends the server with SIGINT, like a user; returns the stats that it prints."""
        self._process.send_signal(signal.SIGINT)
        code, printed, errors = self.end()
        if code != 0:
            raise RuntimeError(f"exit code {code}: {errors}")
        return {name: int(n) for name, n in re.findall(r"([a-z ]+) (\d+)(?:, |$)", printed.strip())}

    def end(self) -> tuple[int, str, str]:
        """Waits until the server ends; returns its exit code and what it printed."""
        printed, errors = self._process.communicate(timeout=DEADLINE)
        return self._process.returncode, printed, errors


@contextmanager
def faulty(built: Built, inject: dict[str, str], *args: str) -> Iterator[Faulty]:
    """Runs the byte echo. `inject` contains, for each system call, the argument of strace's `-e inject`."""
    with tempfile.NamedTemporaryFile() as trace:
        # -D: the server is our child, so that we can stop and end it.
        command = ["strace", "-D", "-f", "-qq", "-o", trace.name, "-e", f"trace={CALLS}"]
        for call, how in inject.items():
            command += ["-e", f"inject={call}:{how}"]
        command += [built.program("bench_server"), "--port", "0", *args]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield Faulty(process, trace.name)
            finally:
                process.kill()


def until(condition: Callable[[], bool]) -> None:
    """Waits until `condition` holds; fails after the deadline."""
    since = monotonic()
    while not condition():
        if monotonic() - since > DEADLINE:
            raise TimeoutError("the condition did not hold before the deadline")
        sleep(0.005)
