"""Create `.venv` and install the pinned requirements, with nothing but the standard library.

The syntax stays old on purpose, so that an old Python, 2.7 included, says what is wrong instead of
failing to parse the file.
"""

from __future__ import print_function

import fcntl
import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
LOCK = os.path.join(ROOT, "requirements-dev.txt")
PIP_OPTIONS = ["-qq", "--disable-pip-version-check", "--no-input", "--require-hashes", "--no-deps"]
STAMP = os.path.join(VENV, "installed")


def main():
    """Leave a `.venv` that holds the lock file's packages, or exit 1 with one sentence."""
    if sys.version_info < (3, 11):
        _refuse(
            "Flattr needs Python 3.11 or newer and found {}.{}: "
            "run `make PYTHON=python3.11 ...` with a newer one.".format(*sys.version_info[:2])
        )
    if not os.access(ROOT, os.W_OK):
        _refuse("The folder {} cannot be written to by this user.".format(ROOT))
    if _is_installed():
        return
    # Two commands in a fresh clone would install over each other. Opened for writing, as a lock is
    # where the folder is a network's.
    with open(LOCK, "r+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another command that sets up this folder ...", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        if not _is_installed():
            _install(held)


def _is_installed():
    return _read(STAMP) == _packages() + _interpreter() and os.path.exists(PYTHON)


def _install(held):
    packages, interpreter = _packages(), _interpreter()
    print("Installing the pinned requirements into .venv (only when they change) ...", flush=True)
    if not _read(STAMP).endswith(interpreter):
        _run(
            held,
            [sys.executable, "-m", "venv", "--clear", VENV],
            "Python's venv module did not work: install it (Debian: apt-get install python3-venv).",
        )
    _run(
        held,
        [PYTHON, "-m", "pip", "install"] + PIP_OPTIONS + ["-r", LOCK],  # noqa: RUF005
        "pip could not install the requirements: its message above says why.",
    )
    with open(STAMP, "w") as stamp:
        stamp.write(packages + interpreter)


def _packages():
    with open(LOCK, "rb") as lock:
        return hashlib.sha256(lock.read()).hexdigest() + "\n"


def _interpreter():
    """Name the interpreter and the place: a virtual environment can be moved to neither."""
    return "{} {}\n".format(sys.version.split()[0], VENV)


def _read(path):
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        return file.read()


def _run(held, command, sentence):
    # The lock goes with it: when this process is killed alone, its child still writes.
    if subprocess.call(command, cwd=ROOT, pass_fds=[held.fileno()]) != 0:
        _refuse(sentence)


def _refuse(sentence):
    print(sentence, file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
