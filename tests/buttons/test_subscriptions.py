"""Subscriptions make one flattr a month, by the rules of a press, and never one that was undone."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from buttons.flattrs import (
    FlattrRefused,
    NoMeans,
    OwnThing,
    flattr_thing,
    record_subscribed,
    undo_flattr,
)
from buttons.models import Claim, Flattr, Month, Subscription
from buttons.months import current_month, months_before, next_month, read_clock
from buttons.submissions import ContentNotSupported
from buttons.subscriptions import cancel_subscription, subscribe, subscription_of
from funds.models import MonthlyBudget
from tests.buttons.people import flattr, give_means, make_thing

pytestmark = pytest.mark.django_db


@pytest.fixture
def month() -> date:
    return current_month()


def subscription(patron, thing, month, last_month=None, **fields) -> Subscription:
    """A subscription whose flattr of this month is due, begun the month before."""
    return Subscription.objects.create(
        patron=patron,
        thing=thing,
        first_month=months_before(month, 1),
        next_month=month,
        last_month=last_month,
        created_at=read_clock().at,
        **fields,
    )


def end_month(month) -> None:
    Month.objects.create(month=month, state="closed", opened_at=read_clock().at)


# What a month brings.


def test_each_month_brings_one_flattr(patron, tea, month):
    flattr(patron, tea)
    subscribe(patron, tea, None)
    for ended in (month, next_month(month)):
        end_month(ended)
        assert record_subscribed(next_month(ended)) == 1
    assert [made.month for made in Flattr.objects.order_by("pk")] == [
        month,
        next_month(month),
        months_before(month, -2),
    ]


def test_a_repeat_records_nothing(patron, tea, month):
    subscription(patron, tea, month)
    assert [record_subscribed(month) for _ in range(3)] == [1, 0, 0]


def test_a_flattr_tells_which_subscription_made_it(patron, tea, month):
    made_by = subscription(patron, tea, month)
    record_subscribed(month)
    assert Flattr.objects.get().subscription == made_by


def test_three_months_are_this_one_and_two_more(patron, tea, month):
    flattr(patron, tea)
    begun = subscribe(patron, tea, 3)
    assert (begun.first_month, begun.last_month) == (month, months_before(month, -2))
    for _ in range(4):
        end_month(current_month())
        record_subscribed(current_month())
    assert Flattr.objects.count() == 3
    assert subscription_of(patron, tea) is None


def test_what_is_cancelled_brings_no_more(patron, tea, month):
    cancel_subscription(patron, subscription(patron, tea, month).pk)
    assert record_subscribed(month) == 0


def test_cancelling_leaves_the_months_flattr(patron, tea):
    made = flattr(patron, tea)
    cancel_subscription(patron, subscribe(patron, tea, None).pk)
    made.refresh_from_db()
    assert made.state == "made"


def test_a_month_that_was_opened_for_closing_takes_none(patron, tea, month):
    subscription(patron, tea, month)
    Month.objects.create(month=month, opened_at=read_clock().at)
    assert record_subscribed(month) == 0
    assert record_subscribed(next_month(month)) == 1


def test_a_month_that_lies_ahead_takes_none(patron, tea, month):
    subscription(patron, tea, month)
    assert record_subscribed(next_month(month)) == 0


def test_many_are_recorded_by_several_statements(patron, creator, month, monkeypatch):
    monkeypatch.setattr("buttons.flattrs.SUBSCRIPTIONS_AT_ONCE", 2)
    for number in range(5):
        subscription(patron, make_thing(f"https://blog.example/{number}", creator), month)
    assert record_subscribed(month) == 5


# What a press would be refused for, a subscription is too.


def own(patron, thing):
    thing.owner = patron
    thing.save(update_fields=["owner"])


def in_dispute(patron, thing):
    Claim.objects.create(thing=thing, user=patron, state=Claim.State.FROZEN)


def pressed(patron, thing):
    flattr(patron, thing)


def waits(patron, thing):
    earlier = months_before(current_month(), 1)
    Flattr.objects.create(
        patron=patron, thing=thing, month=earlier, state="waiting", created_at=read_clock().at
    )


def nobodys(patron, thing):
    thing.claims.update(state=Claim.State.REFUSED)
    thing.owner = None
    thing.save(update_fields=["owner"])


def without_budget(patron, thing):
    MonthlyBudget.objects.filter(user=patron).delete()


def paused(patron, thing):
    MonthlyBudget.objects.filter(user=patron).update(amount_micros=0)


SETTLED = [own, in_dispute, pressed, waits, nobodys]
ASKED_AGAIN = [without_budget, paused]


@pytest.mark.parametrize("situation", SETTLED + ASKED_AGAIN)
def test_what_a_press_is_refused_for_records_nothing(patron, tea, month, situation):
    subscription(patron, tea, month)
    situation(patron, tea)
    before = Flattr.objects.count()
    assert record_subscribed(month) == 0
    with pytest.raises((FlattrRefused, ContentNotSupported)):
        flattr_thing(patron, tea)
    assert Flattr.objects.count() == before


def hidden(patron, thing):
    thing.is_hidden = True
    thing.save(update_fields=["is_hidden"])


def unproven(patron, thing):
    thing.claims.update(state=Claim.State.UNPROVEN)
    thing.owner = None
    thing.save(update_fields=["owner"])


def owner_has_left(patron, thing):
    User.objects.filter(pk=thing.owner_id).update(is_active=False)


@pytest.mark.parametrize("situation", [hidden, unproven, owner_has_left])
def test_what_a_press_is_taken_for_records_a_flattr(patron, tea, month, situation):
    subscription(patron, tea, month)
    situation(patron, tea)
    assert record_subscribed(month) == 1
    undo_flattr(patron, Flattr.objects.get().pk)
    assert flattr_thing(patron, tea).state == "made"


@pytest.mark.parametrize("situation", SETTLED)
def test_what_is_settled_without_a_flattr_is_not_asked_again(patron, tea, month, situation):
    due = subscription(patron, tea, month)
    situation(patron, tea)
    record_subscribed(month)
    due.refresh_from_db()
    assert due.next_month == next_month(month)


def test_empty_funds_leave_the_month_open_until_there_are_means(carol, tea, month):
    give_means(carol, funds_micros=0)
    due = subscription(carol, tea, month)
    assert record_subscribed(month) == 0
    with pytest.raises(NoMeans):
        flattr_thing(carol, tea)
    due.refresh_from_db()
    assert due.next_month == month
    give_means(carol)
    assert record_subscribed(month) == 1


def test_a_month_that_went_by_without_means_is_over(carol, tea, month):
    give_means(carol, funds_micros=0)
    subscription(carol, tea, month, last_month=month)
    record_subscribed(month)
    end_month(month)
    give_means(carol)
    assert record_subscribed(next_month(month)) == 0
    assert not Flattr.objects.exists()


def test_what_ended_without_means_is_not_looked_at_by_every_tick(carol, tea, month):
    give_means(carol, funds_micros=0)
    over = subscription(carol, tea, month, last_month=month)
    end_month(month)
    record_subscribed(next_month(month))
    over.refresh_from_db()
    assert over.last_month and over.next_month > over.last_month


def test_after_months_without_means_the_thing_is_subscribed_to_anew(carol, tea, month):
    give_means(carol, funds_micros=0)
    subscription(carol, tea, month, last_month=month)
    end_month(month)
    assert subscription_of(carol, tea) is None
    assert subscribe(carol, tea, 3).first_month == next_month(month)


def test_a_deactivated_patron_flattrs_nothing(patron, tea, month):
    subscription(patron, tea, month)
    User.objects.filter(pk=patron.pk).update(is_active=False)
    assert record_subscribed(month) == 0


# Undone stays undone.


def test_what_was_undone_is_not_made_again_in_that_month(patron, tea, month):
    subscription(patron, tea, month)
    record_subscribed(month)
    undo_flattr(patron, Flattr.objects.get().pk)
    assert record_subscribed(month) == 0
    end_month(month)
    assert record_subscribed(next_month(month)) == 1


def test_a_press_that_was_undone_before_the_tick_is_not_made_again(patron, tea, month):
    subscription(patron, tea, month)
    undo_flattr(patron, flattr(patron, tea).pk)
    assert record_subscribed(month) == 0


def test_a_press_after_the_undo_is_the_patrons_own(patron, tea, month):
    subscription(patron, tea, month)
    record_subscribed(month)
    undo_flattr(patron, Flattr.objects.get().pk)
    assert flattr(patron, tea).subscription is None


# Whose the thing is.


def test_what_changed_hands_is_not_flattred_unasked(patron, tea, month, mallory, creator):
    subscription(patron, tea, month, owner=creator)
    own(mallory, tea)
    assert record_subscribed(month) == 0


def test_what_comes_back_to_its_owner_is_flattred_again(patron, tea, month, mallory, creator):
    subscription(patron, tea, month, owner=creator)
    own(mallory, tea)
    record_subscribed(month)
    end_month(month)
    own(creator, tea)
    assert record_subscribed(next_month(month)) == 1


def test_the_first_proof_names_the_owner_of_what_was_nobodys(patron, tea, month, mallory, creator):
    due = subscription(patron, tea, month)
    record_subscribed(month)
    due.refresh_from_db()
    assert due.owner == creator
    end_month(month)
    own(mallory, tea)
    assert record_subscribed(next_month(month)) == 0


# Beginning.


def test_subscribing_without_a_flattr_of_the_month_makes_it(patron, tea, month):
    begun = subscribe(patron, tea, 3)
    assert Flattr.objects.get().subscription == begun
    assert begun.next_month == next_month(month)


def test_subscribing_leaves_what_others_are_due_to_the_tick(patron, carol, tea, month):
    subscription(give_means(carol), tea, month)
    subscribe(patron, tea, 3)
    assert Flattr.objects.get().patron == patron


def test_subscribing_twice_keeps_the_first(patron, tea):
    first = subscribe(patron, tea, 3)
    assert subscribe(patron, tea, None) == first
    assert Subscription.objects.get().last_month == first.last_month


def test_nobody_subscribes_to_their_own_thing(creator, tea):
    with pytest.raises(OwnThing):
        subscribe(creator, tea, None)
    assert not Subscription.objects.exists()


def test_nobody_cancels_anothers_subscription(patron, tea, mallory):
    begun = subscribe(patron, tea, None)
    with pytest.raises(Subscription.DoesNotExist):
        cancel_subscription(mallory, begun.pk)
    assert subscription_of(patron, tea) == begun


# What the database refuses.


def test_a_second_open_subscription_of_one_thing_is_refused(patron, tea, month):
    subscription(patron, tea, month)
    with pytest.raises(IntegrityError), transaction.atomic():
        subscription(patron, tea, month)
    Subscription.objects.update(cancelled_at=read_clock().at)
    subscription(patron, tea, month)


def test_a_second_flattr_of_a_subscription_in_one_month_is_refused(patron, tea, month):
    made_by = subscription(patron, tea, month)
    record_subscribed(month)
    undo_flattr(patron, Flattr.objects.get().pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        Flattr.objects.create(
            patron=patron, thing=tea, month=month, created_at=read_clock().at, subscription=made_by
        )


@pytest.mark.parametrize("field", ["first_month", "next_month", "last_month"])
def test_a_subscription_counts_in_whole_months(patron, tea, month, field):
    subscription(patron, tea, month)
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.update(**{field: months_before(month, -3).replace(day=2)})
