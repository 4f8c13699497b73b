"""From the first press to the credit, with Stripe's own library and over HTTP."""

import json
from datetime import timedelta

import pytest
import stripe
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from funds import outbox, top_ups, webhooks
from funds.budgets import budget_micros, has_means_to_give, set_budget
from funds.models import StripeCustomer, StripeEvent, StripeRequest, TopUp, Transfer
from funds.stripe_gateway import StripeUnreachable
from funds.tasks import find_lost_news
from funds.top_ups import (
    FundsFull,
    TooManyTopUps,
    TopUpMismatch,
    TopUpTooSmall,
    apply_session,
    checkout_url,
    close_checkout,
    start_top_up,
)
from sandbox.stripe import browser
from tests.funds.paying import UNIT, funds_of, give_funds, pay, settle
from tests.stripe_fixtures import WEBHOOK_SECRET, post_webhook

pytestmark = pytest.mark.django_db


def test_a_paid_top_up_is_credited_by_its_webhook_and_not_before(alice, stripe_sandbox):
    top_up = pay(alice)
    assert funds_of(alice) == 0
    assert set(settle(stripe_sandbox)) == {200}
    top_up.refresh_from_db()
    assert (top_up.state, funds_of(alice)) == (TopUp.State.PAID, 5 * UNIT)


def test_the_instance_bears_the_processors_fee(alice, stripe_sandbox):
    top_up = pay(alice)
    settle(stripe_sandbox)
    top_up.refresh_from_db()
    fee = Transfer.objects.get(code="processor_fee")
    assert (fee.amount_micros, top_up.processor_fee_micros) == (330_000, 330_000)


def test_the_way_back_of_the_browser_credits_nothing(alice, client, stripe_sandbox):
    top_up = pay(alice)
    client.force_login(alice)
    page = client.get(f"{top_up.get_absolute_url()}?back=paid")
    assert 'http-equiv="refresh"' in page.content.decode()
    assert funds_of(alice) == 0


def test_a_declined_card_credits_nothing(alice, stripe_sandbox):
    top_up = pay(alice, number="4000000000000002")
    settle(stripe_sandbox)
    top_up.refresh_from_db()
    assert (top_up.state, funds_of(alice)) == (TopUp.State.STARTED, 0)


def test_paypal_that_confirms_later_is_credited_later(alice, stripe_sandbox):
    top_up = start_top_up(alice, 5 * UNIT)
    browser.pay_by_paypal(checkout_url(top_up), "later")
    settle(stripe_sandbox)
    top_up.refresh_from_db()
    assert (top_up.state, funds_of(alice)) == (TopUp.State.PROCESSING, 0)
    stripe_sandbox.control(f"payments/{top_up.stripe_checkout_session_id}", outcome="succeeded")
    settle(stripe_sandbox)
    assert funds_of(alice) == 5 * UNIT


def test_paypal_that_fails_later_credits_nothing(alice, stripe_sandbox):
    top_up = start_top_up(alice, 5 * UNIT)
    browser.pay_by_paypal(checkout_url(top_up), "later")
    stripe_sandbox.control(f"payments/{top_up.stripe_checkout_session_id}", outcome="failed")
    settle(stripe_sandbox)
    top_up.refresh_from_db()
    assert (top_up.state, top_up.failure) == (TopUp.State.FAILED, "PayPal did not confirm.")
    assert funds_of(alice) == 0


def test_a_checkout_that_nobody_finishes_expires(alice, stripe_sandbox):
    top_up = start_top_up(alice, 5 * UNIT)
    stripe_sandbox.control("clock", advance_seconds=3_700)
    settle(stripe_sandbox)
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.EXPIRED


def test_webhooks_replayed_doubled_and_reversed_credit_once(alice, stripe_sandbox):
    pay(alice)
    received = stripe_sandbox.take()
    settle(stripe_sandbox, [*reversed(received), *received, *received])
    settle(stripe_sandbox, received)
    assert funds_of(alice) == 5 * UNIT
    assert Transfer.objects.filter(code="top_up").count() == 1


