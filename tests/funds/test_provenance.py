"""What a debit was paid from: first in, first out, to the last micro."""

import uuid

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funds import ledger
from funds.provenance import balances_of, sources_of

pytestmark = [pytest.mark.django_db, pytest.mark.ledger_alone]


def stripe():
    return ledger.account_of("stripe_balance", currency="EUR")


def revenue(user):
    return ledger.account_of("revenue", currency="EUR", user=user)


def earn(user, amount, name=""):
    fact = name or f"correction:{uuid.uuid4()}"
    legs = {"debit": stripe(), "credit": revenue(user), "reason": "A test."}
    return ledger.post(fact, "correction", amount_micros=amount, **legs)


def reserve(user, amount):
    legs = {"debit": revenue(user), "credit": stripe()}
    return ledger.pend(f"withdrawal:{uuid.uuid4()}", "withdrawal", amount_micros=amount, **legs)


def parts(transfer):
    return [(source.fact, source.part_micros) for source in sources_of(transfer)]


@pytest.fixture
def in_time(transactional_db):
    """Each transfer in a transaction of its own, so that time tells which came first."""


def test_what_came_in_first_is_spent_first(in_time, bob):
    earn(bob, 10, "first")
    earn(bob, 10, "second")
    assert parts(reserve(bob, 4)) == [("first", 4)]
    assert parts(reserve(bob, 10)) == [("first", 6), ("second", 4)]
    assert parts(reserve(bob, 6)) == [("second", 6)]


def test_what_was_voided_spent_nothing(in_time, bob):
    earn(bob, 10, "first")
    ledger.void_pending(reserve(bob, 10))
    assert parts(reserve(bob, 4)) == [("first", 4)]


def test_what_was_posted_keeps_the_place_of_its_reserve(in_time, bob):
    earn(bob, 10, "first")
    earn(bob, 10, "second")
    early, late = reserve(bob, 10), reserve(bob, 10)
    ledger.post_pending(late)
    posted = ledger.post_pending(early)
    assert parts(late) == [("second", 10)]
    assert parts(posted) == parts(early) == [("first", 10)]


def test_accounts_of_the_instance_have_no_sources(bob):
    assert sources_of(earn(bob, 10)) == []


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    earned=st.lists(st.integers(1, 50), min_size=1, max_size=8),
    cuts=st.lists(st.integers(1, 60), max_size=8),
)
def test_every_micro_is_matched_exactly_once(alice, earned, cuts):
    with transaction.atomic():
        came = [earn(alice, amount) for amount in earned]
        spent, left, used = [], sum(earned), {}
        for amount in cuts:
            if amount <= left:
                spent.append(reserve(alice, amount))
                left -= amount
        for debit in spent:
            assert sum(part for _, part in parts(debit)) == debit.amount_micros
            for fact, part in parts(debit):
                used[fact] = used.get(fact, 0) + part
        assert sum(used.values()) == sum(earned) - left
        assert all(used.get(credit.fact, 0) <= credit.amount_micros for credit in came)
        transaction.set_rollback(True)


def test_balances_are_credits_less_debits(bob):
    earn(bob, 10)
    ledger.post_pending(reserve(bob, 4))
    reserve(bob, 1)
    assert balances_of([stripe().pk, revenue(bob).pk]) == {stripe().pk: -6, revenue(bob).pk: 6}
    assert balances_of([]) == {}
