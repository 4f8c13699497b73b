"""Corrections: by superusers, with a reason, once."""

import uuid

import pytest
from django.urls import reverse

from accounts.models import User
from funds import ledger
from funds.models import Transfer

pytestmark = pytest.mark.django_db
ADDRESS = "admin:funds_transfer_correct"


@pytest.fixture
def root(client):
    user = User.objects.create_superuser(
        username="root", email="root@example.org", password="correct horse battery"
    )
    client.force_login(user)
    return user


def funds_of(user):
    return ledger.account_of("funds", currency="EUR", user=user)


def form(alice, **changes):
    stripe = ledger.account_of("stripe_balance", currency="EUR")
    fields = {
        "debit": stripe.pk,
        "credit": funds_of(alice).pk,
        "amount": "2.50",
        "reason": "The bank paid twice.",
        "token": uuid.uuid4(),
    }
    return fields | changes


def test_a_superuser_corrects_with_a_reason(alice, root, client):
    response = client.post(reverse(ADDRESS), form(alice))
    made = Transfer.objects.get()
    assert response.url == reverse("admin:funds_transfer_change", args=[made.pk])
    assert (made.code, made.reason) == ("correction", "The bank paid twice. (by root)")
    assert funds_of(alice).available_micros == 2_500_000


def test_the_same_form_twice_corrects_once(alice, root, client):
    sent = form(alice)
    for _ in range(2):
        assert client.post(reverse(ADDRESS), sent).status_code == 302
    assert funds_of(alice).available_micros == 2_500_000


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": " "},
        {"amount": "-1"},
        {"amount": "0"},
        {"amount": "NaN"},
        {"debit": 999_999},
        {"debit": "x"},
        {"token": "x"},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(alice, root, client, changes):
    assert client.post(reverse(ADDRESS), form(alice, **changes)).status_code == 400
    assert not Transfer.objects.exists()


def test_nobody_is_overdrawn_by_a_correction(alice, bob, root, client):
    sent = form(alice, debit=funds_of(bob).pk)
    response = client.post(reverse(ADDRESS), sent)
    assert response.status_code == 400
    assert "does not hold that much" in response.text


def test_the_pot_of_a_month_is_not_corrected(alice, root, client):
    """A closed month is never touched again."""
    pot = ledger.account_of("pot", currency="EUR", month="2026-08-01")
    assert client.post(reverse(ADDRESS), form(alice, debit=pot.pk)).status_code == 400


def test_staff_who_are_no_superusers_correct_nothing(alice, mallory, client):
    User.objects.filter(pk=mallory.pk).update(is_staff=True)
    client.force_login(User.objects.get(pk=mallory.pk))
    assert client.get(reverse(ADDRESS)).status_code == 403
    assert client.post(reverse(ADDRESS), form(alice)).status_code == 403
    assert not Transfer.objects.exists()


def test_only_superusers_see_the_way_there(root, client):
    assert reverse(ADDRESS) in client.get(reverse("admin:funds_transfer_changelist")).text
    assert client.get(reverse(ADDRESS)).status_code == 200