def test_another_event_of_the_same_fact_credits_once(alice, stripe_sandbox):
    pay(alice)
    settle(stripe_sandbox)
    StripeEvent.objects.filter(type="checkout.session.completed").update(state="received")
    webhooks.apply_events()
    assert funds_of(alice) == 5 * UNIT


def test_an_old_event_cannot_undo_a_newer_one(alice, stripe_sandbox):
    """The object is fetched again, so what an event says does not matter."""
    top_up = start_top_up(alice, 5 * UNIT)
    browser.pay_by_paypal(checkout_url(top_up), "later")
    early = stripe_sandbox.take()
    stripe_sandbox.control(f"payments/{top_up.stripe_checkout_session_id}", outcome="succeeded")
    settle(stripe_sandbox)
    settle(stripe_sandbox, early)
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.PAID


def signed(payload, secret=WEBHOOK_SECRET, seconds_ago=0):
    sent_at = int(timezone.now().timestamp()) - seconds_ago
    return stripe.WebhookSignature.generate_signature_header(payload, secret, sent_at)


@pytest.fixture
def completed(alice, stripe_sandbox):
    """The true webhook of a paid checkout."""
    pay(alice)
    return next(
        each for each in stripe_sandbox.take() if each["type"] == "checkout.session.completed"
    )


@pytest.mark.parametrize("seconds_ago", [290, -290])
def test_a_signature_within_five_minutes_is_accepted(completed, seconds_ago):
    completed["signature"] = signed(completed["payload"], seconds_ago=seconds_ago)
    assert post_webhook(completed) == 200


@pytest.mark.parametrize("seconds_ago", [310, -310])
def test_a_signature_of_another_time_is_refused(alice, completed, seconds_ago):
    completed["signature"] = signed(completed["payload"], seconds_ago=seconds_ago)
    assert post_webhook(completed) == 400
    assert StripeEvent.objects.count() == 0


@pytest.mark.parametrize(
    "forge",
    [
        lambda webhook: webhook | {"signature": signed(webhook["payload"], "whsec_guessed")},
        lambda webhook: webhook | {"payload": webhook["payload"].replace("500", "900")},
        lambda webhook: webhook | {"signature": ""},
        lambda webhook: webhook | {"signature": "t=soon,v1=abc"},
        lambda webhook: webhook | {"url": webhook["url"].replace("webhook/", "webhook/connect/")},
        lambda webhook: webhook | {"payload": "[]", "signature": signed("[]")},
    ],
)
def test_a_forged_webhook_is_refused(alice, completed, forge):
    assert post_webhook(forge(completed)) == 400
    assert StripeEvent.objects.count() == 0
    assert funds_of(alice) == 0


def test_without_a_secret_nothing_is_believed(alice, completed, settings):
    """A signature by an empty key is one that everybody can make."""
    settings.STRIPE_WEBHOOK_SECRET = ""
    assert post_webhook(completed | {"signature": signed(completed["payload"], "")}) == 400
    assert StripeEvent.objects.count() == 0


def test_an_event_of_real_money_is_refused_in_the_sandbox(completed):
    body = json.loads(completed["payload"]) | {"livemode": True}
    payload = json.dumps(body)
    assert post_webhook(completed | {"payload": payload, "signature": signed(payload)}) == 400


def test_an_event_that_nobody_handles_is_kept_and_ignored(completed):
    payload = json.dumps(json.loads(completed["payload"]) | {"type": "mandate.updated"})
    assert post_webhook(completed | {"payload": payload, "signature": signed(payload)}) == 200
    assert StripeEvent.objects.get().state == StripeEvent.State.IGNORED


def test_a_session_of_another_amount_credits_nothing_and_is_shown(alice, completed, stripe_sandbox):
    TopUp.objects.update(amount_micros=50 * UNIT)
    settle(stripe_sandbox, [completed])
    event = StripeEvent.objects.get()
    assert "TopUpMismatch" in event.last_error
    assert (event.state, event.attempts, funds_of(alice)) == ("received", 1, 0)


