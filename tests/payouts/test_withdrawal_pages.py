"""The pages of money that goes out, and what they refuse."""

import re
import time
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from funds.models import StripeRequest
from payouts.models import ConnectedAccount, Withdrawal
from payouts.withdrawal_mail import mail_ended_withdrawals, tell_admins
from payouts.withdrawals import REQUESTS_PER_HOUR
from sandbox.stripe import browser
from tests.payouts.cast import micros, revenue_of
from tests.payouts.going_out import earns, onboard_at_stripe, onboarded, send_all, sign_in, withdraw

pytestmark = pytest.mark.django_db

WITHDRAW = reverse("payouts:withdraw")


@pytest.fixture
def creator(bob, client):
    sign_in(client, bob)
    return earns(onboarded(bob), "10.00")


def post(client, amount, token=None):
    return client.post(WITHDRAW, {"amount": amount, "token": token or uuid.uuid4()})


def test_the_form_is_filled_with_all_whole_cents(creator, client):
    response = client.get(WITHDRAW)
    assert 'value="10.00"' in response.text
    assert "Withdraw" in response.text


def test_asking_leads_to_the_withdrawal(creator, client):
    response = post(client, "4.00")
    made = Withdrawal.objects.get()
    assert (response.status_code, response.url) == (302, made.get_absolute_url())
    assert "On its way" in client.get(response.url).text
    assert revenue_of(creator) == micros("6.00")


@pytest.mark.parametrize("text", ["4,50", "4.50", "EUR 4.50", " 4.5 "])
def test_amounts_as_people_type_them(creator, client, text):
    assert post(client, text).status_code == 302
    assert Withdrawal.objects.get().amount_micros == micros("4.50")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "0",
        "0.99",
        "10.01",
        "1e9",
        "NaN",
        "2.505",
        "1.000,00",
        "ten",
        "9" * 30,
        "∞",
        "\uff14",
    ],
)
def test_what_is_no_amount_is_refused_and_nothing_moves(creator, client, text):
    response = post(client, text)
    assert response.status_code == 400
    assert revenue_of(creator) == micros("10.00")
    assert not Withdrawal.objects.exists()


def test_the_page_shown_again_keeps_what_was_typed(creator, client):
    response = post(client, "99.00")
    assert 'value="99.00"' in response.text
    assert "You can withdraw EUR\xa010.00 at most." in response.text


def test_the_same_form_sent_twice_leads_to_the_same_withdrawal(creator, client):
    token = uuid.uuid4()
    assert post(client, "4.00", token).url == post(client, "4.00", token).url
    assert Withdrawal.objects.count() == 1


def test_a_used_form_with_another_amount_is_a_conflict(creator, client):
    token = uuid.uuid4()
    post(client, "4.00", token)
    assert post(client, "5.00", token).status_code == 409
    assert Withdrawal.objects.count() == 1


@pytest.mark.parametrize("token", ["", "x", "1"])
def test_a_broken_token_is_refused(creator, client, token):
    response = client.post(WITHDRAW, {"amount": "4.00", "token": token})
    assert response.status_code == 400


def test_money_taken_meanwhile_is_a_conflict(creator, client, monkeypatch):
    """The form was right when it was read; another request was faster."""
    monkeypatch.setattr("payouts.withdrawals.withdrawable_micros", lambda *args: micros("50.00"))
    response = post(client, "40.00")
    assert response.status_code == 409
    assert "Not enough is left" in response.text


def test_the_sixth_in_an_hour_is_too_many(creator, client):
    for _ in range(REQUESTS_PER_HOUR):
        assert post(client, "1.00").status_code == 302
    response = post(client, "1.00")
    assert response.status_code == 429
    assert response["Retry-After"] == "3600"
    assert revenue_of(creator) == micros("5.00")


def test_the_limit_holds_while_redis_is_down(creator, client, settings):
    """Counted in PostgreSQL: the limits in Redis are open while it is down."""
    settings.RATELIMIT_ENABLE = False
    for _ in range(REQUESTS_PER_HOUR):
        post(client, "1.00")
    assert post(client, "1.00").status_code == 429


def test_who_is_not_onboarded_is_led_to_stripe_first(bob, client):
    earns(bob, "10.00")
    sign_in(client, bob)
    page = client.get(WITHDRAW).text
    assert "Set up at Stripe" in page
    assert 'name="amount"' not in page
    assert post(client, "4.00").status_code == 409
    assert revenue_of(bob) == micros("10.00")


