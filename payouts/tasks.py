"""What the beat asks for. PostgreSQL knows what is due: a lost or doubled message does no harm."""

import time
from datetime import date, timedelta

from celery import shared_task
from django.utils import timezone

from payouts import close

# As many as might be idle: one too many finds nothing to claim.
HELPERS = 8

# Less than the minute between two ticks, which send new helpers as long as the month is unclosed.
HELP = timedelta(seconds=50)


@shared_task
def close_due_months() -> None:
    """Open the earliest month that is over and not closed, and call for help with it."""
    for month in close.due_months()[:1]:
        close.open_month(month)
        for _ in range(HELPERS):
            help_close.delay(month.isoformat())


@shared_task
def help_close(month_text: str) -> None:
    """Work on a month until it is closed or time is up; then see whether another one is due."""
    month = date.fromisoformat(month_text)
    stop_at = timezone.now() + HELP
    while not close.help_close(month, stop_at=stop_at):
        if timezone.now() > stop_at:
            return
        time.sleep(close.POLL.total_seconds())
    close_due_months.delay()


@shared_task
def release_revenue() -> None:
    """Release the revenue whose hold is over."""
    close.release_due_revenue()