def test_a_payment_that_does_not_match_keeps_nobody_from_the_next(alice, stripe_sandbox):
    pay(alice)
    TopUp.objects.update(amount_micros=50 * UNIT)
    assert checkout_url(start_top_up(alice, 5 * UNIT))
    assert funds_of(alice) == 0


def test_a_session_of_another_top_up_credits_nothing(alice, bob, stripe_sandbox):
    other = pay(bob)
    mine = start_top_up(alice, 5 * UNIT)
    with pytest.raises(TopUpMismatch):
        apply_session(mine.pk, other.stripe_checkout_session_id)
    assert funds_of(alice) == 0


def test_a_checkout_that_stripe_does_not_know_keeps_nobody_from_the_next(
    alice, client, stripe_sandbox
):
    """As after a change of the operator's account at Stripe."""
    unknown = start_top_up(alice, 5 * UNIT)
    TopUp.objects.update(stripe_checkout_session_id="cs_of_another_account")
    client.force_login(alice)
    answer = client.post(reverse("funds:close-top-up", args=[unknown.pk]), follow=True)
    assert "could not be closed" in answer.text
    assert checkout_url(start_top_up(alice, 5 * UNIT))


def test_an_event_that_fails_eight_times_needs_attention(alice, completed, stripe_sandbox):
    TopUp.objects.update(amount_micros=50 * UNIT)
    stripe_sandbox.deliver([completed])
    for _ in range(8):
        StripeEvent.objects.update(next_try_at=timezone.now())
        webhooks.apply_events()
    assert StripeEvent.objects.get().state == StripeEvent.State.NEEDS_ATTENTION
    TopUp.objects.update(amount_micros=5 * UNIT)
    assert webhooks.try_again(StripeEvent.objects.get().pk)
    webhooks.apply_events()
    assert funds_of(alice) == 5 * UNIT


def test_an_event_whose_worker_dies_is_applied_when_its_lease_ends(
    alice, completed, stripe_sandbox
):
    stripe_sandbox.deliver([completed])
    assert len(webhooks.claim_events()) == 1
    assert webhooks.apply_events() == 0
    StripeEvent.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
    assert webhooks.apply_events() == 1
    assert funds_of(alice) == 5 * UNIT


def test_a_webhook_that_never_came_is_fetched(alice, stripe_sandbox, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    stripe_sandbox.control("deliveries", mode="dropped")
    pay(alice)
    assert stripe_sandbox.take() == []
    assert find_lost_news() > 0
    webhooks.apply_events()
    assert funds_of(alice) == 5 * UNIT


def test_a_top_up_that_is_open_for_long_is_asked_after(alice, stripe_sandbox):
    top_up = pay(alice)
    assert top_ups.stale_top_ups() == []
    TopUp.objects.update(created_at=timezone.now() - timedelta(hours=3))
    (stale,) = top_ups.stale_top_ups()
    top_ups.apply_session(stale.pk, stale.stripe_checkout_session_id)
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.PAID


@pytest.mark.parametrize("kind", ["drop_before", "error_before", "rate_limit"])
def test_while_stripe_is_unreachable_nothing_is_charged_and_it_can_be_tried_again(
    alice, client, stripe_sandbox, kind
):
    client.force_login(alice)
    set_budget(alice, 2 * UNIT)
    stripe_sandbox.fail_next(kind, "/v1/checkout")
    answer = client.post(reverse("funds:add"), {"amount": "500"})
    assert answer.status_code == 503
    assert "Nothing was charged" in answer.content.decode()
    again = client.post(reverse("funds:add"), {"amount": "500"})
    assert again.status_code == 302
    assert again.url.startswith(stripe_sandbox.base)
    assert funds_of(alice) == 0


@pytest.mark.parametrize("kind", ["drop_after", "error_after"])
def test_a_lost_answer_is_looked_for_before_anything_is_sent_again(alice, stripe_sandbox, kind):
    stripe_sandbox.fail_next(kind, "/v1/checkout")
    with pytest.raises(StripeUnreachable):
        start_top_up(alice, 5 * UNIT)
    request = StripeRequest.objects.get(kind="checkout_session")
    assert (request.state, request.is_outcome_unknown) == ("due", True)
    StripeRequest.objects.update(next_try_at=timezone.now())
    outbox.send_due_requests()
    request.refresh_from_db()
    assert request.state == "done"
    assert len(list(sessions_at_stripe(alice))) == 1
    assert TopUp.objects.get().stripe_checkout_session_id == request.stripe_object_id


def sessions_at_stripe(user):
    customer = StripeCustomer.objects.get(user=user).stripe_customer_id
    return top_ups.stripe_gateway._rows(
        top_ups.stripe_gateway._api().checkout.sessions.list, {"customer": customer}
    )


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "error_after"])
def test_a_person_has_one_customer_at_stripe(alice, stripe_sandbox, kind):
    stripe_sandbox.fail_next(kind, "/v1/customers")
    with pytest.raises(StripeUnreachable):
        start_top_up(alice, 5 * UNIT)
    StripeRequest.objects.update(next_try_at=timezone.now())
    outbox.send_due_requests()
    start_top_up(alice, 5 * UNIT)
    gateway = top_ups.stripe_gateway
    assert len(list(gateway._rows(gateway._api().customers.list, {}))) == 1


