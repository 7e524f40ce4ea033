"""Runs all checks: `checks.py BUILT`, where BUILT is the file with the messages of cargo about the build."""

import sys
from importlib.metadata import version

import activation
import coap_clients
import dns_clients
import javascript
import model_client
import model_server
import ntp
import production
import proxies
import byte_echo
import python_types
import radius
import segments
import serializers
import syslog_senders
import tftp_clients
import tracker_clients
import unix
from programs import Built, run_all

CHECKS = [
    *activation.CHECKS,
    *coap_clients.CHECKS,
    *dns_clients.CHECKS,
    *javascript.CHECKS,
    *model_client.CHECKS,
    *model_server.CHECKS,
    *ntp.CHECKS,
    *production.CHECKS,
    *proxies.CHECKS,
    *byte_echo.CHECKS,
    *python_types.CHECKS,
    *radius.CHECKS,
    *segments.CHECKS,
    *serializers.CHECKS,
    *syslog_senders.CHECKS,
    *tftp_clients.CHECKS,
    *tracker_clients.CHECKS,
    *unix.CHECKS,
]


def main() -> int:
    print(
        f"easynetwork {version('easynetwork')}, ntplib {version('ntplib')}, {activation.version()}, "
        f"Python {sys.version.split()[0]}"
    )
    return run_all("interop", CHECKS, Built(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
