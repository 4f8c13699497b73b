"""Run the long tests with their progress, and say at the end what was done: `make soak`.

SOAK_OPERATIONS (1000000) and SOAK_KILLS (each fail-point, 500 at least) shorten it.
"""

import os
import re
import subprocess
import sys
import time

TESTS = ("tests/payouts/test_stateful.py", "tests/crashes/test_crash_matrix.py")


def main() -> int:
    begun = time.monotonic()
    # The matrix takes one process, the model's parts the other and then both.
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", *TESTS]
    operations, matrix = 0, "no kills"
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
            if found := re.search(r"\d+ kills hit \d+ of \d+ fail-points", line):
                matrix = found[0]
    minutes = (time.monotonic() - begun) / 60
    verdict = "all held" if tests.returncode == 0 else "SOMETHING FAILED"
    done = f"{operations:,} operations, {matrix}, in {minutes:.1f} min: {verdict}"
    sys.stdout.write(f"soak: {done}\n")
    return tests.returncode


if __name__ == "__main__":
    sys.exit(main())
