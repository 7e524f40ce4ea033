"""socat and nc against the byte echo of our `bench_server`."""

from collections.abc import Callable

from programs import Built, connected, expect, finished

# Bytes that are neither text nor a line.
REQUEST = bytes(range(256))


def echo(name: str, command: Callable[[str, int], list[str]], handler: str) -> Callable[[Built], None]:
    def check(built: Built) -> None:
        with built.serving("bench_server", "--port", "0", "--handler", handler) as (host, port):
            expect(finished(command(host, port), REQUEST), REQUEST)

    check.__doc__ = f"{name}, our byte echo ({handler}): bytes come back"
    return check


def socat(host: str, port: int) -> list[str]:
    return ["socat", "-t1", "-", f"UDP4:{host}:{port}"]


def nc(host: str, port: int) -> list[str]:
    return ["nc", "-u", "-w1", host, str(port)]


def any_length(built: Built) -> None:
    """a plain socket, our byte echo: datagrams of 0 to 65,507 bytes come back"""
    with built.serving("bench_server", "--port", "0") as addr, connected(addr) as plain:
        for length in (0, 1, 1472, 1473, 9000, 65507):
            plain.send(b"\xa5" * length)
            expect(plain.recv(65535), b"\xa5" * length)


CHECKS = [
    echo("socat", socat, "one-shot"),
    echo("socat", socat, "loop"),
    echo("nc -u", nc, "one-shot"),
    echo("nc -u", nc, "loop"),
    any_length,
]
