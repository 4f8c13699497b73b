"""A withdrawal: reserved, sent, posted or voided; nothing lost, nothing paid twice."""

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from buttons.models import Claim
from funds.ledger import InsufficientFunds
from funds.models import StripeRequest
from payouts.models import ConnectedAccount, Withdrawal
from payouts.withdrawals import (
    REQUESTS_PER_HOUR,
    BelowMinimum,
    NotInReview,
    NotOnboarded,
    NotWholeCents,
    OwnWithdrawal,
    TooManyWithdrawals,
    WithdrawalConflict,
    approve_withdrawal,
    needs_review,
    refuse_withdrawal,
    request_withdrawal,
    withdrawable_micros,
)
from tests.payouts.cast import micros, revenue_of, thing_of
from tests.payouts.going_out import earns, onboarded, transfers_of, withdraw

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator(bob):
    """Bob with EUR 10.00 of revenue and an account that Stripe pays to."""
    return earns(onboarded(bob), "10.00")


# Asking.


def test_a_withdrawal_reserves_its_amount_and_writes_its_request(creator):
    withdrawal = withdraw(creator, "4.00")
    assert withdrawal.state == "sending"
    assert revenue_of(creator) == micros("6.00")
    assert transfers_of(withdrawal) == [("withdrawal", "pending")]
    request = StripeRequest.objects.get()
    assert request.params["amount"] == 400
    assert request.params["transfer_group"] == f"withdrawal:{withdrawal.pk}"


def test_everything_may_be_withdrawn_and_nothing_more(creator):
    with pytest.raises(InsufficientFunds):
        withdraw(creator, "10.01")
    assert not Withdrawal.objects.exists()
    withdraw(creator, "10.00")
    assert revenue_of(creator) == 0


def test_the_rest_of_a_cent_stays(creator):
    request_withdrawal(creator, micros("1.00"), "EUR", uuid.uuid4())
    assert withdrawable_micros(creator, "EUR") == micros("9.00")
    with pytest.raises(NotWholeCents):
        request_withdrawal(creator, micros("1.00") + 1, "EUR", uuid.uuid4())


def test_the_database_too_knows_only_whole_cents(creator):
    with pytest.raises(IntegrityError), transaction.atomic():
        creator.withdrawals.create(currency="EUR", amount_micros=10_001, state="in_review")


def test_the_smallest_withdrawal_is_allowed_and_a_cent_less_refused(creator):
    with pytest.raises(BelowMinimum):
        withdraw(creator, "0.99")
    assert withdraw(creator, "1.00").amount_micros == micros("1.00")


def test_who_is_not_onboarded_withdraws_nothing(bob):
    earns(bob, "10.00")
    with pytest.raises(NotOnboarded):
        withdraw(bob, "4.00")
    ConnectedAccount.objects.create(user=bob, stripe_account_id="acct_1")
    with pytest.raises(NotOnboarded):
        withdraw(bob, "4.00")
    assert revenue_of(bob) == micros("10.00")


def test_a_closed_user_withdraws_nothing(creator):
    creator.is_active = False
    with pytest.raises(NotOnboarded):
        withdraw(creator, "4.00")


def test_the_same_form_twice_is_one_withdrawal(creator):
    token = uuid.uuid4()
    assert withdraw(creator, "4.00", token) == withdraw(creator, "4.00", token)
    assert Withdrawal.objects.count() == StripeRequest.objects.count() == 1
    assert revenue_of(creator) == micros("6.00")


def test_the_same_token_for_another_amount_is_a_conflict(creator):
    token = uuid.uuid4()
    withdraw(creator, "4.00", token)
    with pytest.raises(WithdrawalConflict):
        withdraw(creator, "5.00", token)


def test_a_token_of_somebody_else_is_a_conflict(creator, mallory):
    earns(onboarded(mallory, "acct_of_mallory"), "10.00")
    token = withdraw(creator, "4.00").pk
    with pytest.raises(WithdrawalConflict):
        withdraw(mallory, "4.00", token)
    assert revenue_of(mallory) == micros("10.00")


def test_the_sixth_request_in_an_hour_is_refused(creator):
    for _ in range(REQUESTS_PER_HOUR):
        withdraw(creator, "1.00")
    with pytest.raises(TooManyWithdrawals):
        withdraw(creator, "1.00")
    assert revenue_of(creator) == micros("5.00")
    Withdrawal.objects.update(created_at=timezone.now() - timedelta(hours=1))
    withdraw(creator, "1.00")


def test_another_currency_is_withdrawn_from_its_own_account(creator):
    earns(creator, "3.00", "USD")
    made = request_withdrawal(creator, micros("3.00"), "USD", uuid.uuid4())
    assert StripeRequest.objects.get().params["currency"] == "usd"
    assert (made.currency, withdrawable_micros(creator, "USD")) == ("USD", 0)
    assert withdrawable_micros(creator, "EUR") == micros("10.00")


def test_the_first_withdrawal_has_the_pages_looked_at_again(creator):
    claim = thing_of(creator).claims.create(user=creator, state="proven", next_check_at=None)
    withdraw(creator, "1.00")
    claim.refresh_from_db()
    assert claim.next_check_at is not None
    Claim.objects.update(next_check_at=None)
    withdraw(creator, "1.00")
    claim.refresh_from_db()
    assert claim.next_check_at is None


# The first one, if the instance wants to look at it.


@pytest.fixture
def reviewed(creator, settings):
    settings.REVIEW_FIRST_WITHDRAWAL = True
    return withdraw(creator, "4.00")


def test_a_first_withdrawal_waits_for_an_admin(reviewed, creator):
    assert reviewed.state == "in_review"
    assert not StripeRequest.objects.exists()
    assert revenue_of(creator) == micros("6.00")


def test_after_a_paid_one_none_waits(creator, settings):
    settings.REVIEW_FIRST_WITHDRAWAL = True
    assert needs_review(creator)
    with transaction.atomic():
        creator.withdrawals.create(
            currency="EUR", amount_micros=10_000, state="paid", stripe_transfer_id="tr_1"
        )
        assert not needs_review(creator)
        transaction.set_rollback(True)


def test_approval_sends_it(reviewed, alice):
    approved = approve_withdrawal(reviewed.pk, alice)
    assert (approved.state, approved.reviewed_by) == ("sending", alice)
    assert StripeRequest.objects.get().subject_id == reviewed.pk


def test_refusal_gives_the_money_back_with_a_reason(reviewed, creator, alice):
    refused = refuse_withdrawal(reviewed.pk, alice, "The button was on somebody else's page.")
    assert (refused.state, refused.reviewed_by) == ("refused", alice)
    assert refused.failure == "The button was on somebody else's page."
    assert revenue_of(creator) == micros("10.00")


@pytest.mark.parametrize(
    "verb", [approve_withdrawal, lambda pk, who: refuse_withdrawal(pk, who, "x")]
)
def test_what_was_decided_is_not_decided_again(reviewed, alice, verb):
    approve_withdrawal(reviewed.pk, alice)
    with pytest.raises(NotInReview):
        verb(reviewed.pk, alice)
    assert StripeRequest.objects.count() == 1


def test_nobody_reviews_their_own(reviewed, creator):
    with pytest.raises(OwnWithdrawal):
        approve_withdrawal(reviewed.pk, creator)
    with pytest.raises(OwnWithdrawal):
        refuse_withdrawal(reviewed.pk, creator, "x")
