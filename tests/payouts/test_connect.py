"""Onboarding at Stripe: our row first, one account, and only Stripe's own word."""

from urllib.parse import urlsplit

import pytest

from accounts.models import User
from funds import stripe_gateway
from funds.models import StripeRequest
from funds.webhooks import apply_events
from payouts import connect
from payouts.models import ConnectedAccount
from sandbox.stripe import browser
from tests.payouts.cast import thing_of
from tests.payouts.going_out import onboard_at_stripe, send_all

pytestmark = pytest.mark.django_db(transaction=True)


def accounts_at_stripe():
    return list(stripe_gateway._rows(stripe_gateway._api().accounts.list, {}))


def test_onboarding_opens_one_account_and_leads_to_stripe(bob, stripe_sandbox):
    url = connect.begin_onboarding(bob)
    (account,) = accounts_at_stripe()
    assert url.startswith(f"{stripe_sandbox.base}/setup/")
    assert ConnectedAccount.objects.get(user=bob).stripe_account_id == account["id"]
    assert account["email"] == bob.email
    assert account["capabilities"] == {"transfers": "inactive"}


def test_the_account_is_stripes_express_by_its_properties(bob, stripe_sandbox):
    connect.begin_onboarding(bob)
    (account,) = accounts_at_stripe()
    assert account["controller"]["stripe_dashboard"] == {"type": "express"}
    assert account["controller"]["requirement_collection"] == "stripe"
    assert account["controller"]["losses"] == {"payments": "application"}


@pytest.mark.parametrize(
    ("kind", "business_type"),
    [("individual", "individual"), ("company", "company"), ("organisation", None)],
)
def test_stripe_hears_what_kind_of_user_it_is(bob, stripe_sandbox, kind, business_type):
    User.objects.filter(pk=bob.pk).update(kind=kind)
    bob.refresh_from_db()
    connect.begin_onboarding(bob)
    assert accounts_at_stripe()[0]["business_type"] == business_type


@pytest.mark.parametrize(
    ("payouts_enabled", "transfers", "is_ready"),
    [(True, "active", True), (True, "inactive", False), (False, "active", False)],
)
def test_money_is_sent_once_it_reaches_the_account_and_can_leave_it(
    bob, stripe_sandbox, monkeypatch, payouts_enabled, transfers, is_ready
):
    account = onboard_at_stripe(bob)
    body = stripe_gateway.retrieve_account(str(account.stripe_account_id))
    body |= {"payouts_enabled": payouts_enabled, "capabilities": {"transfers": transfers}}
    monkeypatch.setattr(stripe_gateway, "retrieve_account", lambda account_id: body)
    refreshed = connect.refresh_account(bob)
    assert refreshed and refreshed.is_payouts_enabled == is_ready


def test_the_pages_are_looked_at_again_before_the_first_withdrawal(bob, stripe_sandbox):
    claim = thing_of(bob).claims.create(user=bob, state="proven", next_check_at=None)
    connect.begin_onboarding(bob)
    claim.refresh_from_db()
    assert claim.next_check_at is not None


def test_each_visit_gets_a_fresh_address_and_no_second_account(bob, stripe_sandbox):
    assert connect.begin_onboarding(bob) != connect.begin_onboarding(bob)
    assert len(accounts_at_stripe()) == 1


def test_an_address_is_kept_nowhere(bob, stripe_sandbox, caplog):
    path = urlsplit(connect.begin_onboarding(bob)).path
    assert path.rsplit("/", 1)[-1] not in caplog.text
    assert path not in str(list(StripeRequest.objects.values()))


def test_nothing_is_enabled_before_stripe_says_so(bob, stripe_sandbox):
    connect.begin_onboarding(bob)
    account = connect.refresh_account(bob)
    assert not account.is_payouts_enabled
    assert account.requirements_due


@pytest.mark.parametrize(
    ("state", "is_enabled", "is_submitted"),
    [
        ("approved", True, True),
        ("pending", False, True),
        ("restricted", False, True),
        ("rejected", False, True),
    ],
)
def test_what_stripe_says_is_written_down(bob, stripe_sandbox, state, is_enabled, is_submitted):
    account = onboard_at_stripe(bob, state)
    assert (account.is_payouts_enabled, account.is_details_submitted) == (is_enabled, is_submitted)


def test_the_hook_alone_is_enough(bob, stripe_sandbox):
    browser.finish_onboarding(connect.begin_onboarding(bob))
    assert set(stripe_sandbox.deliver()) == {200}
    apply_events()
    assert ConnectedAccount.objects.get(user=bob).is_payouts_enabled


def test_a_late_hook_does_not_undo_what_stripe_says_now(bob, stripe_sandbox):
    """The events tell of an account that was incomplete; Stripe is asked, and it is complete."""
    connect.begin_onboarding(bob)
    old = stripe_sandbox.take()
    onboard_at_stripe(bob)
    newer = stripe_sandbox.take()
    stripe_sandbox.deliver([*newer, *old])
    apply_events()
    assert ConnectedAccount.objects.get(user=bob).is_payouts_enabled


def test_an_account_that_stripe_stops_is_not_paid_any_more(bob, stripe_sandbox):
    account = onboard_at_stripe(bob)
    stripe_sandbox.control(f"accounts/{account.stripe_account_id}", state="rejected")
    stripe_sandbox.deliver()
    apply_events()
    assert not ConnectedAccount.objects.get(user=bob).is_payouts_enabled


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_before", "error_after"])
def test_when_stripe_is_silent_there_is_one_account_in_the_end(bob, stripe_sandbox, fault):
    stripe_sandbox.fail_next(fault, "/v1/accounts")
    with pytest.raises(connect.OnboardingUnavailable):
        connect.begin_onboarding(bob)
    send_all()
    assert connect.begin_onboarding(bob)
    assert len(accounts_at_stripe()) == 1


def test_when_the_link_fails_the_account_is_kept(bob, stripe_sandbox):
    stripe_sandbox.fail_next("error_before", "/v1/account_links")
    with pytest.raises(connect.OnboardingUnavailable):
        connect.begin_onboarding(bob)
    assert connect.begin_onboarding(bob)
    assert len(accounts_at_stripe()) == 1


def test_after_a_refusal_the_next_visit_asks_anew(bob, stripe_sandbox, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(connect, "EXPRESS", {"type": "standard"})
        with pytest.raises(connect.OnboardingUnavailable, match="refused"):
            connect.begin_onboarding(bob)
    assert connect.begin_onboarding(bob)
    assert len(accounts_at_stripe()) == 1


def test_who_never_onboarded_has_nothing_to_ask(bob, stripe_sandbox):
    assert connect.refresh_account(bob) is None
    assert connect.connected_account_of(bob) is None
