"""The usual press is one statement; whatever is unusual it leaves to the rules, untouched."""

import hashlib
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress

from buttons.flattrs import record_usual, undo_flattr
from buttons.models import Claim, Flattr, SpentNonce, Thing
from buttons.months import current_month, months_before, read_clock
from funds.ledger import account_of
from funds.models import MonthlyBudget
from tests.buttons.people import PAGE, flattr, give_means

pytestmark = pytest.mark.django_db

NONCE = hashlib.sha256(b"a nonce").digest()


def test_a_usual_press_is_a_flattr_and_spends_its_nonce(patron, tea):
    made_id = record_usual(patron, PAGE, NONCE)
    made = Flattr.objects.get()
    assert made.pk == made_id
    assert (made.patron, made.thing, made.month) == (patron, tea, current_month())
    assert (made.state, made.subscription_id) == ("made", None)
    assert timedelta() <= read_clock().at - made.created_at < timedelta(minutes=1)
    assert bytes(SpentNonce.objects.get().digest) == NONCE


def test_what_was_undone_is_flattred_again(patron, tea):
    undo_flattr(patron, flattr(patron, tea).pk)
    assert record_usual(patron, PAGE, NONCE)


def is_patrons_own(patron, tea):
    Thing.objects.update(owner=patron)


def is_nobodys(patron, tea):
    Thing.objects.update(owner=None)


def has_a_proof_of_the_patron(patron, tea):
    """Which is what remains where an admin gave the thing to somebody else."""
    Claim.objects.filter(thing=tea).update(user=patron)


def is_in_dispute_with_the_patron(patron, tea):
    Claim.objects.create(thing=tea, user=patron, state=Claim.State.FROZEN)


def is_flattred_this_month(patron, tea):
    flattr(patron, tea)


def waits_from_another_month(patron, tea):
    made = flattr(patron, tea)
    earlier = months_before(current_month(), 1)
    Flattr.objects.filter(pk=made.pk).update(month=earlier, state=Flattr.State.WAITING)


def has_no_mail_address(patron, tea):
    EmailAddress.objects.filter(user=patron).delete()


def has_not_confirmed_the_mail_address(patron, tea):
    EmailAddress.objects.filter(user=patron).update(verified=False)


def has_paused(patron, tea):
    MonthlyBudget.objects.filter(user=patron).update(amount_micros=0)


def has_no_budget(patron, tea):
    MonthlyBudget.objects.filter(user=patron).delete()


def has_funds_in_another_currency_only(patron, tea):
    patron.currency = "USD"
    patron.save()


def has_spent_the_nonce(patron, tea):
    SpentNonce.objects.create(digest=NONCE, spent_at=read_clock().at)


@pytest.mark.parametrize(
    "unusual",
    [
        is_patrons_own,
        is_nobodys,
        has_a_proof_of_the_patron,
        is_in_dispute_with_the_patron,
        is_flattred_this_month,
        waits_from_another_month,
        has_no_mail_address,
        has_not_confirmed_the_mail_address,
        has_paused,
        has_no_budget,
        has_funds_in_another_currency_only,
        has_spent_the_nonce,
    ],
)
def test_what_is_unusual_is_left_as_it_was(patron, tea, unusual):
    unusual(patron, tea)
    before = Flattr.objects.count(), SpentNonce.objects.count()
    assert record_usual(patron, PAGE, NONCE) is None
    assert (Flattr.objects.count(), SpentNonce.objects.count()) == before


def test_who_has_given_everything_is_left_as_they_were(alice, tea):
    give_means(alice, funds_micros=0)
    assert account_of("funds", currency=alice.currency, user=alice).available_micros == 0
    assert record_usual(alice, PAGE, NONCE) is None
    assert not SpentNonce.objects.exists()


def test_what_nobody_flattred_yet_is_left_as_it_was(patron):
    assert record_usual(patron, PAGE, NONCE) is None
    assert not Thing.objects.exists()
