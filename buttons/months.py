"""Months, and the lock that puts every flattr into exactly one of them.

A month is a `date`, its first day, UTC. Everything that a close reads in its snapshot (a flattr, an
undo, a proof, a change of owner) holds the months' lock shared until its transaction ends; opening
a close holds it exclusively. It is an advisory lock of PostgreSQL, so no row is hot.
"""

from datetime import UTC, date, datetime
from typing import NamedTuple

from django.db import connection

from buttons.models import Month

# Any number will do, as long as nothing else in this database takes an advisory lock on it.
MONTHS_LOCK = 0x666C_6174_7472


class Held(NamedTuple):
    """The moment read after the lock was acquired, and the month that is open at it."""

    at: datetime
    month: date


def month_of(moment: datetime) -> date:
    """Return the month, in UTC, that a moment falls into; a naive moment is our mistake."""
    assert moment.tzinfo is not None, "a moment without a time zone has no month"
    return moment.astimezone(UTC).date().replace(day=1)


def next_month(month: date) -> date:
    return months_before(month, -1)


def months_before(month: date, count: int) -> date:
    """Return the month that lies `count` months before; a negative count looks ahead."""
    years, index = divmod(month.year * 12 + month.month - 1 - count, 12)
    return date(years, index + 1, 1)


def months_between(earlier: date, later: date) -> int:
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def hold_months_shared() -> Held:
    """Keep any close from opening until this transaction ends, and return the open month.

    Take it before any row lock: the close takes it before its own.
    """
    return _hold("SELECT pg_advisory_xact_lock_shared(%s)")


def hold_months_exclusively() -> Held:
    """Wait for every flattr under way, and keep others out until this transaction ends.

    The month returned is the one that is open before the caller opens it for closing.
    """
    return _hold("SELECT pg_advisory_xact_lock(%s)")


def _hold(lock_sql: str) -> Held:
    assert connection.in_atomic_block, "the months' lock is held until a transaction ends"
    with connection.cursor() as cursor:
        cursor.execute(lock_sql, [MONTHS_LOCK])
    return read_clock()


def current_month() -> date:
    """Return the month that a flattr made now would most likely fall into, for pages to show."""
    return read_clock().month


def read_clock() -> Held:
    """Return the database's time, and the later of its month and the first not opened for closing.

    A statement of its own: the one that waited for the lock began, and took its snapshot, before
    the lock was acquired, so its time and its months may be those of before the close.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT clock_timestamp(), max(month) FROM {Month._meta.db_table}")  # noqa: S608
        now, last_opened = cursor.fetchone()
    month = month_of(now)
    return Held(now, max(month, next_month(last_opened)) if last_opened else month)