@pytest.mark.parametrize("failures", [1, 8])
def test_who_presses_again_does_not_wait_for_the_next_try(alice, stripe_sandbox, failures):
    stripe_sandbox.fail_next("drop_before", "/v1/customers", times=failures)
    for _ in range(failures):
        with pytest.raises(StripeUnreachable):
            start_top_up(alice, 5 * UNIT)
    assert checkout_url(start_top_up(alice, 5 * UNIT))


def test_who_corrects_what_was_refused_is_asked_for_anew(alice, stripe_sandbox):
    start_top_up(alice, 5 * UNIT)
    StripeCustomer.objects.all().delete()
    StripeRequest.objects.filter(kind="customer").update(state="refused")
    assert checkout_url(start_top_up(alice, 5 * UNIT))


def test_a_request_that_fails_eight_times_needs_attention(alice, stripe_sandbox):
    stripe_sandbox.fail_next("drop_before", "/v1/customers", times=8)
    with pytest.raises(StripeUnreachable):
        start_top_up(alice, 5 * UNIT)
    for _ in range(8):
        StripeRequest.objects.update(next_try_at=timezone.now())
        outbox.send_due_requests()
    request = StripeRequest.objects.get()
    assert outbox.send_due_requests() == 0
    assert (request.state, request.attempts) == ("needs_attention", 8)
    assert outbox.try_again(request.pk)
    outbox.send_due_requests()
    request.refresh_from_db()
    assert request.state == "done"


def test_a_request_whose_sender_died_is_not_sent_twice(alice, stripe_sandbox):
    """Killed after Stripe's answer and before it was recorded: found, not made again."""
    start_top_up(alice, 5 * UNIT)
    TopUp.objects.update(stripe_checkout_session_id=None)
    StripeRequest.objects.filter(kind="checkout_session").update(
        state="due",
        is_outcome_unknown=True,
        next_try_at=timezone.now(),
        idempotency_key="forgotten by Stripe",
    )
    outbox.send_due_requests()
    assert len(list(sessions_at_stripe(alice))) == 1
    assert TopUp.objects.get().stripe_checkout_session_id


def test_a_request_that_somebody_sends_is_left_alone(alice, stripe_sandbox):
    start_top_up(alice, 5 * UNIT)
    leased = timezone.now() + timedelta(minutes=1)
    StripeRequest.objects.filter(kind="checkout_session").update(
        state="due", attempts=1, next_try_at=leased, sending_until=leased
    )
    request = StripeRequest.objects.get(kind="checkout_session")
    assert outbox.send_request(request.pk).attempts == 1
    assert outbox.send_request(request.pk, is_hurried=True).attempts == 1
    assert outbox.due_requests() == []


@pytest.mark.parametrize(("micros", "is_allowed"), [(3 * UNIT, True), (3 * UNIT - 10_000, False)])
def test_the_smallest_top_up_is_three_units(alice, stripe_sandbox, micros, is_allowed):
    if is_allowed:
        assert checkout_url(start_top_up(alice, micros))
    else:
        with pytest.raises(TopUpTooSmall):
            start_top_up(alice, micros)
    assert TopUp.objects.count() == is_allowed


