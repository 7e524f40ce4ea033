"""ntplib's client and packets against our `custom_protocol`."""

import socket
import subprocess
import time

import ntplib

from programs import DEADLINE, Built, expect


def our_server(built: Built) -> None:
    """ntplib's client, our SNTP server: it sends the time, in versions 1 to 4"""
    with built.serving("custom_protocol", "serve", "127.0.0.1:0") as (host, port):
        for version in (1, 2, 3, 4):
            response = ntplib.NTPClient().request(host, version, port, DEADLINE)
            expect((response.version, response.mode, response.leap), (version, 4, 0))
            expect((response.stratum, response.precision, response.ref_id), (1, -20, 0x4C4F434C))
            expect(abs(response.offset) < 5 and 0 <= response.delay < 5, True)
            expect(abs(response.tx_time - time.time()) < 5, True)


def our_client(built: Built) -> None:
    """our SNTP client, ntplib's packets: it notices that the server is an hour ahead"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.settimeout(DEADLINE)
        server.bind(("127.0.0.1", 0))
        host, port = server.getsockname()
        command = [built.program("custom_protocol"), "ask", f"{host}:{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            try:
                datagram, peer = server.recvfrom(65535)
                server.sendto(an_hour_ahead(datagram), peer)
                lines, _ = client.communicate(timeout=DEADLINE)
            finally:
                client.kill()
    stratum, offset = lines.splitlines()
    expect(stratum, "stratum 3, TEST")
    seconds = float(offset.removeprefix("our clock is off by ").split(" ")[0])
    expect(abs(seconds - 3600) < 5, True)


def an_hour_ahead(datagram: bytes) -> bytes:
    request = ntplib.NTPPacket()
    request.from_data(datagram)
    expect((len(datagram), request.version, request.mode), (48, 4, 3))
    response = ntplib.NTPPacket(version=4, mode=4)
    response.stratum, response.ref_id = 3, int.from_bytes(b"TEST")
    response.recv_timestamp = response.tx_timestamp = ntplib.system_to_ntp_time(time.time() + 3600)
    # A float cannot hold all 64 bits of a timestamp, so the timestamp of the client is copied as bytes.
    reply = bytearray(response.to_data())
    reply[24:32] = datagram[40:48]
    return bytes(reply)


CHECKS = [our_server, our_client]
