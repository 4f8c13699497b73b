"""Shortcuts of the money tests: funds that are there, and payments made at the hosted page."""

from uuid import uuid4

from django.utils import timezone

from funds import webhooks
from funds.ledger import account_of, post
from funds.models import TopUp
from funds.top_ups import checkout_url, start_top_up
from sandbox.stripe import browser

UNIT = 1_000_000


def funds_of(user):
    return account_of("funds", currency="EUR", user=user).available_micros


def give_funds(user, amount_micros):
    """Put money into funds by the front door of the ledger, without Stripe."""
    top_up = TopUp.objects.create(
        user=user,
        currency="EUR",
        amount_micros=amount_micros,
        state=TopUp.State.PAID,
        processor_fee_micros=0,
        paid_at=timezone.now(),
    )
    post(
        f"top_up:{top_up.pk}",
        "top_up",
        debit=account_of("stripe_balance", currency="EUR"),
        credit=account_of("funds", currency="EUR", user=user),
        amount_micros=amount_micros,
    )


def spend(user, amount_micros):
    """Take money out of funds, as a month's close does."""
    post(
        f"spent:{uuid4()}",
        "correction",
        debit=account_of("funds", currency="EUR", user=user),
        credit=account_of("fees", currency="EUR"),
        amount_micros=amount_micros,
        reason="A test spends.",
    )


def pay(user, amount_micros=5 * UNIT, number=browser.VISA):
    """Start a top-up and pay it; its webhooks wait."""
    top_up = start_top_up(user, amount_micros)
    browser.pay_by_card(checkout_url(top_up), number)
    return top_up


def settle(sandbox, webhooks_to_send=None):
    """Deliver webhooks, those that wait unless given, and let the worker apply them."""
    answers = sandbox.deliver(webhooks_to_send)
    webhooks.apply_events()
    return answers


def paid_top_up(user, sandbox, amount_micros=5 * UNIT, number=browser.VISA):
    """Pay a top-up and let it be credited."""
    top_up = pay(user, amount_micros, number)
    settle(sandbox)
    top_up.refresh_from_db()
    return top_up
