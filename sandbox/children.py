"""Child processes that never outlive the sandbox that started them."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOG_LINES_SHOWN = 15


class Child:
    """One program in a process group of its own, its output in a log file.

    The group keeps Ctrl-C away from it: the sandbox stops its children one after another, the
    database last. On Linux the kernel also sends `stop_signal` when the sandbox itself is killed.
    """

    def __init__(self, name: str, log: Path, stop_signal: signal.Signals = signal.SIGTERM) -> None:
        self.name = name
        self.log = log
        self.stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._is_asked = False

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path,
        user: int | None = None,
    ) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent(self.stop_signal),
                user=user,
            )

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        """Send the stop signal once: a second one means "at once" to PostgreSQL and Celery."""
        if self.is_running() and not self._is_asked:
            self._is_asked = True
            os.kill(self.pid, self.stop_signal)

    def stop(self, wait_seconds: int = 10) -> None:
        """Ask, wait, then kill whatever is left of the group; a repeat does nothing."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not stop within {wait_seconds} s and is killed.", flush=True)
        _kill_group(self._process.pid)
        self._process.wait()
        self._process = None
        self._is_asked = False

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_LINES_SHOWN:])


def wait_until(condition: Callable[[], bool], seconds: float, step_seconds: float = 0.05) -> bool:
    """Return whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step_seconds)
    return True


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _die_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(stop_signal))
        # The parent may have died before the request.
        if os.getppid() != parent:
            os.kill(os.getpid(), stop_signal)

    return ask_kernel
