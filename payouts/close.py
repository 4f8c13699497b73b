"""The month's close: the only place that divides a month.

The database is the truth. Every piece of work is a `Chunk`, claimed and done in one transaction, so
any number of workers help, each may be killed at any line, and a repeat changes nothing:

    open      the month takes no more flattrs
    snapshot  ranges of users: budgets, means and proofs are written down
    divide    ranges of patrons: statements with their shares, funds -> pot
    sum up    slices of creators: what each thing earned, and statements
    pay       ranges of creators: pot -> revenue, revenue -> fees
    finish    what was given is what was earned, the pot is empty, statements become visible

What follows a close are chunks too, which hold nobody up: revenue that was held is released, and
after a large month statistics are taken.

What moves rows is SQL, one named statement with its reason for each file in `close_sql/`.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import Count, Max, Min, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from buttons.flattrs import record_subscribed
from buttons.models import Month
from buttons.months import (
    current_month,
    hold_months_exclusively,
    months_before,
    next_month,
)
from funds import ledger
from funds.models import LedgerAccount
from payouts.models import Chunk, CreatorStatement, MonthPatron

SQL = {path.stem: path.read_text() for path in Path(__file__).with_name("close_sql").glob("*.sql")}

Step = Chunk.Step
State = Chunk.State
# What follows a close.
AFTERWARDS = (Step.RELEASE, Step.ANALYZE)

# Fewer patrons in a chunk cost more statements, more make a killed worker lose more.
CHUNK_SIZE = 10_000
# A small month is cut smaller, so that several workers share it.
CHUNK_SIZE_MIN = 1_000
CHUNKS_MIN = 4
# Budgets are written down by ranges of users; people who own many things are not spread evenly.
SNAPSHOT_SIZE = 100_000
SNAPSHOTS_MIN = 16
# Summing up goes through all shares of the month for each slice of creators: one slice for each
# worker who is there to take it, and more where the sums of one would not fit into memory.
SLICES_MAX = 4
CHUNKS_PER_SLICE = 100
# Autovacuum is in time for a smaller month; after a larger one queries are planned for what was.
ANALYZE_FLATTRS_MIN = 10_000

# Sorts of one chunk's flattrs fit into this; the server's default spills them to disk.
WORK_MEM = "64MB"

# A chunk that fails for what passes (a deadlock, a lost connection, a full disk) is tried again
# after 0.2, 0.8, 3.2 ... seconds.
PAUSE = timedelta(milliseconds=50)
PAUSE_MAX = timedelta(seconds=60)
ATTEMPTS_MAX = 6

# The others are at work: look again after this long.
POLL = timedelta(milliseconds=20)

# These say that a row of the chunk is at fault, so that halving the chunk finds it. Everything
# else (a lost connection, a missing right, our own mistake) concerns every row alike.
FAULTS_OF_ROWS = (
    DataError,
    IntegrityError,
    InternalError,
    ledger.InsufficientFunds,
    ledger.TransferConflict,
    ledger.TransferRefused,
)

# How to find the row at fault.
MIDDLE_OF: dict[str, str] = {Step.DIVIDE: "middle_patron", Step.PAY: "middle_creator"}

logger = logging.getLogger(__name__)


class MonthNotOver(Exception):
    """Flattrs can still be made in that month, or it lies ahead."""


class MonthDoesNotBalance(Exception):
    """What patrons gave is not what creators earned; the month stays unclosed."""


class CloseStuck(Exception):
    """A chunk keeps failing for a reason that concerns every row; the message is the last one."""


@dataclass(frozen=True)
class Progress:
    """How far the close of a month is, for people who wait."""

    month: date
    step: str
    done: int
    total: int


def reached(point: str) -> None:
    """Mark a statement boundary: tests replace this to kill the process at every one of them."""


def close_month(
    month: date, *, is_early: bool = False, report: Callable[[Progress], None] | None = None
) -> None:
    """Close a month, and before it each earlier one that is not closed; a repeat does nothing.

    Others may be closing it too: it returns once the month is closed, whoever did the work.
    `is_early` closes the current month before it is over, in the sandbox. Raises MonthNotOver,
    MonthDoesNotBalance or CloseStuck.
    """
    if not _is_closable(month, current_month(), is_early):
        raise MonthNotOver(f"{month:%Y-%m} is not over yet.")
    for unclosed in months_to_close(month):
        attempts = 0
        while not is_closed(unclosed):
            try:
                open_month(unclosed, is_early=is_early)
                if not help_close(unclosed, report=report):
                    time.sleep(POLL.total_seconds())
            except (InterfaceError, OperationalError):
                # A lost connection or a lock that took too long, outside any chunk.
                attempts += 1
                if attempts == ATTEMPTS_MAX:
                    raise
                logger.exception("the close of %s is tried again", unclosed)
                time.sleep(_pause(attempts).total_seconds())
    record_subscribed_now()


def record_subscribed_now(stop_at: datetime | None = None) -> int:
    """Record what subscriptions lack in the open month, once every earlier month is closed.

    Before that it is not known what waits; a flattr that waits is not made a second time.
    """
    month, unclosed = current_month(), first_unclosed_month()
    if unclosed and unclosed < month:
        return 0
    return record_subscribed(month, stop_at=stop_at)


def is_closed(month: date) -> bool:
    return Month.objects.filter(pk=month, state=Month.State.CLOSED).exists()


def months_to_close(last: date) -> list[date]:
    """Return the months up to `last` that are not closed, in the order in which they are closed.

    Without a gap: a month in which nobody flattred is closed too, since what waits may count in
    it. The first month of an instance is that of its first flattr.
    """
    month = first_unclosed_month() or last
    months = []
    while month <= last:
        months.append(month)
        month = next_month(month)
    return months


def due_months() -> list[date]:
    """Return the months that are over and not closed, earliest first."""
    first = first_unclosed_month()
    return months_to_close(months_before(current_month(), 1)) if first else []


def first_unclosed_month() -> date | None:
    """Return the earliest month that is not closed, or None on an instance without a flattr."""
    # One statement, so one moment: between two, another process may open a month for closing.
    found = Month.objects.aggregate(
        closing=Min("month", filter=Q(state=Month.State.CLOSING)),
        closed=Max("month", filter=Q(state=Month.State.CLOSED)),
    )
    if found["closing"]:
        closing: date = found["closing"]
        return closing
    if found["closed"]:
        return next_month(found["closed"])
    first: date | None = _first_row("first_flattrs_month", {})[0]
    return first


def open_month(month: date, *, is_early: bool = False) -> None:
    """Let no more flattrs into a month, and plan to write down who gives and who may receive.

    Only the first of these holds the months' lock, and for one row, so that clicks hardly wait.
    The second is found undone by whoever comes next.
    """
    # Who comes by to help needs no lock to see that it was opened: it is never opened again.
    if not Month.objects.filter(pk=month).exists():
        # Every tick of the month did so too, unless none came.
        record_subscribed(month)
        reached("open: subscriptions recorded")
        with transaction.atomic():
            held = hold_months_exclusively()
            reached("open: locked")
            if not Month.objects.filter(pk=month).exists():
                if not _is_closable(month, held.month, is_early):
                    raise MonthNotOver(f"{month:%Y-%m} is not over yet.")
                Month.objects.create(month=month, opened_at=held.at)
            reached("open: month written")
        reached("open: committed")
    _plan_snapshot(month)


def help_close(
    month: date,
    *,
    report: Callable[[Progress], None] | None = None,
    stop_at: datetime | None = None,
) -> bool:
    """Work on a month until nothing is left to claim, and return whether it is closed.

    It is not where others still work on it, where a chunk waits to be tried again, or where the
    time to stop has come.
    """
    _plan_snapshot(month)
    while _work_on_a_chunk(month) or _advance(month):
        if report:
            report(progress_of(month))
        if stop_at and timezone.now() > stop_at:
            break
    return is_closed(month)


def follow_up_closes() -> None:
    """Release revenue that was held, where its days are over, and take statistics left undone."""
    due = Chunk.objects.filter(step__in=AFTERWARDS, state=State.DUE, next_try_at__lte=Now())
    for month in due.values_list("month_id", flat=True).distinct():
        while _work_on_a_chunk(month):
            continue


def progress_of(month: date) -> Progress:
    """Return the step that a month is in, and how many of its chunks are done."""
    rows = (
        Chunk.objects.filter(month=month)
        .exclude(state=State.SPLIT)
        .exclude(step__in=AFTERWARDS)
        .values("step")
        .annotate(done=Count("id", filter=~Q(state=State.DUE)), total=Count("id"))
    )
    by_step = {row["step"]: row for row in rows}
    for step in (Step.PAY, Step.SUM_UP, Step.DIVIDE, Step.SNAPSHOT):
        if step in by_step:
            row = by_step[step]
            return Progress(month, str(step.label), row["done"], row["total"])
    return Progress(month, "Open", 0, 1)


def _is_closable(month: date, open_month: date, is_early: bool) -> bool:
    """Say whether a month may be opened for closing, while flattrs fall into `open_month`."""
    return month < open_month or (is_early and settings.SANDBOX and month == open_month)


def _plan_snapshot(month: date) -> None:
    """Make the chunks that write down budgets, means and proofs, once."""
    if Chunk.objects.filter(month=month).exists():
        return
    with transaction.atomic():
        _hold_month(month)
        if not Chunk.objects.filter(month=month).exists():
            _run("chunk_users", {"month": month, **_sizes()})
            reached("snapshot: chunked")
    reached("snapshot: planned")


def _hold_month(month: date) -> Month:
    """Lock the month's row, so that one worker at a time begins its next step.

    Not for the key, since statements that are being written refer to it.
    """
    return Month.objects.select_for_update(no_key=True).get(pk=month)


def _work_on_a_chunk(month: date) -> bool:
    """Claim a chunk and do it, in one transaction; return False where there is none to claim."""
    chunk = None
    try:
        with transaction.atomic():
            chunk = next(iter(Chunk.objects.raw(SQL["claim_chunk"], {"month": month})), None)
            if chunk is None:
                return False
            reached(f"{chunk.step}: claimed")
            _run("set_for_chunk", {"work_mem": WORK_MEM})
            DO[chunk.step](chunk)
            _run("finish_chunk", {"chunk_id": chunk.pk})
            reached(f"{chunk.step}: written")
        reached(f"{chunk.step}: committed")
    # Whatever it was, it is written down with the chunk and logged, and others go on.
    except Exception as error:
        if chunk is None:
            raise
        logger.exception("chunk %s of %s failed", chunk.pk, month)
        _record_failure(chunk, error)
    return True


def _snapshot(chunk: Chunk) -> None:
    """Write down the budgets of a range of users, and what of theirs may receive.

    All that concerns one user is decided here, so that the order of ranges cannot matter.
    """
    params = {
        **_range_of(chunk),
        "budget_min_micros": settings.BUDGET_MIN_MICROS,
        "give_to_receive": settings.GIVE_TO_RECEIVE,
    }
    ledger.ensure_accounts(SQL["funds_accounts"], params)
    reached("snapshot: accounts opened")
    [locked, *_] = _first_row("lock_short_of_means", params)
    # Nearly always nobody of a range is short: looking once more whose revenue covers it is saved.
    if locked:
        ledger.post_rows(SQL["reuse"], params)
    reached("snapshot: revenue reused")
    _run("snapshot_patrons", params)
    _run("snapshot_things", params)


def _divide(chunk: Chunk) -> None:
    """Divide the budgets of a range of patrons over what they flattred."""
    params = {
        **_range_of(chunk),
        "expires_month": months_before(chunk.month_id, settings.WAITING_MONTHS),
    }
    _run("lock_funds", params)
    _run("lock_waiting", params)
    reached("divide: locked")
    _run("end_waiting", params)
    _run("shares", params)
    reached("divide: shares written")
    _run("count_waiting", params)
    reached("divide: flattrs written")
    ledger.post_rows(SQL["month_budget"], params)
    reached("divide: transfers written")


def _sum_up(chunk: Chunk) -> None:
    """Write the statements of a slice of the creators, and open their accounts."""
    is_held = settings.REVENUE_HOLD_DAYS > 0
    params = {
        **_range_of(chunk),
        "currency": chunk.currency,
        "slices": SLICES_MAX,
        "is_whole": chunk.last_id - chunk.first_id == SLICES_MAX - 1,
        "fee_basis_points": settings.FEE_BASIS_POINTS,
        "codes": ["revenue", "revenue_held"] if is_held else ["revenue"],
    }
    _run("set_for_sums", {})
    _run("creator_statements", params)
    reached("sum_up: statements written")
    ledger.ensure_accounts(SQL["revenue_accounts"], params)
    ledger.ensure_accounts(SQL["fees_accounts"], params)
    reached("sum_up: accounts opened")


def _pay(chunk: Chunk) -> None:
    """Pay a range of creators out of the pot, less the fee."""
    params = _range_of(chunk)
    ledger.post_rows(SQL["month_revenue"], params)
    reached("pay: revenue written")
    if Chunk.objects.filter(month=chunk.month_id, step=Step.RELEASE).exists():
        ledger.post_rows(SQL["revenue_hold"], params)
        reached("pay: hold written")


def _release(chunk: Chunk) -> None:
    """Give a range of creators the revenue of the month that was held."""
    ledger.post_rows(SQL["revenue_release"], _range_of(chunk))


def _analyze(chunk: Chunk) -> None:
    """Take statistics of what the month wrote: in a transaction of its own, when it is paid."""
    _run("analyze_closed", {})


DO: dict[str, Callable[[Chunk], None]] = {
    Step.SNAPSHOT: _snapshot,
    Step.DIVIDE: _divide,
    Step.SUM_UP: _sum_up,
    Step.PAY: _pay,
    Step.RELEASE: _release,
    Step.ANALYZE: _analyze,
}


def _advance(month: date) -> bool:
    """Begin the next step where the last one is done; return whether anything was begun."""
    chunks = Chunk.objects.filter(month=month).exclude(step__in=AFTERWARDS)
    due = chunks.filter(state=State.DUE)
    # Most who come by find others at work, and need no lock to see it.
    if due.exists():
        return False
    with transaction.atomic():
        row = _hold_month(month)
        if row.state == Month.State.CLOSED or due.exists():
            return False
        steps = set(chunks.values_list("step", flat=True).distinct())
        if Step.PAY in steps:
            _finish(row)
        elif Step.SUM_UP in steps:
            _plan_pay(month)
        elif Step.DIVIDE in steps:
            _plan_sum_up(month)
        else:
            _plan_divide(month)
        reached("advance: written")
    reached("advance: committed")
    return True


def _plan_divide(month: date) -> None:
    """Make the chunks of patrons, and the month's pots."""
    params = {"month": month, "currencies": settings.CURRENCIES, **_sizes()}
    ledger.ensure_accounts(SQL["pot_accounts"], params)
    for statement in ("analyze_snapshot", "chunk_patrons"):
        _run(statement, params)


