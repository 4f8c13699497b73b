"""A statement lists what was counted, its shares follow from that, and nobody writes it over."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funds.roles import as_owner
from payouts.close import close_month
from payouts.models import CreatorStatement, PatronStatement, Share, ThingStatement
from payouts.statements import shares_received
from tests.payouts.cast import AUGUST, SEPTEMBER, flattr, gives, state_of, thing_of

COPIED = """
INSERT INTO payouts_patronstatement (month_id, patron_id, currency, budget_micros, given_micros,
    flattrs, waiting_flattrs, flattr_ids, thing_ids, creator_ids)
SELECT month_id, patron_id, currency, budget_micros, given_micros, flattrs, waiting_flattrs,
    flattr_ids, thing_ids, creator_ids
FROM payouts_patronstatement
"""
WRITTEN_OVER = (
    "UPDATE payouts_patronstatement SET given_micros = given_micros - 1",
    "UPDATE payouts_patronstatement SET creator_ids = ARRAY[1::bigint]",
    "DELETE FROM payouts_patronstatement",
    "UPDATE payouts_thingstatement SET gross_micros = gross_micros + 1",
    "DELETE FROM payouts_thingstatement",
)
UNLIKELY = (
    ("patron_statement_lists_its_flattrs", "flattr_ids = flattr_ids || flattr_ids"),
    ("patron_statement_lists_its_flattrs", "thing_ids = '{}'"),
    ("patron_statement_lists_its_flattrs", "creator_ids = creator_ids || creator_ids"),
    ("patron_statement_of_others", "creator_ids = ARRAY[patron_id]"),
)


@pytest.fixture
def creator(bob):
    return gives(bob, "2.00")


@pytest.fixture
def closed(transactional_db, alice, creator):
    made = flattr(gives(alice, "5.00"), thing_of(creator))
    close_month(AUGUST)
    return made


def test_a_patron_has_one_statement_for_a_month(closed):
    with pytest.raises(IntegrityError, match="patron_statement_once"), transaction.atomic():
        connection.cursor().execute(COPIED)
    assert Share.objects.get().flattr_id == closed.pk


@pytest.mark.parametrize("statement", WRITTEN_OVER)
def test_what_a_statement_says_is_never_changed_even_by_the_owner(closed, statement):
    with as_owner() as owner, pytest.raises(DatabaseError, match="is append-only"):
        owner.cursor().execute(statement)
    assert Share.objects.get().amount_micros == ThingStatement.objects.get().gross_micros


def test_when_a_statement_was_mailed_is_written_after_it(closed):
    assert PatronStatement.objects.update(mailed_at="2024-09-01T00:00:00Z") == 1


@pytest.mark.parametrize(("constraint", "change"), UNLIKELY)
def test_a_statement_that_cannot_be_is_refused(closed, constraint, change):
    with as_owner() as owner, owner.cursor() as cursor:
        cursor.execute("ALTER TABLE payouts_patronstatement DISABLE TRIGGER USER")
        try:
            with pytest.raises(IntegrityError, match=constraint):
                cursor.execute(f"UPDATE payouts_patronstatement SET {change}")
        finally:
            cursor.execute("ALTER TABLE payouts_patronstatement ENABLE TRIGGER USER")


def test_flattrs_are_listed_as_they_were_made_and_not_as_they_were_numbered(db, alice, creator):
    gives(alice, "2.00")
    late, early, between = (flattr(alice, thing_of(creator), day=day) for day in (20, 2, 11))
    close_month(AUGUST)
    statement = PatronStatement.objects.get()
    assert statement.flattr_ids == [early.pk, between.pk, late.pk]
    assert statement.thing_ids == [early.thing_id, between.thing_id, late.thing_id]
    assert statement.creator_ids == [creator.pk] * 3
    by_place = Share.objects.order_by("place").values_list("place", "amount_micros")
    assert list(by_place) == [(1, 666_667), (2, 666_667), (3, 666_666)]


def test_a_patron_counts_once_for_a_creator_however_many_things_they_flattred(
    db, alice, carol, creator
):
    other, first = gives(carol, "2.00"), thing_of(creator)
    for patron in (gives(alice, "6.00"), other):
        flattr(patron, first)
    flattr(alice, thing_of(creator), day=11)
    flattr(alice, thing_of(other), day=12)
    close_month(AUGUST)
    found = CreatorStatement.objects.values_list("creator", "flattrs", "patrons")
    assert sorted(found) == sorted([(creator.pk, 3, 2), (other.pk, 1, 1)])


def test_a_creators_shares_are_found_by_their_things_also_what_waited(db, alice, bob, carol):
    thing = thing_of(bob)
    waited = flattr(gives(alice, "4.00"), thing)
    close_month(AUGUST)
    assert state_of(waited) == "waiting"
    gives(bob, "2.00")
    made = flattr(gives(carol, "4.00"), thing, month=SEPTEMBER)
    flattr(carol, thing_of(None), month=SEPTEMBER)
    close_month(SEPTEMBER)
    found = shares_received(bob.pk, SEPTEMBER).values_list("flattr_id", flat=True)
    assert sorted(found) == [waited.pk, made.pk]
    assert not shares_received(bob.pk, AUGUST).exists()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_micros=st.integers(0, 150_000_000),
    creators=st.lists(st.integers(2, 5), min_size=1, max_size=40),
)
def test_shares_differ_by_one_micro_at_most_and_add_up(db, alice, given_micros, creators):
    with transaction.atomic():
        PatronStatement.objects.create(
            month_id=AUGUST,
            patron=alice,
            currency="EUR",
            budget_micros=given_micros,
            given_micros=given_micros,
            flattrs=len(creators),
            waiting_flattrs=0,
            flattr_ids=list(range(1, len(creators) + 1)),
            thing_ids=[7] * len(creators),
            creator_ids=[alice.pk + creator for creator in creators],
        )
        amounts = list(Share.objects.order_by("place").values_list("amount_micros", flat=True))
        transaction.set_rollback(True)
    assert sum(amounts) == given_micros
    assert amounts == sorted(amounts, reverse=True)
    assert amounts[0] - amounts[-1] <= 1
