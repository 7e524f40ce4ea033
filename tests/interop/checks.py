"""Runs all checks: `checks.py BUILT`, where BUILT is what cargo said while it built the examples."""

import signal
import sys
from importlib.metadata import version

import model_client
import model_server
import ntp
import octets
from programs import Built

CHECKS = [*model_client.CHECKS, *model_server.CHECKS, *ntp.CHECKS, *octets.CHECKS]


def main() -> int:
    # As an exception it passes through every `with`, so that nothing that was started stays.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("interop: not done in time"))
    print(f"easynetwork {version('easynetwork')}, ntplib {version('ntplib')}, Python {sys.version.split()[0]}")
    built = Built(sys.argv[1])
    failed = 0
    for check in CHECKS:
        try:
            check(built)
        except Exception as error:
            failed += 1
            print(f"FAILED  {check.__doc__}: {type(error).__name__}: {error}", flush=True)
        else:
            print(f"ok      {check.__doc__}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
