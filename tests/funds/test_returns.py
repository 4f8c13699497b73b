"""Money that goes back, and money that a bank takes back."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from funds import outbox, webhooks
from funds.ledger import account_of, post
from funds.models import StripeEvent, StripeRequest, TopUp, Transfer
from funds.reconcile import compare_balances, ledger_balances
from funds.returns import NothingToReturn, refund_top_up, returnable_micros
from funds.top_ups import apply_session
from sandbox.stripe import browser
from tests.funds.paying import UNIT, funds_of, give_funds, paid_top_up, settle, spend

pytestmark = pytest.mark.django_db
REFUND_FAILS = "4000000000005126"
REFUND_TAKES_A_WHILE = "4000000000007726"


def balance_of(code):
    account = account_of(code, currency="EUR")
    debits = sum(row.amount_micros for row in account.debits.exclude(phase="pending"))
    return debits - sum(row.amount_micros for row in account.credits.exclude(phase="pending"))


def test_unspent_money_goes_back_to_the_card(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    returned = refund_top_up(top_up)
    top_up.refresh_from_db()
    assert (returned.state, top_up.state) == ("done", TopUp.State.RETURNED)
    assert funds_of(alice) == 0
    settle(stripe_sandbox)
    assert compare_balances() == []


def test_only_what_is_unspent_goes_back(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    spend(alice, 2 * UNIT + 1)
    assert refund_top_up(top_up).amount_micros == 2_990_000
    top_up.refresh_from_db()
    assert (top_up.state, funds_of(alice)) == (TopUp.State.PAID, 9_999)


def test_what_a_later_payment_brought_does_not_go_back_to_an_earlier_one(alice, stripe_sandbox):
    """Otherwise a stolen card pays, and the thief's own card is paid back."""
    first = paid_top_up(alice, stripe_sandbox)
    spend(alice, 5 * UNIT)
    second = paid_top_up(alice, stripe_sandbox, 10 * UNIT)
    assert (returnable_micros(first), returnable_micros(second)) == (0, 10 * UNIT)
    spend(alice, 4 * UNIT)
    assert (returnable_micros(first), returnable_micros(second)) == (0, 6 * UNIT)


def test_each_payment_goes_back_to_its_own_method(alice, stripe_sandbox):
    first = paid_top_up(alice, stripe_sandbox)
    second = paid_top_up(alice, stripe_sandbox, 10 * UNIT)
    spend(alice, 2 * UNIT)
    assert (returnable_micros(first), returnable_micros(second)) == (3 * UNIT, 10 * UNIT)
    assert refund_top_up(second).amount_micros == 10 * UNIT
    assert refund_top_up(first).amount_micros == 3 * UNIT
    assert funds_of(alice) == 0