@pytest.mark.parametrize(("micros", "is_allowed"), [(50 * UNIT, True), (50 * UNIT + 10_000, False)])
def test_at_most_150_units_are_stored(alice, stripe_sandbox, micros, is_allowed):
    give_funds(alice, 100 * UNIT)
    if is_allowed:
        assert checkout_url(start_top_up(alice, micros))
    else:
        with pytest.raises(FundsFull) as full:
            start_top_up(alice, micros)
        assert full.value.room_micros == 50 * UNIT


def test_a_payment_being_confirmed_takes_room(alice, stripe_sandbox):
    top_up = start_top_up(alice, 100 * UNIT)
    browser.pay_by_paypal(checkout_url(top_up), "later")
    settle(stripe_sandbox)
    with pytest.raises(FundsFull):
        start_top_up(alice, 51 * UNIT)


def test_starting_again_closes_the_checkout_before(alice, stripe_sandbox):
    first = start_top_up(alice, 100 * UNIT)
    url = checkout_url(first)
    second = start_top_up(alice, 100 * UNIT)
    first.refresh_from_db()
    assert first.state == TopUp.State.EXPIRED
    assert browser.pay_by_card(url).status == 409
    assert checkout_url(second)


def test_a_page_that_opens_while_the_next_one_starts_is_closed_too(alice, stripe_sandbox):
    """Otherwise both could be paid, and more be stored than is allowed."""
    opened = start_top_up(alice, 100 * UNIT)
    url = checkout_url(opened)
    seen_before = TopUp.objects.get()
    seen_before.stripe_checkout_session_id = None
    close_checkout(seen_before)
    opened.refresh_from_db()
    assert (opened.state, opened.stripe_checkout_session_id is None) == ("expired", False)
    assert browser.pay_by_card(url).status == 409


def test_a_checkout_paid_in_another_tab_is_credited_when_the_next_is_started(alice, stripe_sandbox):
    pay(alice)
    start_top_up(alice, 5 * UNIT)
    assert funds_of(alice) == 5 * UNIT


def test_the_eleventh_start_in_an_hour_is_refused(alice, client, stripe_sandbox):
    TopUp.objects.bulk_create(
        TopUp(user=alice, currency="EUR", amount_micros=UNIT, state="expired") for _ in range(9)
    )
    start_top_up(alice, 5 * UNIT)
    with pytest.raises(TooManyTopUps):
        start_top_up(alice, 5 * UNIT)
    client.force_login(alice)
    set_budget(alice, 2 * UNIT)
    answer = client.post(reverse("funds:add"), {"amount": "500"})
    assert answer.status_code == 429
    TopUp.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    assert checkout_url(start_top_up(alice, 5 * UNIT))


def test_a_first_timer_sets_budget_and_payment_in_one_form(alice, client, stripe_sandbox):
    client.force_login(alice)
    form = {"amount": "500", "months": "3", "next": "/thing/7"}
    answer = client.post(reverse("funds:add"), form)
    browser.pay_by_card(answer.url)
    settle(stripe_sandbox)
    assert (budget_micros(alice), funds_of(alice)) == (5 * UNIT, 15 * UNIT)
    assert TopUp.objects.get().return_to == "/thing/7"
    assert has_means_to_give(alice)


def test_the_first_payment_is_at_least_the_smallest_one(alice, client, stripe_sandbox):
    client.force_login(alice)
    client.post(reverse("funds:add"), {"amount": "200", "months": "1"})
    assert TopUp.objects.get().amount_micros == 3 * UNIT
    assert budget_micros(alice) == 2 * UNIT


