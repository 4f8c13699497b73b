"""Who paid for a page, counted after a close for the pages whose owners show it."""

import pytest

from buttons.models import Month, Readers, Thing
from payouts import tasks
from payouts.close import close_month
from payouts.readers import publish_readers
from tests.payouts.cast import AUGUST, SEPTEMBER, flattr, gives, micros, thing_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def bread(bob) -> Thing:
    """A page of Bob's, who shows how many readers paid for it."""
    bread = thing_of(gives(bob, "2.00"), "bread")
    Thing.objects.filter(pk=bread.pk).update(shows_readers=True)
    return bread


@pytest.fixture
def august(bread, alice, carol, mallory) -> None:
    """Three people give EUR 2.00 each, Alice half of it for something else."""
    for patron in (alice, carol, mallory):
        flattr(gives(patron, "2.00"), bread)
    flattr(alice, thing_of(carol))
    close_month(AUGUST)


def figures() -> list[tuple[int, str, int | None]]:
    return list(Readers.objects.values_list("readers", "currency", "amount_micros"))


def test_readers_are_those_whose_share_of_the_page_was_paid(august):
    assert publish_readers() == 1
    assert figures() == [(3, "EUR", micros("5.00"))]


def test_the_tick_after_a_close_publishes_them(august, monkeypatch):
    monkeypatch.setattr("funds.stripe_gateway.balance_cents", lambda: {"EUR": 0})
    tasks.publish_figures()
    assert len(figures()) == 1


def test_a_month_is_counted_once_and_a_repeat_writes_nothing(august):
    assert [publish_readers(), publish_readers()] == [1, 0]


def test_who_paid_in_two_months_is_one_reader(august, alice, bread):
    publish_readers()
    gives(alice, "2.00")
    flattr(alice, bread, SEPTEMBER)
    close_month(SEPTEMBER)
    assert publish_readers() == 1
    assert figures() == [(3, "EUR", micros("7.00"))]


def test_who_flattred_without_paying_is_none_and_two_peoples_amount_is_kept_back(
    bread, alice, carol, mallory
):
    for patron in (gives(alice, "2.00"), gives(carol, "2.00"), mallory):
        flattr(patron, bread)
    close_month(AUGUST)
    publish_readers()
    assert figures() == [(2, "EUR", None)]


def test_an_amount_of_two_currencies_is_not_added_up(bread, alice, carol, mallory):
    mallory.currency = "USD"
    mallory.save(update_fields=["currency"])
    for patron in (alice, carol, mallory):
        flattr(gives(patron, "2.00"), bread)
    close_month(AUGUST)
    publish_readers()
    assert [(readers, amount) for readers, _, amount in figures()] == [(3, None)]


def test_a_month_that_is_being_closed_is_not_counted(august):
    Month.objects.filter(month=AUGUST).update(state="closing")
    assert publish_readers() == 0
    Month.objects.filter(month=AUGUST).update(state="closed")


def test_a_month_that_is_being_closed_adds_nothing_to_those_before(august, alice, bread):
    flattr(gives(alice, "2.00"), bread, SEPTEMBER)
    close_month(SEPTEMBER)
    Month.objects.filter(month=SEPTEMBER).update(state="closing")
    publish_readers()
    assert figures() == [(3, "EUR", micros("5.00"))]
    Month.objects.filter(month=SEPTEMBER).update(state="closed")


def test_a_share_of_nothing_was_not_paid(bread, alice, carol):
    for patron, funds in ((alice, "2.00"), (carol, "0")):
        flattr(gives(patron, "2.00", funds), bread)
    close_month(AUGUST)
    publish_readers()
    assert figures() == [(1, "EUR", None)]


def test_pages_whose_owners_do_not_show_it_have_no_figures(august):
    Thing.objects.update(shows_readers=False)
    assert publish_readers() == 0


def test_a_new_owner_begins_with_their_own_readers(august, carol, bread):
    publish_readers()
    Thing.objects.filter(pk=bread.pk).update(owner=carol)
    assert publish_readers() == 1
    assert figures() == [(0, "", None)]


def test_before_the_first_close_there_is_nothing_to_publish(bread):
    assert publish_readers() == 0
