"""Questions of an audit: a month's totals, and the way from a withdrawal back to its flattrs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.models import User
from funds import ledger
from funds.models import Transfer
from funds.provenance import Source, sources_of
from payouts.models import CreatorStatement, PatronStatement, Share, Withdrawal
from payouts.statements import shares_received
from payouts.withdrawals import fact_of


@dataclass(frozen=True)
class Amounts:
    """What a month moved in one currency, in micro-units."""

    currency: str
    given: int
    fees: int


@dataclass
class Totals:
    """A month in figures; all zero while nothing of it is divided."""

    patrons: int = 0
    flattrs: int = 0
    creators: int = 0
    amounts: list[Amounts] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """What one transfer into revenue contributed to a withdrawal, and its statement if any."""

    source: Source
    statement: CreatorStatement | None


TOTALS = """
SELECT coalesce(p.month_id, c.month_id), coalesce(p.currency, c.currency),
    coalesce(p.patrons, 0), coalesce(p.flattrs, 0), coalesce(p.given, 0),
    coalesce(c.creators, 0), coalesce(c.fees, 0)
FROM (
    SELECT month_id, currency, count(*) AS patrons, sum(flattrs) AS flattrs,
        sum(given_micros) AS given
    FROM payouts_patronstatement WHERE month_id = ANY (%(months)s) GROUP BY month_id, currency
) AS p
FULL JOIN (
    SELECT month_id, currency, count(*) AS creators, sum(fee_micros) AS fees
    FROM payouts_creatorstatement WHERE month_id = ANY (%(months)s) GROUP BY month_id, currency
) AS c ON (c.month_id, c.currency) = (p.month_id, p.currency)
ORDER BY 1, 2
"""

PAYOUTS_HEADER = [
    "month",
    "username",
    "kind",
    "currency",
    "flattrs",
    "patrons",
    "gross",
    "fee",
    "net",
    "stripe_account_id",
    "email",
]


def totals_of(months: list[date]) -> dict[date, Totals]:
    """Return the totals of some months, in one statement. Several currencies stay apart."""
    totals = {month: Totals() for month in months}
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, {"months": months})
        for month, currency, patrons, flattrs, given, creators, fees in cursor.fetchall():
            row = totals[month]
            row.patrons += patrons
            row.flattrs += int(flattrs)
            row.creators += creators
            row.amounts.append(Amounts(currency, int(given), int(fees)))
    return totals


def origin_of(withdrawal: Withdrawal) -> list[Part]:
    """Return what a withdrawal was made of, the oldest first: mostly months."""
    transfers = Transfer.objects.select_related("debit_account")
    reserved = transfers.get(pk=ledger.transfer_id(fact_of(withdrawal)))
    sources = sources_of(reserved)
    months = Transfer.objects.filter(
        pk__in=[source.transfer_id for source in sources], code=Transfer.Code.MONTH_REVENUE
    ).values_list("pk", "month")
    month_of: dict[UUID, date | None] = dict(months)
    statements = CreatorStatement.objects.filter(
        creator=withdrawal.user, currency=withdrawal.currency, month__in=month_of.values()
    )
    by_month = {statement.month_id: statement for statement in statements}
    return [
        Part(source, by_month.get(month) if month else None)
        for source in sources
        for month in [month_of.get(source.transfer_id)]
    ]


def budget_sources(statement: PatronStatement) -> list[Source]:
    """Return what a patron's month was paid from: top-ups, mostly, the oldest first."""
    fact = f"month_budget:{statement.month_id:%Y-%m}:{statement.patron_id}:{statement.currency}"
    transfers = Transfer.objects.select_related("debit_account")
    given = transfers.filter(pk=ledger.transfer_id(fact)).first()
    return sources_of(given) if given else []


def shares_of(
    month: date, patron: User | None = None, creator: User | None = None
) -> QuerySet[Share]:
    """Return a month's shares with their people and things; a creator's once they are summed up."""
    if creator:
        shares = shares_received(creator.pk, month).order_by("thing_id", "patron_id")
    else:
        # As the statements of the month lie in their index.
        shares = Share.objects.filter(month=month).order_by("patron_id", "place")
    # Not joined: that would be done for all of a creator's shares before the first are shown.
    shares = shares.prefetch_related("patron", "creator", "thing", "flattr")
    return shares.filter(patron=patron) if patron else shares


def payouts_of(month: date) -> Iterator[list[object]]:
    """Yield a month's payouts, one row for each creator and currency, without holding them all."""
    statements = (
        CreatorStatement.objects.filter(month=month)
        .select_related("creator", "creator__connected_account")
        .order_by("creator__username", "currency")
    )
    for row in statements.iterator(chunk_size=2_000):
        account = getattr(row.creator, "connected_account", None)
        yield [
            f"{row.month_id:%Y-%m}",
            row.creator.username,
            row.creator.kind,
            row.currency,
            row.flattrs,
            row.patrons,
            decimal_text(row.gross_micros),
            decimal_text(row.fee_micros),
            decimal_text(row.net_micros),
            (account.stripe_account_id if account else "") or "",
            row.creator.email,
        ]


def decimal_text(amount_micros: int) -> str:
    """Return an amount for spreadsheets, with all six decimals: nothing is rounded."""
    units, micros = divmod(amount_micros, 1_000_000)
    return f"{units}.{micros:06d}"
