"""Run the long tests with their progress, and say at the end what was done: `make soak`.

SOAK_OPERATIONS (1000000) and SOAK_KILLS (each fail-point, 500 at least) shorten it.
"""

import os
import re
import subprocess
import sys
import time

TESTS = ("tests/crashes/test_crash_matrix.py", "tests/payouts/test_stateful.py")


def main() -> int:
    begun = time.monotonic()
    # The longest flow of the matrix mostly waits, so the model's parts and the other flows keep the
    # cores busy beside it.
    command = [sys.executable, "-m", "pytest", "-q", "-n", "3", "--dist", "worksteal", *TESTS]
    operations, kills, hit, points = 0, 0, 0, 0
    with subprocess.Popen(
        command,
        env={**os.environ, "SOAK": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as tests:
        assert tests.stdout is not None
        for line in tests.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if found := re.search(r"(\d+) operations in ", line):
                operations += int(found[1])
            if found := re.search(r"(\d+) kills hit (\d+) of (\d+) fail-points", line):
                kills, hit, points = (
                    counted + int(more)
                    for counted, more in zip((kills, hit, points), found.groups(), strict=True)
                )
    minutes = (time.monotonic() - begun) / 60
    verdict = "all held" if tests.returncode == 0 else "SOMETHING FAILED"
    matrix = f"{kills} kills hit {hit} of {points} fail-points"
    done = f"{operations:,} operations, {matrix}, in {minutes:.1f} min: {verdict}"
    sys.stdout.write(f"soak: {done}\n")
    return tests.returncode


if __name__ == "__main__":
    sys.exit(main())
