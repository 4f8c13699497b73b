"""Compare what the ledger says lies at Stripe with what Stripe says."""

from dataclasses import dataclass

from django.db import connection

from funds import stripe_gateway
from funds.models import LedgerAccount, StripeEvent, StripeRequest
from funds.money import format_micros, micros_of_cents


@dataclass(frozen=True)
class Difference:
    """One currency in which the two do not agree; `under_way` may explain it."""

    currency: str
    ledger_micros: int
    stripe_micros: int
    under_way: int

    def __str__(self) -> str:
        here = format_micros(self.ledger_micros, self.currency)
        there = format_micros(self.stripe_micros, self.currency)
        return f"the ledger says {here}, Stripe says {there}; {self.under_way} under way"


LEDGER_BALANCES = """
SELECT a.currency, coalesce((
        SELECT sum(amount_micros) FROM funds_transfer
        WHERE debit_account_id = a.id AND phase IN ('posted', 'post_pending')
    ), 0) - coalesce((
        SELECT sum(amount_micros) FROM funds_transfer
        WHERE credit_account_id = a.id AND phase IN ('posted', 'post_pending')
    ), 0)
FROM funds_ledgeraccount AS a
WHERE a.code = %s
"""


def ledger_balances() -> dict[str, int]:
    """Return `stripe_balance` in micro-units by currency: the sum of its transfers."""
    with connection.cursor() as cursor:
        cursor.execute(LEDGER_BALANCES, [LedgerAccount.Code.STRIPE_BALANCE])
        return {currency: int(micros) for currency, micros in cursor.fetchall()}


def compare_balances() -> list[Difference]:
    """Return the currencies in which ledger and Stripe differ, an empty list where all agree.

    A difference while something is under way is expected: a payment that Stripe has and its event
    not yet, a request whose outcome is unknown. One that stays is an error.
    """
    here = ledger_balances()
    there = {
        currency: micros_of_cents(cents)
        for currency, cents in stripe_gateway.balance_cents().items()
    }
    under_way = (
        StripeRequest.objects.filter(state=StripeRequest.State.DUE).count()
        + StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED).count()
    )
    return [
        Difference(currency, here.get(currency, 0), there.get(currency, 0), under_way)
        for currency in sorted({*here, *there})
        if here.get(currency, 0) != there.get(currency, 0)
    ]