def test_what_stripe_still_wants_is_said(bob, client):
    ConnectedAccount.objects.create(
        user=bob, stripe_account_id="acct_1", requirements_due=["external_account"]
    )
    sign_in(client, bob)
    assert "Continue at Stripe" in client.get(WITHDRAW).text


def test_nothing_earned_yet_is_said_kindly(bob, client):
    onboarded(bob)
    sign_in(client, bob)
    assert "Nothing to withdraw yet" in client.get(WITHDRAW).text


def test_another_currency_has_its_own_form(creator, client):
    earns(creator, "3.00", "USD")
    assert 'value="3.00"' in client.get(f"{WITHDRAW}?currency=USD").text
    assert 'value="10.00"' in client.get(f"{WITHDRAW}?currency=JPY").text
    data = {"amount": "3.00", "token": uuid.uuid4(), "currency": "USD"}
    client.post(WITHDRAW, data)
    assert Withdrawal.objects.get().currency == "USD"


# Who may see and do what.


@pytest.mark.parametrize("name", ["withdraw", "withdrawals", "onboard-refresh", "onboard-return"])
def test_a_stranger_is_asked_to_sign_in(client, db, name):
    response = client.get(reverse(f"payouts:{name}"))
    assert response.status_code == 302
    assert "/accounts/login/" in response.url


@pytest.mark.parametrize(
    ("method", "name"), [("get", "withdraw"), ("post", "withdraw"), ("post", "onboard")]
)
def test_an_old_sign_in_asks_for_the_password_again(creator, client, method, name):
    sign_in(client, creator, at=time.time() - 301)
    response = getattr(client, method)(reverse(f"payouts:{name}"))
    assert response.status_code == 302
    assert "/accounts/reauthenticate/" in response.url


def test_after_the_password_the_form_goes_on_as_it_was(creator, client):
    sign_in(client, creator, at=time.time() - 301)
    where = post(client, "4.00").url
    response = client.post(where, {"password": "correct horse battery"})
    assert response.url == Withdrawal.objects.get().get_absolute_url()


def test_a_withdrawal_of_somebody_else_is_not_there(creator, mallory, client):
    made = withdraw(creator, "4.00")
    sign_in(client, mallory)
    assert client.get(made.get_absolute_url()).status_code == 404
    assert str(made.pk) not in client.get(reverse("payouts:withdrawals")).text


def test_a_foreign_form_is_refused(creator, client):
    client.handler.enforce_csrf_checks = True
    assert post(client, "4.00").status_code == 403
    assert revenue_of(creator) == micros("10.00")


@pytest.mark.parametrize("name", ["onboard"])
def test_looking_does_not_onboard(creator, client, name):
    assert client.get(reverse(f"payouts:{name}")).status_code == 405


# The list, and one of it.


@pytest.mark.parametrize("currency", ["a\x00b", "YEN", "EURO"])
def test_a_currency_that_is_none_is_ones_own(creator, client, currency):
    response = client.get(WITHDRAW, {"currency": currency})
    assert response.context["currency"] == "EUR"


def test_coming_back_from_an_account_that_stripe_does_not_know_is_no_error(
    creator, client, stripe_sandbox
):
    response = client.get(reverse("payouts:onboard-return"))
    assert (response.status_code, response.url) == (302, WITHDRAW)


def test_an_empty_list_says_what_to_do(creator, client):
    assert "No withdrawals yet" in client.get(reverse("payouts:withdrawals")).text


def test_the_list_shows_each_state(creator, client):
    rows = [
        Withdrawal(
            user=creator,
            currency="EUR",
            amount_micros=10_000 * (n + 1),
            state=state,
            stripe_transfer_id=f"tr_{n}",
        )
        for n, state in enumerate(Withdrawal.State.values)
    ]
    Withdrawal.objects.bulk_create(rows)
    page = client.get(reverse("payouts:withdrawals")).text
    assert all(label in page for label in Withdrawal.State.labels)
    for row in rows:
        assert client.get(row.get_absolute_url()).status_code == 200
    Withdrawal.objects.all().delete()


def test_a_long_list_has_pages_and_few_queries(creator, client, django_assert_max_num_queries):
    Withdrawal.objects.bulk_create(
        Withdrawal(user=creator, currency="EUR", amount_micros=10_000, state="refused")
        for _ in range(1_000)
    )
    with django_assert_max_num_queries(8):
        page = client.get(reverse("payouts:withdrawals")).text
    assert "Page 1 of 40" in page
    Withdrawal.objects.all().delete()


