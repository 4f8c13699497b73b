"""Close a month by hand, with a progress bar; the beat does the same by itself."""

import re
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from buttons.months import current_month
from payouts.close import (
    CloseStuck,
    MonthDoesNotBalance,
    MonthNotOver,
    Progress,
    close_month,
    is_closed,
)

MONTH_RULE = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
BAR_CHARACTERS = 30


class Command(BaseCommand):
    shown = ""
    help = "Close a month, and before it each earlier one that is not closed; a repeat is harmless."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", nargs="?", help="such as 2026-10; with --now the current one")
        parser.add_argument(
            "--now",
            action="store_true",
            help="close the month that is under way at once (only in the sandbox)",
        )

    def handle(self, *, month: str | None, now: bool, **options: Any) -> None:
        if now and not settings.SANDBOX:
            raise CommandError("--now closes a month before it is over, which only SANDBOX allows.")
        closing = _month_to_close(month, is_early=now)
        if is_closed(closing):
            self.stdout.write(f"{closing:%Y-%m} is closed already.")
            return
        try:
            close_month(closing, is_early=now, report=self._show)
        except MonthNotOver:
            raise CommandError(_not_over(closing)) from None
        except MonthDoesNotBalance as error:
            raise CommandError(f"The month stays unclosed, its sums differ: {error}") from None
        except (CloseStuck, OperationalError) as error:
            raise CommandError(f"The close stopped and can be resumed: {error}") from None
        self.stdout.write(f"{closing:%Y-%m} is closed.")

    def _show(self, progress: Progress) -> None:
        """Draw the bar over itself on a terminal, and one line for each change in a log."""
        filled = BAR_CHARACTERS * progress.done // progress.total
        bar = "#" * filled + "." * (BAR_CHARACTERS - filled)
        counted = f"{progress.done}/{progress.total}"
        line = f"{progress.month:%Y-%m}  {progress.step:<8} [{bar}] {counted}"
        if line == self.shown:
            return
        self.shown = line
        if self.stdout.isatty():
            self.stdout.write(f"\r{line:<70}", ending="")
            is_last = progress.step == "Pay" and progress.done == progress.total
            self.stdout.write("\n" if is_last else "", ending="")
        else:
            self.stdout.write(line)


def _month_to_close(text: str | None, *, is_early: bool) -> date:
    if text is None and is_early:
        return current_month()
    found = MONTH_RULE.fullmatch(text or "")
    if not found or found[1] == "0000":
        raise CommandError("Say which month to close, such as 2026-10.")
    return date(int(found[1]), int(found[2]), 1)


def _not_over(month: date) -> str:
    if month > current_month():
        return f"{month:%Y-%m} lies in the future."
    hint = ", unless you add --now" if settings.SANDBOX else ""
    return f"{month:%Y-%m} is not over: it can be closed once the next month begins (UTC){hint}."