@pytest.mark.parametrize(
    "next_url", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\x00"]
)
def test_the_way_back_leads_nowhere_else(alice, client, stripe_sandbox, next_url):
    client.force_login(alice)
    client.post(reverse("funds:add"), {"amount": "500", "months": "1", "next": next_url})
    assert TopUp.objects.get().return_to == ""


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("-5", "above zero"),
        ("0", "smallest"),
        ("1e9", "such as 5 or 2.50"),
        ("NaN", "such as 5 or 2.50"),
        ("5.000", "at most two decimals"),
        ("2.99", "smallest"),
        ("150.01", "At most"),
        ("99999999999", "at most two decimals"),
        ("\u0665", "such as 5 or 2.50"),
        ("<script>", "such as 5 or 2.50"),
    ],
)
def test_an_amount_that_is_none_is_refused_and_nothing_changes(
    alice, client, stripe_sandbox, typed, message
):
    client.force_login(alice)
    set_budget(alice, 2 * UNIT)
    answer = client.post(reverse("funds:add"), {"amount": "500", "own_amount": typed})
    assert answer.status_code == 400
    assert message in answer.content.decode()
    assert "<script>" not in answer.content.decode()
    assert TopUp.objects.count() == StripeRequest.objects.count() == 0


def test_a_comma_is_a_decimal_sign(alice, client, stripe_sandbox):
    client.force_login(alice)
    set_budget(alice, 2 * UNIT)
    client.post(reverse("funds:add"), {"amount": "500", "own_amount": "3,50"})
    assert TopUp.objects.get().amount_micros == 3_500_000


def test_another_persons_top_up_is_not_found(alice, mallory, client, stripe_sandbox):
    top_up = start_top_up(alice, 5 * UNIT)
    client.force_login(mallory)
    assert client.get(top_up.get_absolute_url()).status_code == 404
    for name in ("funds:close-top-up", "funds:return-top-up"):
        assert client.post(reverse(name, args=[top_up.pk])).status_code == 404
    client.force_login(alice)
    assert client.get(top_up.get_absolute_url()).status_code == 200


def test_a_stranger_is_sent_to_sign_in(client, db):
    for name in ("funds:statement", "funds:add", "funds:budget"):
        answer = client.get(reverse(name))
        assert answer.status_code == 302
        assert answer.url.startswith("/accounts/login/")


def test_a_foreign_form_starts_nothing(alice, stripe_sandbox):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post(reverse("funds:add"), {"amount": "500", "months": "1"}).status_code == 403
    assert TopUp.objects.count() == 0


def test_the_page_of_a_top_up_says_what_comes_next(alice, client, stripe_sandbox):
    client.force_login(alice)
    top_up = start_top_up(alice, 5 * UNIT, "/thing/7")
    page = client.get(f"{top_up.get_absolute_url()}?back=unpaid").content.decode()
    assert "Not paid yet" in page
    assert checkout_url(top_up) in page
    browser.pay_by_card(checkout_url(top_up))
    settle(stripe_sandbox)
    page = client.get(f"{top_up.get_absolute_url()}?back=paid").content.decode()
    assert 'href="/thing/7"' in page
    assert "http-equiv" not in page


def test_cancelling_closes_the_hosted_page(alice, client, stripe_sandbox):
    top_up = start_top_up(alice, 5 * UNIT)
    url = checkout_url(top_up)
    client.force_login(alice)
    client.post(reverse("funds:close-top-up", args=[top_up.pk]))
    assert browser.pay_by_card(url).status == 409
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.EXPIRED


def test_the_eleventh_closing_in_a_minute_is_refused(still_clock, alice, client, stripe_sandbox):
    start_top_up(alice, 5 * UNIT)
    address = reverse("funds:close-top-up", args=[alice.top_ups.get().pk])
    client.force_login(alice)
    answers = [client.post(address).status_code for _ in range(11)]
    assert answers == [302] * 10 + [429]


def test_the_webhook_address_refuses_large_bodies_and_reading(client, db):
    address = reverse("funds:webhook")
    assert client.get(address).status_code == 405
    large = client.post(address, "x" * 1_000_001, content_type="application/json")
    assert large.status_code == 413


def test_sending_inside_a_transaction_is_our_mistake(transactional_db, alice, stripe_sandbox):
    from django.db import transaction

    with pytest.raises(RuntimeError), transaction.atomic():
        start_top_up(alice, 5 * UNIT)
    assert not connection.in_atomic_block
