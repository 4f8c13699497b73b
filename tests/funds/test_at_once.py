"""Two at the same time, with real commits: the same fact is recorded once."""

import threading
import time

import pytest
from django.db import connection
from django.utils import timezone

from funds import outbox, top_ups, webhooks
from funds.models import StripeEvent, StripeRequest, TopUp, Transfer
from funds.returns import NothingToReturn, refund_top_up
from funds.stripe_gateway import StripeUnreachable
from funds.top_ups import FundsFull, apply_session, close_checkout, start_top_up
from tests.funds.paying import UNIT, funds_of, paid_top_up, pay
from tests.stripe_fixtures import post_webhook

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*actions):
    """Run actions at the same moment, each with its own connection, and return their results."""
    gate = threading.Barrier(len(actions))
    results: list[object] = [None] * len(actions)

    def run(index, action):
        gate.wait()
        try:
            results[index] = action()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(index, action)) for index, action in enumerate(actions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_webhook_delivered_four_times_at_once_is_stored_once(alice, stripe_sandbox):
    pay(alice)
    completed = next(
        each for each in stripe_sandbox.take() if each["type"] == "checkout.session.completed"
    )
    assert at_once(*[lambda: post_webhook(completed)] * 4) == [200] * 4
    assert StripeEvent.objects.count() == 1
    assert sum(at_once(*[webhooks.apply_events] * 4)) == 1
    assert funds_of(alice) == 5 * UNIT


def test_a_paid_session_applied_four_times_at_once_credits_once(alice, stripe_sandbox):
    top_up = pay(alice)
    results = at_once(*[lambda: apply_session(top_up.pk, top_up.stripe_checkout_session_id)] * 4)
    assert results == [None] * 4
    assert Transfer.objects.filter(code="top_up").count() == 1
    assert Transfer.objects.filter(code="processor_fee").count() == 1


def test_two_starts_at_once_cannot_share_the_room_that_is_left(alice, stripe_sandbox, monkeypatch):
    # The customer is there, and both look at the room before either takes it.
    close_checkout(start_top_up(alice, 3 * UNIT))
    monkeypatch.setattr(top_ups, "room_micros", slowly(top_ups.room_micros))
    at_once(*[lambda: start_top_up(alice, 100 * UNIT)] * 2)
    open_now = TopUp.objects.filter(
        state=TopUp.State.STARTED, stripe_checkout_session_id__isnull=False
    )
    assert open_now.count() == 1


def slowly(function):
    """Let the answer of a function be old before anybody acts on it."""

    def answer(*args):
        found = function(*args)
        time.sleep(0.3)
        return found

    return answer


def test_a_return_pressed_twice_at_once_is_made_once(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    results = at_once(*[lambda: refund_top_up(top_up)] * 2)
    assert sorted(type(each).__name__ for each in results) == ["NothingToReturn", "TopUpReturn"]
    assert any(isinstance(each, NothingToReturn) for each in results)
    assert funds_of(alice) == 0


def test_a_due_request_sent_by_four_workers_is_sent_once(alice, stripe_sandbox):
    stripe_sandbox.fail_next("drop_before", "/v1/checkout")
    with pytest.raises(StripeUnreachable):
        start_top_up(alice, 5 * UNIT)
    StripeRequest.objects.filter(state="due").update(next_try_at=timezone.now())
    at_once(*[outbox.send_due_requests] * 4)
    request = StripeRequest.objects.get(kind="checkout_session")
    assert (request.state, request.attempts) == ("done", 2)


class Killed(BaseException):
    """The process dies here."""


KILLED_AT = [
    "funds.outbox._claim",
    "funds.stripe_gateway.create",
    "funds.outbox._record_answer",
]


@pytest.mark.parametrize("line", KILLED_AT)
def test_a_start_killed_at_any_line_leaves_one_session_at_most(
    alice, stripe_sandbox, monkeypatch, line
):
    """What is committed is due again, and what was made is found."""
    start_top_up(alice, 3 * UNIT)

    def die(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(line, die)
        start_top_up(alice, 5 * UNIT)
    StripeRequest.objects.update(next_try_at=timezone.now(), sending_until=None)
    outbox.send_due_requests()
    top_up = TopUp.objects.get(amount_micros=5 * UNIT)
    assert top_up.stripe_checkout_session_id
    assert StripeRequest.objects.filter(state="done").count() == 3


@pytest.mark.parametrize(
    "line", ["funds.top_ups._credit", "funds.top_ups._book_fee", "funds.top_ups.hint_means_gained"]
)
def test_a_credit_killed_at_any_line_is_whole_afterwards(alice, stripe_sandbox, monkeypatch, line):
    top_up = pay(alice)

    def die(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(line, die)
        apply_session(top_up.pk, top_up.stripe_checkout_session_id)
    assert funds_of(alice) == 0
    apply_session(top_up.pk, top_up.stripe_checkout_session_id)
    assert funds_of(alice) == 5 * UNIT
    assert Transfer.objects.filter(code="processor_fee").count() == 1


def test_the_room_is_full_while_another_payment_is_confirmed(alice, stripe_sandbox):
    TopUp.objects.create(
        user=alice, currency="EUR", amount_micros=100 * UNIT, state=TopUp.State.PROCESSING
    )
    with pytest.raises(FundsFull):
        start_top_up(alice, 51 * UNIT)
