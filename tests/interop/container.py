"""What the Dockerfile of the example `production` makes, without Docker: `container.py PROGRAM`.

The image has one static program and nothing else. So a folder with that program as its root, no other file, and a user
without rights is what the container is. hadolint, of PyPI, reads the Dockerfile if it is there.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from production import asked, line_with, page
from programs import connected, expect, lines_of

DOCKERFILE = Path(__file__).resolve().parent.parent.parent / "examples" / "production" / "Dockerfile"


def main() -> int:
    program = sys.argv[1]
    if hadolint := shutil.which("hadolint"):
        subprocess.run([hadolint, str(DOCKERFILE)], check=True, timeout=60)
        print("ok      hadolint, Dockerfile: no complaint")
    expect("statically linked" in subprocess.check_output(["file", "-L", program], text=True)
           or "static-pie linked" in subprocess.check_output(["file", "-L", program], text=True), True)
    with tempfile.TemporaryDirectory() as root:
        shutil.copy(program, f"{root}/production")
        Path(root).chmod(0o755)
        command = ["chroot", "--userspec=65532:65532", root, "/production", "--operators", "127.0.0.1:0", "127.0.0.1:0"]
        with lines_of(command) as (service, lines):
            addr = line_with(lines, "127.0.0.1:").split(": ")[0]
            operators = line_with(lines, "operators: ").removeprefix("operators: ")
            host, port = addr.rsplit(":", 1)
            with connected((host, int(port))) as sensor:
                expect(asked(sensor, 20.5), {"mean": 20.5})
            expect(page(operators, "ready")[0], 200)
            service.terminate()
            expect(service.wait(timeout=20), 0)
    print("ok      the program alone in a root without files, as a user without rights: serves and ends")
    return 0


if __name__ == "__main__":
    sys.exit(main())
