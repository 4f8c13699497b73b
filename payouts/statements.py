"""What a closed month says to one person: what they gave to whom, and what earned them how much.

Nothing of a month is shown before it is closed. Every page reads a fixed number of statements.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import F, Q, QuerySet

from accounts.models import User
from buttons.models import Flattr, Month, Thing
from buttons.months import current_month
from funds.budgets import has_means_to_receive
from funds.models import LedgerAccount
from payouts.models import CreatorStatement, PatronStatement, Share, ThingStatement

CLOSED = Q(month__state=Month.State.CLOSED)

WHY_WAITING = {
    "unproven": "Nobody has proven that it is theirs yet",
    "inactive": "Its owner has left",
    "means": "Its owner cannot receive yet: only who gives receives",
}


@dataclass(frozen=True)
class Balance:
    """What somebody has earned and not withdrawn, in one currency."""

    currency: str
    available_micros: int
    held_micros: int


def patron_statements_of(user: User) -> QuerySet[PatronStatement]:
    """Return the statements of closed months, newest first."""
    return user.patron_statements.filter(CLOSED).order_by("-month").select_related("month")


def creator_statements_of(user: User) -> QuerySet[CreatorStatement]:
    """Return the statements of closed months, newest first; one for each currency."""
    return user.creator_statements.filter(CLOSED).order_by("-month", "currency")


def shares_given(statement: PatronStatement) -> QuerySet[Share]:
    """Return the rows behind a patron's statement, in the order in which they were pressed."""
    return (
        Share.objects.filter(month=statement.month_id, patron_id=statement.patron_id)
        # Not joined: nobody can say beforehand how many flattrs a statement lists, and for the
        # thousand that are taken for granted all things would be read.
        .prefetch_related("flattr", "thing", "creator")
        .order_by("place")
    )


def shares_received(creator_id: int, month: date) -> QuerySet[Share]:
    """Return what a month's flattrs brought a creator, found by way of the things that earned."""
    things = ThingStatement.objects.filter(month=month, creator_id=creator_id)
    counted = Flattr.objects.filter(
        Q(state=Flattr.State.MADE, month=month) | Q(state=Flattr.State.COUNTED, month__lt=month),
        thing_id__in=things.values("thing_id"),
    )
    return Share.objects.filter(
        month=month, creator_id=creator_id, patron_id__in=counted.values("patron_id")
    )


def flattrs_not_counted(statement: PatronStatement) -> QuerySet[Flattr]:
    """Return what the close of the month left waiting, whatever became of it since.

    What expired in that close, or turned out to be the patron's own, is among them.
    """
    month = statement.month
    return (
        Flattr.objects.filter(patron_id=statement.patron_id, month__lte=month.month)
        .filter(
            Q(state=Flattr.State.WAITING)
            | Q(state=Flattr.State.COUNTED, ended_at__gt=month.closed_at)
            | Q(
                state__in=[Flattr.State.DROPPED, Flattr.State.EXPIRED],
                ended_at__gt=month.opened_at,
            )
        )
        .select_related("thing__owner")
        .order_by("created_at", "id")
    )


def why_waiting(flattr: Flattr) -> str:
    """Say why a flattr is not counted yet, from how things stand now."""
    owner = flattr.thing.owner
    if flattr.state != Flattr.State.WAITING:
        return str(flattr.get_state_display())
    if owner is None:
        return WHY_WAITING["unproven"]
    return WHY_WAITING["means" if owner.is_active else "inactive"]


def things_that_earned(user: User, month: date) -> QuerySet[ThingStatement, Any]:
    """Return what each thing of a creator earned in a month before the fee, most first."""
    return (
        user.thing_statements.filter(month=month)
        .values("thing_id", "currency", "gross_micros", "flattrs")
        .order_by("-gross_micros", "thing_id", "currency")
    )


def with_things(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the thing beside each row that is shown, instead of joining it to every row."""
    there = list(rows)
    things = Thing.objects.in_bulk([row["thing_id"] for row in there])
    return [{**row, "thing": things[row["thing_id"]]} for row in there]


def balances_of(user: User) -> list[Balance]:
    """Return what a creator can withdraw now and what is held, in each currency they earned in."""
    codes = LedgerAccount.Code
    rows = (
        user.ledger_accounts.filter(code__in=[codes.REVENUE, codes.REVENUE_HELD])
        .annotate(
            left_micros=F("credits_posted_micros")
            - F("debits_posted_micros")
            - F("debits_pending_micros")
        )
        .order_by("currency")
        .values_list("currency", "code", "left_micros")
    )
    by_code = {(currency, code): left_micros for currency, code, left_micros in rows}
    currencies = sorted({user.currency, *(currency for currency, _ in by_code)})
    return [
        Balance(
            currency,
            by_code.get((currency, codes.REVENUE), 0),
            by_code.get((currency, codes.REVENUE_HELD), 0),
        )
        for currency in currencies
    ]


def flattrs_waiting_for(user: User) -> int:
    """Count the flattrs that wait for this owner, as the dashboard does.

    Those of the open month belong to them while the owner cannot receive: its close would leave
    them waiting.
    """
    waiting = Q(state=Flattr.State.WAITING)
    if not has_means_to_receive(user):
        waiting |= Q(state=Flattr.State.MADE, month=current_month())
    return Flattr.objects.filter(waiting, thing__owner=user).count()
