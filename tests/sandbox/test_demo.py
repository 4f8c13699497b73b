"""The demo data: real rows, made once."""

import pytest
from django.test import override_settings

from accounts.models import User
from buttons.models import Flattr, Month
from funds.models import TopUp, Transfer
from funds.money import micros_of_cents
from funds.reconcile import ledger_balances
from payouts.models import CreatorStatement, PatronStatement, Share
from sandbox.demo.load import load
from sandbox.demo.people import DEMO_PASSWORD, DEMO_PEOPLE
from sandbox.stripe.store import Store
from sandbox.stripe.world import World

BLOG = "http://127.0.0.1:8001"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sandbox():
    # Seven slow hashes for each test would be all that it does.
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(SANDBOX=True, PASSWORD_HASHERS=hashers):
        yield


def test_there_is_one_closed_month_and_one_open():
    load(BLOG)
    assert [month.state for month in Month.objects.all()] == ["closed"]
    assert Share.objects.exists() and CreatorStatement.objects.count() == 3
    assert PatronStatement.objects.count() == 5
    assert Flattr.objects.filter(month__gt=Month.objects.get().month).exists()


def test_loading_twice_changes_nothing():
    assert load(BLOG)
    before = (User.objects.count(), Flattr.objects.count(), Transfer.objects.count())
    assert not load(BLOG)
    assert (User.objects.count(), Flattr.objects.count(), Transfer.objects.count()) == before


def test_everybody_can_sign_in_and_one_is_an_admin(client):
    load(BLOG)
    for person in DEMO_PEOPLE:
        signed_in = client.login(username=person.email, password=DEMO_PASSWORD)
        assert signed_in, person
    assert [user.username for user in User.objects.filter(is_superuser=True)] == ["admin"]


def test_the_post_without_an_able_owner_has_flattrs_that_wait():
    load(BLOG)
    waiting = Flattr.objects.filter(state="waiting")
    assert set(waiting.values_list("thing__owner__username", flat=True)) == {"fritz"}


def test_what_lies_at_stripe_is_what_the_ledger_says():
    stripe = World(store=Store(None), secret_key="sk_test_demo", endpoints={})
    load(BLOG, stripe)
    available, pending = stripe.store.sum_net("eur", stripe.now())
    assert available > 0 and pending == 0
    assert ledger_balances() == {"EUR": micros_of_cents(available)}
    assert not TopUp.objects.filter(stripe_charge_id=None).exists()
