"""Ctrl-C, `kill` and a closed terminal end the sandbox in the same orderly way."""

import os
import signal
import sys
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Somebody asked the sandbox to end; not an error, so no `except Exception` catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        # Ctrl-C is how this ends every day; make would call another code an error.
        self.exit_code = 0 if number == signal.SIGINT else 128 + number


def stop_on_signals() -> None:
    """Raise StopRequested on the first such signal; later ones cannot interrupt the stopping."""

    def request(number: int, frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise StopRequested(number)

    for each in SIGNALS:
        signal.signal(each, request)


def has_terminal() -> bool:
    """Tell whether the output goes to a terminal that is still there."""
    return os.isatty(1)


def say(text: str) -> None:
    """Print to the terminal as long as there is one."""
    try:
        print(text, flush=True)
    except OSError:
        # What is still in the buffer goes nowhere, instead of failing again at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