def _plan_sum_up(month: date) -> None:
    """Make the slices of creators, for each currency."""
    divided = Chunk.objects.filter(month=month, step=Step.DIVIDE).aggregate(
        chunks=Count("id"), workers=Count("done_by", distinct=True)
    )
    count = min(SLICES_MAX, max(divided["workers"], 1 + divided["chunks"] // CHUNKS_PER_SLICE))
    edges = [SLICES_MAX * place // count for place in range(count + 1)]
    pots = LedgerAccount.objects.filter(user=None, code=LedgerAccount.Code.POT, month=month)
    Chunk.objects.bulk_create(
        Chunk(month_id=month, step=Step.SUM_UP, currency=currency, first_id=first, last_id=last - 1)
        for currency in pots.order_by("currency").values_list("currency", flat=True)
        for first, last in pairwise(edges)
    )


def _plan_pay(month: date) -> None:
    params = {"month": month, **_sizes()}
    if settings.REVENUE_HOLD_DAYS > 0:
        held = {"step": Step.RELEASE, "days": settings.REVENUE_HOLD_DAYS}
        _run("chunk_creators", params | held)
    _run("chunk_creators", params | {"step": Step.PAY, "days": 0})


def _finish(row: Month) -> None:
    """Close the month, if what was given is what was earned and its pots are empty."""
    with connection.cursor() as cursor:
        cursor.execute(SQL["balance"], {"month": row.month})
        for currency, given, *others, into_pot, out_of_pot in cursor.fetchall():
            amounts = {given, *others, into_pot, out_of_pot}
            if len(amounts) != 1:
                raise MonthDoesNotBalance(f"{row.month:%Y-%m} in {currency}: {sorted(amounts)}")
    counted = CreatorStatement.objects.filter(month=row).aggregate(flattrs=Sum("flattrs"))
    if (counted["flattrs"] or 0) >= ANALYZE_FLATTRS_MIN:
        Chunk.objects.create(month=row, step=Step.ANALYZE, first_id=0, last_id=0)
    Month.objects.filter(pk=row.pk).update(state=Month.State.CLOSED, closed_at=Now())


def _record_failure(chunk: Chunk, error: Exception) -> None:
    """Halve a chunk whose row is at fault, and try every other one again after a pause.

    One patron who is at fault is set aside; one creator is tried again, since the month cannot be
    closed while the pot holds what is theirs.
    """
    connection.close_if_unusable_or_obsolete()
    attempts = chunk.attempts + 1
    written = {"attempts": attempts, "last_error": f"{type(error).__name__}: {error}"[:500]}
    is_fault_of_row = isinstance(error, FAULTS_OF_ROWS)
    with transaction.atomic():
        due = Chunk.objects.select_for_update().filter(pk=chunk.pk, state=State.DUE)
        if not due.exists():
            # Another worker came by meanwhile, and did it or halved it.
            return
        if is_fault_of_row and _halve(chunk):
            due.update(**written, state=State.SPLIT)
            return
        if is_fault_of_row and chunk.step == Step.DIVIDE:
            due.update(**written, state=State.NEEDS_ATTENTION, done_at=Now())
            _set_patron_aside(chunk)
            return
        due.update(**written, next_try_at=Now() + _pause(attempts))
    if attempts >= ATTEMPTS_MAX:
        raise CloseStuck(written["last_error"]) from error


def _pause(attempts: int) -> timedelta:
    factor: int = 4 ** min(attempts, ATTEMPTS_MAX)
    return min(PAUSE * factor, PAUSE_MAX)


def _halve(chunk: Chunk) -> bool:
    """Put two chunks in the place of one; return False where there is nothing left to halve."""
    if chunk.step not in MIDDLE_OF:
        return False
    found = _first_row(MIDDLE_OF[chunk.step], _range_of(chunk))
    if not found:
        return False
    [middle] = found
    for first_id, last_id in ((chunk.first_id, middle - 1), (middle, chunk.last_id)):
        Chunk.objects.create(
            month_id=chunk.month_id, step=chunk.step, first_id=first_id, last_id=last_id
        )
    return True


def _set_patron_aside(chunk: Chunk) -> None:
    """Mark the one patron of a chunk for an admin; their flattrs wait for the next close."""
    MonthPatron.objects.filter(
        month=chunk.month_id, patron_id__gte=chunk.first_id, patron_id__lte=chunk.last_id
    ).update(needs_attention=True)
    try:
        with transaction.atomic():
            _run("defer", _range_of(chunk))
    except FAULTS_OF_ROWS:
        # Then the flattrs themselves are at fault, and stay as they are for the admin to see.
        logger.exception("flattrs of patron %s cannot wait", chunk.first_id)


def _sizes() -> dict[str, int]:
    return {
        "chunk_size": CHUNK_SIZE,
        "chunk_size_min": CHUNK_SIZE_MIN,
        "chunks_min": CHUNKS_MIN,
        "snapshot_size": SNAPSHOT_SIZE,
        "snapshots_min": SNAPSHOTS_MIN,
    }


def _range_of(chunk: Chunk) -> dict[str, Any]:
    return {"month": chunk.month_id, "first_id": chunk.first_id, "last_id": chunk.last_id}


def _run(name: str, params: dict[str, Any]) -> None:
    """Execute one named statement."""
    with connection.cursor() as cursor:
        cursor.execute(SQL[name], params)


def _first_row(name: str, params: dict[str, Any]) -> tuple[Any, ...]:
    """Execute one named statement and return its first row, empty where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(SQL[name], params)
        return cursor.fetchone() or ()
