"""Withdrawals through the sandbox's Stripe: answers, refusals, silence, crashes, reversals."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from funds import outbox, stripe_gateway
from funds.ledger import InsufficientFunds
from funds.models import StripeEvent, StripeRequest, Transfer
from funds.webhooks import apply_events
from payouts import withdrawals
from payouts.close import close_month
from payouts.models import ConnectedAccount, Withdrawal
from payouts.withdrawals import returned_micros
from tests.payouts.cast import AUGUST, flattr, gives, micros, revenue_of, thing_of
from tests.payouts.going_out import (
    earns,
    onboard_at_stripe,
    send_all,
    transfers_of,
    withdraw,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def creator(bob, stripe_sandbox):
    """Bob, onboarded, with EUR 10.00 of revenue, and Stripe with as much."""
    stripe_sandbox.control("deposit", amount=1_000)
    onboard_at_stripe(bob)
    stripe_sandbox.take()
    return earns(bob, "10.00")


def sent_to_stripe():
    """Return the amounts of all transfers that Stripe knows."""
    rows = stripe_gateway._rows(stripe_gateway._api().transfers.list, {})
    return [row["amount"] for row in rows]


def state_of(withdrawal):
    withdrawal.refresh_from_db()
    return withdrawal.state


def test_a_withdrawal_is_sent_and_posted(creator):
    withdrawal = withdraw(creator, "4.00")
    send_all()
    assert state_of(withdrawal) == "paid"
    assert withdrawal.stripe_transfer_id
    assert transfers_of(withdrawal) == [("withdrawal", "pending"), ("withdrawal", "post_pending")]
    assert (revenue_of(creator), sent_to_stripe()) == (micros("6.00"), [400])


def test_sending_again_sends_nothing(creator):
    withdraw(creator, "4.00")
    send_all()
    send_all()
    assert sent_to_stripe() == [400]


def test_the_hook_on_the_transfer_changes_nothing_more(creator, stripe_sandbox):
    withdrawal = withdraw(creator, "4.00")
    send_all()
    assert set(stripe_sandbox.deliver()) == {200}
    apply_events()
    assert state_of(withdrawal) == "paid"
    assert len(transfers_of(withdrawal)) == 2


def test_a_definite_refusal_gives_the_money_back(creator, stripe_sandbox):
    account = ConnectedAccount.objects.get()
    stripe_sandbox.control(f"accounts/{account.stripe_account_id}", state="rejected")
    withdrawal = withdraw(creator, "4.00")
    send_all()
    assert state_of(withdrawal) == "refused"
    assert "Check your details" in withdrawal.failure
    assert transfers_of(withdrawal)[-1] == ("withdrawal", "void_pending")
    assert (revenue_of(creator), sent_to_stripe()) == (micros("10.00"), [])


def test_too_little_at_stripe_keeps_it_reserved_until_there_is_enough(creator, stripe_sandbox):
    stripe_sandbox.control("deposit", amount=-900)
    withdrawal = withdraw(creator, "4.00")
    send_all()
    assert state_of(withdrawal) == "sending"
    assert revenue_of(creator) == micros("6.00")
    stripe_sandbox.control("deposit", amount=900)
    send_all()
    assert state_of(withdrawal) == "paid"
    assert sent_to_stripe() == [400]


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_before", "error_after"])
def test_an_unknown_outcome_is_never_voided_and_sends_once(creator, stripe_sandbox, fault):
    stripe_sandbox.fail_next(fault, "/v1/transfers")
    withdrawal = withdraw(creator, "4.00")
    send_all()
    assert state_of(withdrawal) == "sending"
    assert StripeRequest.objects.get(kind="withdrawal").is_outcome_unknown
    assert revenue_of(creator) == micros("6.00")
    send_all()
    assert state_of(withdrawal) == "paid"
    assert (revenue_of(creator), sent_to_stripe()) == (micros("6.00"), [400])


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (withdrawals, "_write_request"),
        (outbox, "_claim"),
        (stripe_gateway, "create"),
        (outbox, "_record_answer"),
        (withdrawals, "_apply_transfer"),
        (withdrawals, "_book_return"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_step_converges_to_one_transfer(
    creator, monkeypatch, module, name, is_after
):
    """The process dies at a step; the person tries again with the same form, and the tick runs."""

    class Killed(BaseException):
        pass

    step = getattr(module, name)

    def die(*args, **kwargs):
        if is_after:
            step(*args, **kwargs)
        raise Killed

    token = uuid.uuid4()
    with monkeypatch.context() as patch:
        patch.setattr(module, name, die)
        with pytest.raises(Killed):
            withdraw(creator, "4.00", token)
            send_all()
    connection.close()
    withdrawal = withdraw(creator, "4.00", token)
    send_all()
    assert state_of(withdrawal) == "paid"
    assert (revenue_of(creator), sent_to_stripe()) == (micros("6.00"), [400])
    assert len(transfers_of(withdrawal)) == 2


# After it was sent.


def reverse(withdrawal, stripe_sandbox, amount=None):
    options = {"amount": amount} if amount else {}
    stripe_gateway._api().transfers.reversals.create(withdrawal.stripe_transfer_id, options)
    stripe_sandbox.deliver()
    apply_events()


def test_what_stripe_reverses_is_revenue_again(creator, stripe_sandbox):
    withdrawal = withdraw(creator, "4.00")
    send_all()
    withdrawal.refresh_from_db()
    reverse(withdrawal, stripe_sandbox)
    assert state_of(withdrawal) == "returned"
    assert revenue_of(creator) == micros("10.00")
    assert withdrawal.mailed_at is None


def test_a_part_that_is_reversed_comes_back_alone(creator, stripe_sandbox):
    withdrawal = withdraw(creator, "4.00")
    send_all()
    withdrawal.refresh_from_db()
    reverse(withdrawal, stripe_sandbox, amount=100)
    assert state_of(withdrawal) == "paid"
    assert revenue_of(creator) == micros("7.00")
    reverse(withdrawal, stripe_sandbox)
    assert state_of(withdrawal) == "returned"
    assert returned_micros(withdrawal) == micros("4.00")
    assert revenue_of(creator) == micros("10.00")


def test_the_same_reversal_told_twice_comes_back_once(creator, stripe_sandbox):
    withdrawal = withdraw(creator, "4.00")
    send_all()
    stripe_sandbox.take()
    withdrawal.refresh_from_db()
    stripe_gateway._api().transfers.reversals.create(withdrawal.stripe_transfer_id, {})
    webhooks = stripe_sandbox.take()
    stripe_sandbox.deliver(webhooks + webhooks)
    apply_events()
    StripeEvent.objects.update(state="received", next_try_at="2020-01-01T00:00Z")
    apply_events()
    assert revenue_of(creator) == micros("10.00")
    assert Transfer.objects.filter(code="withdrawal_return").count() == 1


def test_a_reversal_told_before_the_answer_was_recorded_is_booked_once(creator, stripe_sandbox):
    """The answer was lost, and the transfer was reversed before anybody looked again."""
    stripe_sandbox.fail_next("drop_after", "/v1/transfers")
    withdrawal = withdraw(creator, "4.00")
    send_all()
    assert state_of(withdrawal) == "sending"
    (sent,) = stripe_gateway._rows(stripe_gateway._api().transfers.list, {})
    stripe_gateway._api().transfers.reversals.create(sent["id"], {})
    stripe_sandbox.deliver()
    apply_events()
    send_all()
    assert state_of(withdrawal) == "returned"
    assert revenue_of(creator) == micros("10.00")


def test_a_transfer_of_the_operators_own_is_left_alone(creator, stripe_sandbox):
    account = ConnectedAccount.objects.get()
    params = {"amount": 100, "currency": "eur", "destination": account.stripe_account_id}
    stripe_gateway._api().transfers.create(params)
    assert set(stripe_sandbox.deliver()) == {200}
    assert apply_events() > 0
    assert not Withdrawal.objects.exists()


# Several hands at once.


def at_once(*jobs):
    barrier = Barrier(len(jobs))

    def run(job):
        try:
            barrier.wait(timeout=10)
            return job()
        except Exception as error:  # Handed to the test, which names what it expects.
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [type(result) for result in pool.map(run, jobs)]


def test_of_two_requests_for_the_same_money_one_wins(creator):
    results = at_once(lambda: withdraw(creator, "7.00"), lambda: withdraw(creator, "6.00"))
    assert sorted(results, key=str) == sorted([InsufficientFunds, Withdrawal], key=str)
    assert Withdrawal.objects.count() == 1


def test_the_same_form_at_once_is_one_withdrawal(creator):
    token = uuid.uuid4()
    assert at_once(*[lambda: withdraw(creator, "4.00", token)] * 4) == [Withdrawal] * 4
    assert revenue_of(creator) == micros("6.00")


def test_two_workers_send_once(creator):
    withdraw(creator, "4.00")
    at_once(send_all, send_all, send_all)
    send_all()
    assert sent_to_stripe() == [400]


def test_what_a_month_earned_arrives_at_stripe(alice, bob, stripe_sandbox):
    """The whole way: a patron's budget, a close, a fee, an account, a transfer."""
    stripe_sandbox.control("deposit", amount=1_200)
    flattr(gives(alice, "10.00"), thing_of(gives(bob, "2.00")))
    close_month(AUGUST)
    onboard_at_stripe(bob)
    withdrawal = withdraw(bob, "9.00")
    send_all()
    assert state_of(withdrawal) == "paid"
    assert (revenue_of(bob), sent_to_stripe()) == (0, [900])
