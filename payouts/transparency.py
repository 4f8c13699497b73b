"""The numbers that everybody may see: totals of closed months, and what is owed each day.

Both are written down once by the tick and read as they are, so a page costs the same whatever the
size of the instance. Amounts of fewer than three people are not shown: with one, the total is what
that person gave or earned; with two, each of them could subtract themselves.
"""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from funds import stripe_gateway
from funds.money import micros_of_cents
from payouts.models import DayFigures, MonthFigures

FEWEST_PEOPLE = 3

MONTH_HEADER = [
    *("month", "currency", "patrons", "flattrs", "things", "creators"),
    *("distributed_micros", "fees_micros", "paid_micros"),
]
DAY_HEADER = [
    *("day", "currency", "owed_micros", "funds_micros", "revenue_micros", "held_micros"),
    *("pots_micros", "stripe_micros", "ledger_micros", "withdrawn_micros"),
]

# Every month that was closed and is not published yet; one in which nobody gave has a row of zeros.
# A thing has one creator in a month, so its statements of a currency are counted.
PUBLISH_MONTHS = """
INSERT INTO payouts_monthfigures (month_id, currency, patrons, flattrs, things, creators,
    distributed_micros, fees_micros, paid_micros)
SELECT m.month, coalesce(p.currency, %(currency)s), coalesce(p.patrons, 0),
    coalesce(p.flattrs, 0), coalesce(t.things, 0), coalesce(c.creators, 0),
    coalesce(p.given_micros, 0), coalesce(c.fees_micros, 0), coalesce(c.paid_micros, 0)
FROM buttons_month AS m
LEFT JOIN LATERAL (
    SELECT currency, count(*) AS patrons, sum(flattrs) AS flattrs, sum(given_micros) AS given_micros
    FROM payouts_patronstatement WHERE month_id = m.month AND flattrs > 0 GROUP BY currency
) AS p ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS things FROM payouts_thingstatement
    WHERE month_id = m.month AND currency = p.currency
) AS t ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS creators, sum(fee_micros) AS fees_micros, sum(net_micros) AS paid_micros
    FROM payouts_creatorstatement WHERE month_id = m.month AND currency = p.currency
) AS c ON true
WHERE m.state = 'closed'
    AND NOT EXISTS (SELECT FROM payouts_monthfigures AS f WHERE f.month_id = m.month)
ON CONFLICT DO NOTHING
"""

# One statement, so one moment of the ledger. What a pending withdrawal reserves is still owed.
PUBLISH_DAY = """
WITH owed AS (
    SELECT currency,
        count(DISTINCT user_id) FILTER (WHERE credits_posted_micros > debits_posted_micros)
            AS people,
        sum(credits_posted_micros - debits_posted_micros) FILTER (WHERE code = 'funds') AS funds,
        sum(credits_posted_micros - debits_posted_micros) FILTER (WHERE code = 'revenue')
            AS revenue,
        sum(credits_posted_micros - debits_posted_micros) FILTER (WHERE code = 'revenue_held')
            AS held
    FROM funds_ledgeraccount WHERE user_id IS NOT NULL GROUP BY currency
), moved AS (
    SELECT a.currency, a.code AS account, t.code, t.amount_micros AS signed_micros
    FROM funds_ledgeraccount AS a JOIN funds_transfer AS t ON t.debit_account_id = a.id
    WHERE t.phase IN ('posted', 'post_pending') AND (a.code = 'stripe_balance'
        OR a.code = 'pot' AND a.month IN (SELECT month FROM buttons_month WHERE state = 'closing'))
    UNION ALL
    SELECT a.currency, a.code, t.code, -t.amount_micros
    FROM funds_ledgeraccount AS a JOIN funds_transfer AS t ON t.credit_account_id = a.id
    WHERE t.phase IN ('posted', 'post_pending') AND (a.code = 'stripe_balance'
        OR a.code = 'pot' AND a.month IN (SELECT month FROM buttons_month WHERE state = 'closing'))
), books AS (
    SELECT currency,
        -sum(signed_micros) FILTER (WHERE account = 'pot') AS pots,
        sum(signed_micros) FILTER (WHERE account = 'stripe_balance') AS ledger,
        -sum(signed_micros) FILTER (WHERE account = 'stripe_balance'
            AND code IN ('withdrawal', 'withdrawal_return')) AS withdrawn
    FROM moved GROUP BY currency
)
INSERT INTO payouts_dayfigures (day, currency, people, funds_micros, revenue_micros, held_micros,
    pots_micros, stripe_micros, ledger_micros, withdrawn_micros)
SELECT %(day)s, currency, coalesce(people, 0), coalesce(funds, 0), coalesce(revenue, 0),
    coalesce(held, 0), coalesce(pots, 0), coalesce(stripe.micros, 0), coalesce(ledger, 0),
    coalesce(withdrawn, 0)
FROM unnest(%(currencies)s::text[], %(stripe_micros)s::bigint[]) AS stripe(currency, micros)
FULL JOIN owed USING (currency)
FULL JOIN books USING (currency)
ON CONFLICT DO NOTHING
"""


def publish_months() -> None:
    """Write down the figures of months that were closed; a repeat changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(PUBLISH_MONTHS, {"currency": settings.DEFAULT_CURRENCY})


def publish_day() -> None:
    """Write down what is owed and what lies at Stripe, once a day (UTC); a repeat changes nothing.

    Raises StripeUnreachable or StripeRefused: a day on which Stripe never answers has no figures.
    """
    today = datetime.now(UTC).date()
    if DayFigures.objects.filter(day=today).exists():
        return
    there = stripe_gateway.balance_cents()
    currencies = sorted({*settings.CURRENCIES, *there})
    params: dict[str, Any] = {
        "day": today,
        "currencies": currencies,
        "stripe_micros": [micros_of_cents(there.get(currency, 0)) for currency in currencies],
    }
    with connection.cursor() as cursor:
        cursor.execute(PUBLISH_DAY, params)


def month_row(row: MonthFigures) -> dict[str, Any]:
    """Return what is public of a month; amounts of too few people are None."""
    is_shown = not row.flattrs or min(row.patrons, row.creators) >= FEWEST_PEOPLE
    return {
        "month": f"{row.month_id:%Y-%m}",
        "currency": row.currency,
        "patrons": row.patrons,
        "flattrs": row.flattrs,
        "things": row.things,
        "creators": row.creators,
        "distributed_micros": row.distributed_micros if is_shown else None,
        "fees_micros": row.fees_micros if is_shown else None,
        "paid_micros": row.paid_micros if is_shown else None,
    }


def day_row(row: DayFigures) -> dict[str, Any]:
    """Return what is public of a day; amounts of too few people are None."""
    is_shown = not row.people or row.people >= FEWEST_PEOPLE
    amounts = {
        "owed_micros": row.owed_micros,
        "funds_micros": row.funds_micros,
        "revenue_micros": row.revenue_micros,
        "held_micros": row.held_micros,
        "pots_micros": row.pots_micros,
        "stripe_micros": row.stripe_micros,
        "ledger_micros": row.ledger_micros,
        "withdrawn_micros": row.withdrawn_micros,
    }
    return {
        "day": f"{row.day:%Y-%m-%d}",
        "currency": row.currency,
        **{name: amount if is_shown else None for name, amount in amounts.items()},
    }
