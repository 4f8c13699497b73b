"""What tests of withdrawals need: somebody with revenue, and with an account at Stripe."""

import time
import uuid

from django.test import Client

from accounts.models import User
from funds import ledger, outbox
from funds.models import StripeRequest, Transfer
from payouts import connect
from payouts.models import ConnectedAccount, Withdrawal
from payouts.withdrawals import request_withdrawal
from sandbox.stripe import browser
from tests.payouts.cast import micros


def earns(user: User, amount: str, currency: str = "EUR") -> User:
    """Give revenue to a user without a close."""
    ledger.post(
        f"correction:{uuid.uuid4()}",
        "correction",
        debit=ledger.account_of("stripe_balance", currency=currency),
        credit=ledger.account_of("revenue", currency=currency, user=user),
        amount_micros=micros(amount),
        reason="Revenue of a test.",
    )
    return user


def onboarded(user: User, stripe_account_id: str = "acct_of_a_test") -> User:
    """Give a user an account that Stripe pays to, as our row alone says."""
    ConnectedAccount.objects.create(
        user=user, stripe_account_id=stripe_account_id, is_payouts_enabled=True
    )
    return user


def onboard_at_stripe(user: User, state: str = "approved") -> ConnectedAccount:
    """Walk through Stripe's hosted page, and look at what it says afterwards."""
    browser.finish_onboarding(connect.begin_onboarding(user), state)
    account = connect.refresh_account(user)
    assert account
    return account


def withdraw(user: User, amount: str, token: uuid.UUID | None = None) -> Withdrawal:
    return request_withdrawal(user, micros(amount), "EUR", token or uuid.uuid4())


def send_all() -> None:
    """Do what the tick does, now: requests that wait for their turn are due at once."""
    StripeRequest.objects.filter(state="due").update(next_try_at="2020-01-01T00:00Z")
    for request_id in outbox.due_requests():
        outbox.send_request(request_id)


def transfers_of(withdrawal: Withdrawal) -> list[tuple[str, str]]:
    rows = Transfer.objects.filter(fact__contains=str(withdrawal.pk)).order_by("created_at")
    return [(row.code, row.phase) for row in rows]


def sign_in(client: Client, user: User, at: float | None = None) -> Client:
    """Sign in with the password entered just now, or at a time before."""
    client.force_login(user)
    session = client.session
    entered = {"method": "password", "at": time.time() if at is None else at}
    session["account_authentication_methods"] = [entered]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client