def test_only_what_is_on_its_way_refreshes_itself(creator, client):
    made = withdraw(creator, "4.00")
    assert 'http-equiv="refresh"' in client.get(made.get_absolute_url()).text
    Withdrawal.objects.update(state="in_review")
    assert 'http-equiv="refresh"' not in client.get(made.get_absolute_url()).text
    Withdrawal.objects.update(state="sending")


# At Stripe and back.


@pytest.mark.django_db(transaction=True)
def test_onboarding_through_the_pages(bob, client, stripe_sandbox):
    sign_in(client, bob)
    start = client.post(reverse("payouts:onboard"))
    assert start.status_code == 302
    back = browser.finish_onboarding(start.url)
    response = client.get(re.sub(r"^http://[^/]+", "", back.location), follow=True)
    assert "Stripe is ready to pay you." in response.text
    assert ConnectedAccount.objects.get(user=bob).is_payouts_enabled


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("state", "text"),
    [("pending", "Stripe is checking your details"), ("restricted", "checking your details")],
)
def test_coming_back_proves_nothing(bob, client, stripe_sandbox, state, text):
    sign_in(client, bob)
    onboard_at_stripe(bob, state)
    page = client.get(reverse("payouts:onboard-return"), follow=True).text
    assert text in page
    assert not ConnectedAccount.objects.get(user=bob).is_payouts_enabled


@pytest.mark.django_db(transaction=True)
def test_who_gives_up_is_told_that_something_is_missing(bob, client, stripe_sandbox):
    sign_in(client, bob)
    client.post(reverse("payouts:onboard"))
    page = client.get(reverse("payouts:onboard-return"), follow=True).text
    assert "Stripe still needs something from you." in page


@pytest.mark.django_db(transaction=True)
def test_a_used_address_leads_to_a_fresh_one(bob, client, stripe_sandbox):
    sign_in(client, bob)
    first = client.post(reverse("payouts:onboard")).url
    second = client.get(reverse("payouts:onboard-refresh")).url
    assert second.startswith(stripe_sandbox.base)
    assert second != first


@pytest.mark.django_db(transaction=True)
def test_when_stripe_is_silent_the_pages_say_so(bob, client, stripe_sandbox):
    sign_in(client, bob)
    stripe_sandbox.fail_next("drop_before", "/v1/accounts")
    assert client.post(reverse("payouts:onboard")).status_code == 503
    send_all()
    onboard_at_stripe(bob)
    stripe_sandbox.control("faults", kind="drop_before", path="/v1/accounts", times=1)
    page = client.get(reverse("payouts:onboard-return"), follow=True).text
    assert "Stripe does not answer right now." in page


# Mails.


def test_the_creator_is_told_once(creator, mailoutbox):
    made = withdraw(creator, "4.00")
    assert mail_ended_withdrawals() == 0
    Withdrawal.objects.filter(pk=made.pk).update(
        state="refused", failure="Because.", ended_at=timezone.now() - timedelta(minutes=1)
    )
    assert (mail_ended_withdrawals(), mail_ended_withdrawals()) == (1, 0)
    (mail,) = mailoutbox
    assert mail.to == [creator.email]
    assert "Because." in mail.body
    Withdrawal.objects.filter(pk=made.pk).update(state="sending", ended_at=None)


def test_who_has_left_is_not_written_to(creator, mailoutbox):
    made = withdraw(creator, "4.00")
    Withdrawal.objects.filter(pk=made.pk).update(state="refused", ended_at=timezone.now())
    type(creator).objects.update(is_active=False)
    assert mail_ended_withdrawals() == 1
    assert mailoutbox == []
    Withdrawal.objects.filter(pk=made.pk).update(state="sending", ended_at=None)


def test_the_admins_are_told_once_of_what_waits_for_them(creator, alice, settings, mailoutbox):
    settings.REVIEW_FIRST_WITHDRAWAL = True
    type(alice).objects.filter(pk=alice.pk).update(is_superuser=True)
    withdraw(creator, "4.00")
    assert (tell_admins(), tell_admins()) == (1, 0)
    (mail,) = mailoutbox
    assert mail.to == [alice.email]
    assert "waits for your approval" in mail.body


def test_the_admins_are_told_of_money_missing_at_stripe(creator, alice, mailoutbox):
    type(alice).objects.filter(pk=alice.pk).update(is_superuser=True)
    withdraw(creator, "4.00")
    assert tell_admins() == 0
    StripeRequest.objects.update(last_error="You have insufficient available funds.")
    assert (tell_admins(), tell_admins()) == (1, 0)
    assert "insufficient available funds" in mailoutbox[0].body
