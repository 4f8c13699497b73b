"""A real Celery worker that SIGKILLs its child or itself at a point of the close.

KILL_AT names the point, KILL_WHOM is `child` or `parent`, and KILL_LOG is the file that takes
the point and the process id before the kill; where it is there, nobody is killed any more.
"""

import importlib
import os
import signal
from pathlib import Path

import django

from flattr_site.celery import app


def reached(point: str) -> None:
    log = Path(os.environ["KILL_LOG"])
    if point != os.environ["KILL_AT"] or log.exists():
        return
    whom = os.getpid() if os.environ["KILL_WHOM"] == "child" else os.getppid()
    log.write_text(f"{point} {os.environ['KILL_WHOM']} {whom}\n")
    os.kill(whom, signal.SIGKILL)
    # The child of a parent that is gone goes too, as when the machine loses its power.
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    django.setup()
    # Models can be imported only now.
    importlib.import_module("payouts.close").__dict__["reached"] = reached
    app.worker_main(["worker", "--concurrency=2", "--loglevel=WARNING", "--without-gossip"])
