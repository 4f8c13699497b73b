"""The rows behind a statement, for who wants to add them up (`docs/verify.md`).

A patron's rows name every flattr of the month, counted or not. A creator's rows say what each
flattr brought and nothing about who made it: no patron, no flattr, no time, ordered by amount.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q

from accounts.models import User
from buttons.models import Flattr, Thing
from funds.money import MICROS_PER_UNIT
from payouts.models import CreatorStatement, PatronStatement
from payouts.spreadsheet import guarded
from payouts.statements import flattrs_not_counted, shares_given, shares_received, why_waiting

ROWS_AT_ONCE = 2_000

PATRON_HEADER = [
    "month",
    "currency",
    "budget_micros",
    "given_micros",
    "flattr",
    "flattred_at",
    "is_subscribed",
    "thing",
    "url",
    "title",
    "creator",
    "is_counted",
    "why_not",
    "share_micros",
]

CREATOR_HEADER = [
    "month",
    "currency",
    "gross_micros",
    "fee_micros",
    "net_micros",
    "flattrs",
    "thing",
    "url",
    "title",
    "share_micros",
]

REVENUE_HEADER = "period;id;flattr url;url;title;clicks;revenue;clicks total\r\n"

# The clicks of a thing until then are counted in all currencies; the old format knows only one.
REVENUE = """
SELECT s.thing_id, t.url, t.title,
    sum(s.flattrs) FILTER (WHERE s.month_id = %(month)s AND s.currency = %(currency)s) AS flattrs,
    sum(s.gross_micros)
        FILTER (WHERE s.month_id = %(month)s AND s.currency = %(currency)s)::bigint AS gross_micros,
    sum(s.flattrs) AS flattrs_until_then
FROM buttons_month AS m
JOIN payouts_thingstatement AS s ON (s.month_id, s.creator_id) = (m.month, %(creator)s)
JOIN buttons_thing AS t ON t.id = s.thing_id
WHERE m.month <= %(month)s
GROUP BY s.thing_id, t.url, t.title
HAVING sum(s.flattrs) FILTER (WHERE s.month_id = %(month)s AND s.currency = %(currency)s) > 0
ORDER BY gross_micros DESC, s.thing_id
"""


def facts_of_patron(statement: PatronStatement) -> dict[str, Any]:
    return {
        "month": f"{statement.month_id:%Y-%m}",
        "currency": statement.currency,
        "budget_micros": statement.budget_micros,
        "given_micros": statement.given_micros,
    }


def patron_rows(statement: PatronStatement) -> Iterator[dict[str, Any]]:
    """Yield the flattrs behind a statement: the counted ones as they were pressed, then the others.

    What was undone or dropped in the month is among the others.
    """
    facts = facts_of_patron(statement)
    for share in shares_given(statement).iterator(chunk_size=ROWS_AT_ONCE):
        yield (
            facts
            | _flattr(share.flattr, share.thing, share.creator.username)
            | {
                "is_counted": True,
                "why_not": "",
                "share_micros": share.amount_micros,
            }
        )
    taken_back = Flattr.objects.filter(
        Q(patron_id=statement.patron_id, month=statement.month_id),
        state__in=[Flattr.State.UNDONE, Flattr.State.DROPPED],
    )
    others = (flattrs_not_counted(statement) | taken_back).select_related("thing__owner")
    for flattr in others.order_by("created_at", "id").iterator(chunk_size=ROWS_AT_ONCE):
        owner = flattr.thing.owner
        yield (
            facts
            | _flattr(flattr, flattr.thing, owner.username if owner else "")
            | {
                "is_counted": False,
                "why_not": why_waiting(flattr),
                "share_micros": 0,
            }
        )


def facts_of_creator(statements: list[CreatorStatement]) -> dict[str, Any]:
    """Return the month and its sums, one for each currency."""
    return {
        "month": f"{statements[0].month_id:%Y-%m}",
        "statements": [_sums(statement) for statement in statements],
    }


def creator_rows(statements: list[CreatorStatement]) -> Iterator[dict[str, Any]]:
    """Yield what each flattr brought a creator, without anything that tells whose it was."""
    for statement in statements:
        shares = (
            shares_received(statement.creator_id, statement.month_id)
            .filter(currency=statement.currency)
            .order_by("thing_id", "-amount_micros")
            .values_list("thing_id", "thing__url", "thing__title", "amount_micros")
        )
        facts = {"month": f"{statement.month_id:%Y-%m}"} | _sums(statement)
        for thing, url, title, amount_micros in shares.iterator(chunk_size=ROWS_AT_ONCE):
            yield facts | {
                "thing": thing,
                "url": url,
                "title": title,
                "share_micros": amount_micros,
            }


def revenue_lines(user: User, month: date, currency: str) -> Iterator[str]:
    """Yield a month's revenue by thing, before the fee, as Flattr's own export wrote it.

    Text is quoted and numbers are not; amounts have a decimal comma and as many decimals as are
    needed to add up.
    """
    params: dict[str, int | str | date] = {"creator": user.pk, "month": month, "currency": currency}
    yield REVENUE_HEADER
    with connection.cursor() as cursor:
        cursor.execute(REVENUE, params)
        for thing, url, title, flattrs, gross_micros, until_then in cursor:
            cells = [
                f"{month:%Y-%m}",
                str(thing),
                _quoted(f"{settings.BASE_URL}/thing/{thing}"),
                _quoted(url),
                _quoted(title),
                str(flattrs),
                decimal_comma(gross_micros),
                str(until_then),
            ]
            yield ";".join(cells) + "\r\n"


def decimal_comma(amount_micros: int) -> str:
    """Return an amount such as `0,95`: two decimals, and more only where they are needed."""
    units, micros = divmod(amount_micros, MICROS_PER_UNIT)
    return f"{units},{f'{micros:06d}'.rstrip('0').ljust(2, '0')}"


def _flattr(flattr: Flattr, thing: Thing, creator: str) -> dict[str, Any]:
    return {
        "flattr": flattr.pk,
        "flattred_at": flattr.created_at.isoformat(timespec="microseconds"),
        "is_subscribed": flattr.subscription_id is not None,
        "thing": thing.pk,
        "url": thing.url,
        "title": thing.title,
        "creator": creator,
    }


def _sums(statement: CreatorStatement) -> dict[str, Any]:
    return {
        "currency": statement.currency,
        "gross_micros": statement.gross_micros,
        "fee_micros": statement.fee_micros,
        "net_micros": statement.net_micros,
        "flattrs": statement.flattrs,
    }


def _quoted(text: str) -> str:
    return '"' + str(guarded(text)).replace('"', '""') + '"'
