"""Real processes that close a month, and kill themselves where they are told to."""

import multiprocessing
import os
import signal
from collections import Counter
from datetime import date
from multiprocessing.context import ForkProcess

from django.db import connections

from payouts import close

FORK = multiprocessing.get_context("fork")


def start_closer(month: date, kill_at: str = "", nth: int = 1) -> ForkProcess:
    """Start a process that closes the month, and dies by SIGKILL at the nth pass of a point."""
    # A child must not speak on its parent's connection.
    connections.close_all()
    process = FORK.Process(target=_close, args=(month, kill_at, nth))
    process.start()
    return process


def run_closer(month: date, kill_at: str = "", nth: int = 1) -> int:
    """Run such a process to its end and return its exit code, negative for a signal."""
    process = start_closer(month, kill_at, nth)
    process.join(timeout=60)
    assert process.exitcode is not None, "the closer hangs"
    return process.exitcode


def _close(month: date, kill_at: str, nth: int) -> None:
    passed: Counter[str] = Counter()

    def reached(point: str) -> None:
        passed[point] += 1
        if point == kill_at and passed[point] == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    close.reached = reached
    close.close_month(month)
    connections.close_all()