def test_no_more_goes_back_than_a_payment_brought(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    spend(alice, 2 * UNIT)
    refund_top_up(top_up)
    earn(alice, 9 * UNIT)
    top_up.refresh_from_db()
    assert returnable_micros(top_up) == 2 * UNIT


def earn(user, amount_micros):
    """Put money into funds that no payment brought, as reused revenue is."""
    post(
        f"earned:{user.pk}",
        "correction",
        debit=account_of("fees", currency="EUR"),
        credit=account_of("funds", currency="EUR", user=user),
        amount_micros=amount_micros,
        reason="A test gives.",
    )


def test_a_replayed_payment_stays_returned(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    refund_top_up(top_up)
    apply_session(top_up.pk, top_up.stripe_checkout_session_id)
    top_up.refresh_from_db()
    assert (top_up.state, funds_of(alice)) == (TopUp.State.RETURNED, 0)


def test_money_goes_back_once(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    give_funds(alice, 100 * UNIT)
    refund_top_up(top_up)
    with pytest.raises(NothingToReturn):
        refund_top_up(top_up)
    assert funds_of(alice) == 100 * UNIT


@pytest.mark.parametrize(("days", "micros"), [(13, 5 * UNIT), (15, 0)])
def test_money_goes_back_for_fourteen_days(alice, stripe_sandbox, days, micros):
    top_up = paid_top_up(alice, stripe_sandbox)
    top_up.paid_at = timezone.now() - timedelta(days=days)
    assert returnable_micros(top_up) == micros


def test_spent_money_does_not_go_back(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    spend(alice, 5 * UNIT)
    with pytest.raises(NothingToReturn):
        refund_top_up(top_up)
    assert StripeRequest.objects.filter(kind="refund").count() == 0


def test_a_refund_that_takes_a_while_keeps_the_money_reserved(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox, number=REFUND_TAKES_A_WHILE)
    returned = refund_top_up(top_up)
    assert (returned.state, funds_of(alice)) == ("pending", 0)
    with pytest.raises(NothingToReturn):
        refund_top_up(top_up)
    stripe_sandbox.control(f"refunds/{returned.stripe_refund_id}", outcome="succeeded")
    settle(stripe_sandbox)
    returned.refresh_from_db()
    assert (returned.state, funds_of(alice)) == ("done", 0)


def test_a_refund_that_fails_while_it_is_reserved_gives_the_money_back(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox, number=REFUND_TAKES_A_WHILE)
    returned = refund_top_up(top_up)
    stripe_sandbox.control(f"refunds/{returned.stripe_refund_id}", outcome="failed")
    settle(stripe_sandbox)
    returned.refresh_from_db()
    assert (returned.state, funds_of(alice)) == ("failed", 5 * UNIT)


def test_a_refund_that_comes_back_from_the_bank_is_in_funds_again(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox, number=REFUND_FAILS)
    assert refund_top_up(top_up).state == "done"
    settle(stripe_sandbox)
    received = list(StripeEvent.objects.filter(type__startswith="refund"))
    StripeEvent.objects.filter(pk__in=[event.pk for event in received]).update(state="received")
    webhooks.apply_events()
    top_up.refresh_from_db()
    assert (top_up.state, top_up.returned_micros) == (TopUp.State.PAID, 0)
    assert funds_of(alice) == 5 * UNIT
    assert compare_balances() == []


def test_a_refused_refund_gives_the_money_back(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    stripe_sandbox.control("disputes", charge=top_up.stripe_charge_id)
    returned = refund_top_up(top_up)
    assert (returned.state, funds_of(alice)) == ("failed", 5 * UNIT)
    assert "charged back" in returned.failure


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "error_before", "error_after"])
def test_a_refund_without_an_answer_stays_reserved_and_is_made_once(alice, stripe_sandbox, kind):
    top_up = paid_top_up(alice, stripe_sandbox)
    stripe_sandbox.fail_next(kind, "/v1/refunds")
    returned = refund_top_up(top_up)
    assert (returned.state, funds_of(alice)) == ("pending", 0)
    StripeRequest.objects.update(next_try_at=timezone.now())
    outbox.send_due_requests()
    returned.refresh_from_db()
    settle(stripe_sandbox)
    assert (returned.state, funds_of(alice)) == ("done", 0)
    assert compare_balances() == []


def test_a_refund_made_by_hand_at_stripe_is_shown_to_an_admin(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    refund_top_up(top_up)
    settle(stripe_sandbox)
    Transfer.objects.get(code="top_up_reversal", phase="pending")
    event = StripeEvent.objects.filter(type="refund.created").get()
    body = event.body
    body["data"]["object"]["metadata"] = {}
    StripeEvent.objects.filter(pk=event.pk).update(
        body=body, object_id="re_by_hand", state="received", next_try_at=timezone.now()
    )
    webhooks.apply_events()
    event.refresh_from_db()
    assert "UnknownRefund" in event.last_error


def test_the_page_returns_money_and_says_so(alice, client, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    client.force_login(alice)
    assert "Want it back?" in client.get(top_up.get_absolute_url()).content.decode()
    answer = client.post(reverse("funds:return-top-up", args=[top_up.pk]), follow=True)
    page = answer.content.decode()
    assert "goes back to where it came from" in page
    assert "Want it back?" not in page
    client.post(reverse("funds:return-top-up", args=[top_up.pk]))
    assert Transfer.objects.filter(code="top_up_reversal", phase="pending").count() == 1


def disputed(alice, sandbox, spent_micros=0):
    top_up = paid_top_up(alice, sandbox)
    if spent_micros:
        spend(alice, spent_micros)
    made = sandbox.control("disputes", charge=top_up.stripe_charge_id)
    settle(sandbox)
    return made


def test_a_dispute_takes_the_patrons_funds_first_and_the_rest_is_a_loss(alice, stripe_sandbox):
    disputed(alice, stripe_sandbox, spent_micros=3 * UNIT)
    assert funds_of(alice) == 0
    assert Transfer.objects.get(code="dispute").amount_micros == 2 * UNIT
    assert Transfer.objects.get(code="dispute_loss").amount_micros == 3 * UNIT
    assert ledger_balances()["EUR"] == balance_of("stripe_balance") == -20_330_000


def test_a_won_dispute_gives_back_what_it_took(alice, stripe_sandbox):
    made = disputed(alice, stripe_sandbox, spent_micros=3 * UNIT)
    stripe_sandbox.control(f"disputes/{made['id']}/close", status="won")
    settle(stripe_sandbox)
    StripeEvent.objects.filter(type__startswith="charge.dispute").update(state="received")
    webhooks.apply_events()
    assert funds_of(alice) == 2 * UNIT
    assert balance_of("dispute_losses") == 0
    assert compare_balances() == []


def test_a_lost_dispute_stays_as_it_is(alice, stripe_sandbox):
    made = disputed(alice, stripe_sandbox)
    stripe_sandbox.control(f"disputes/{made['id']}/close", status="lost")
    settle(stripe_sandbox)
    assert funds_of(alice) == 0
    assert Transfer.objects.filter(code__startswith="dispute").count() == 1
    assert compare_balances() == []


def test_a_difference_to_stripe_is_found(alice, stripe_sandbox):
    paid_top_up(alice, stripe_sandbox)
    assert compare_balances() == []
    stripe_sandbox.control("deposit", amount=1)
    (difference,) = compare_balances()
    assert difference.stripe_micros - difference.ledger_micros == 10_000


def test_a_payment_whose_event_is_under_way_is_a_difference(alice, stripe_sandbox):
    top_up = paid_top_up(alice, stripe_sandbox)
    assert browser.control(stripe_sandbox.base, "disputes", charge=top_up.stripe_charge_id)
    assert len(compare_balances()) == 1
    settle(stripe_sandbox)
    assert compare_balances() == []
