"""Broken books: found within the hour, and no money leaves until an admin has looked."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from funds import outbox, returns
from funds.models import StripeRequest, TopUp
from funds.roles import as_owner
from payouts import tasks
from payouts.check_books import clear_checks, is_stopped, record_check, run_checks
from payouts.models import BooksCheck
from tests.funds.paying import give_funds
from tests.payouts.cast import gives
from tests.payouts.going_out import earns, onboarded, send_all, transfers_of, withdraw
from tests.payouts.pretend_stripe import PretendStripe

pytestmark = pytest.mark.django_db


@pytest.fixture
def stripe(monkeypatch):
    pretended = PretendStripe()
    pretended.install(monkeypatch)
    return pretended


@pytest.fixture
def broken(db) -> BooksCheck:
    found = [{"name": "counters", "rule": "a rule", "rows": ["account 1"]}]
    return BooksCheck.objects.create(
        started_at=timezone.now(), checks=1, is_sound=False, findings=found
    )


def test_a_withdrawal_waits_reserved_and_goes_out_once_cleared(bob, mallory, stripe, broken):
    onboarded(earns(bob, "5.00"))
    withdrawal = withdraw(bob, "2.00")
    send_all()
    outbox.send_request(StripeRequest.objects.get().pk, is_hurried=True)
    assert stripe.made["withdrawal"] == 0
    assert transfers_of(withdrawal) == [("withdrawal", "pending")]
    assert clear_checks(mallory) == 1
    send_all()
    assert stripe.made["withdrawal"] == 1
    withdrawal.refresh_from_db()
    assert withdrawal.state == "paid"


def test_a_refund_waits_too(alice, mallory, stripe, broken):
    give_funds(alice, 5_000_000)
    returned = returns.refund_top_up(TopUp.objects.get())
    assert (returned.state, stripe.made["refund"]) == ("pending", 0)
    clear_checks(mallory)
    send_all()
    returned.refresh_from_db()
    assert (returned.state, stripe.made["refund"]) == ("done", 1)


def test_what_comes_in_does_not_wait(alice, stripe, broken):
    with transaction.atomic():
        params = {"metadata": {"user_id": str(alice.pk)}}
        request = outbox.write_request("customer", UUID(int=1), params, "customer:1")
    outbox.send_due_requests()
    request.refresh_from_db()
    assert request.state == "done"


def test_a_later_sound_check_does_not_clear_an_earlier_broken_one(broken):
    assert record_check().is_sound
    assert is_stopped()


def test_the_books_are_checked_once_an_hour(db):
    tasks.check_books()
    tasks.check_books()
    assert BooksCheck.objects.count() == 1
    BooksCheck.objects.update(started_at=timezone.now() - timedelta(minutes=61))
    tasks.check_books()
    assert BooksCheck.objects.count() == 2


def test_an_admin_clears_it_and_staff_who_may_only_look_does_not(client, mallory, broken):
    User.objects.filter(pk=mallory.pk).update(is_staff=True)
    client.force_login(mallory)
    assert client.post(reverse("admin:payouts_bookscheck_clear")).status_code == 403
    assert is_stopped()
    User.objects.filter(pk=mallory.pk).update(is_superuser=True)
    assert (
        "wait until this is cleared"
        in client.get(reverse("admin:payouts_bookscheck_changelist")).text
    )
    client.post(reverse("admin:payouts_bookscheck_clear"))
    broken.refresh_from_db()
    assert broken.cleared_by == mallory
    assert not is_stopped()


TAMPERED = {
    "counters": """
        UPDATE funds_ledgeraccount SET credits_posted_micros = credits_posted_micros + 1
        WHERE user_id IS NOT NULL
    """,
    "top_ups": "UPDATE funds_transfer SET amount_micros = amount_micros + 1",
    "ids": "UPDATE funds_transfer SET fact = fact || 'x'",
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_counter_or_transfer_is_found_named_and_stops_money(alice, name):
    gives(alice, "5.00")
    account = alice.ledger_accounts.get(code="funds")
    with as_owner(), transaction.atomic(), connection.cursor() as cursor:
        for table in ("funds_transfer", "funds_ledgeraccount"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE funds_transfer DROP CONSTRAINT transfer_id_is_of_its_fact")
        cursor.execute(TAMPERED[name])
        found = {finding.name: finding.rows for finding in run_checks()}
        assert name in found
        if name == "counters":
            assert found[name] == (f"account {account.pk}",)
        tasks.check_books()
        assert is_stopped()
        transaction.set_rollback(True)
