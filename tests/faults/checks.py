"""Runs all checks: `checks.py BUILT`, where BUILT is the file with the messages of cargo about the build."""

import sys

import receiving
import sending
from programs import Built, run_all

if __name__ == "__main__":
    sys.exit(run_all("faults", [*receiving.CHECKS, *sending.CHECKS], Built(sys.argv[1])))
