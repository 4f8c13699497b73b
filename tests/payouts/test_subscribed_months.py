"""Subscriptions and the close: each month has its flattr before it is closed, tick or no tick."""

import json
from datetime import date

import pytest
from django.urls import reverse

from buttons.flattrs import record_subscribed, undo_flattr
from buttons.models import Flattr, Month, Subscription
from buttons.months import current_month, months_before, read_clock
from buttons.subscriptions import subscribe
from payouts import tasks
from payouts.close import close_month, open_month, record_subscribed_now
from tests.payouts.cast import (
    AUGUST,
    JULY,
    SEPTEMBER,
    flattr,
    funds_of,
    gives,
    micros,
    shares_of,
    thing_of,
    top_up,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def tea(bob):
    return thing_of(gives(bob, "2.00", "50.00"))


@pytest.fixture
def patron(alice):
    return gives(alice, "2.00", "50.00")


@pytest.fixture
def subscribed(patron, tea) -> Subscription:
    """Alice flattred tea in July, and wanted it each month from then on."""
    flattr(patron, tea, JULY)
    return Subscription.objects.create(
        patron=patron,
        thing=tea,
        owner=tea.owner,
        first_month=JULY,
        next_month=AUGUST,
        created_at="2024-07-10T12:00Z",
    )


def made_in(thing) -> list[date]:
    return list(thing.flattrs.order_by("month").values_list("month", flat=True))


def test_months_in_which_no_tick_came_have_their_flattr_when_they_are_closed(
    patron, tea, subscribed
):
    close_month(SEPTEMBER)
    assert made_in(tea) == [JULY, AUGUST, SEPTEMBER]
    assert [shares_of(patron, month) for month in (JULY, AUGUST, SEPTEMBER)] == [[2_000_000]] * 3
    assert funds_of(patron) == micros("44.00")


def test_a_month_that_is_being_closed_gets_no_more(tea, subscribed):
    close_month(JULY)
    Month.objects.create(month=AUGUST, opened_at="2024-09-01T00:00Z")
    open_month(AUGUST)
    assert made_in(tea) == [JULY]


def test_what_was_undone_in_a_month_is_not_made_by_its_close(patron, tea, subscribed):
    close_month(JULY)
    record_subscribed(AUGUST)
    made = Flattr.objects.get(month=AUGUST)
    Flattr.objects.filter(pk=made.pk).update(state="undone")
    close_month(AUGUST)
    assert shares_of(patron, AUGUST) == []
    assert Flattr.objects.filter(month=AUGUST).count() == 1


def test_nothing_is_made_a_second_time_while_the_first_waits(patron, carol):
    """Also between the end of a month and its close, when nobody knows yet what waits."""
    unclaimed = thing_of(None)
    unclaimed.claims.create(user=carol)
    flattr(patron, unclaimed, months_before(current_month(), 1))
    Subscription.objects.create(
        patron=patron,
        thing=unclaimed,
        first_month=months_before(current_month(), 1),
        next_month=current_month(),
        created_at=read_clock().at,
    )
    assert record_subscribed_now() == 0
    close_month(months_before(current_month(), 1))
    assert list(unclaimed.flattrs.values_list("state", flat=True)) == ["waiting"]


def test_the_month_after_the_first_counted_is_flattred_again(patron, bob):
    """Waiting costs a subscription the months in which it waits, and no other."""
    unclaimed = thing_of(None)
    unclaimed.claims.create(user=gives(bob, "2.00", "50.00"))
    flattr(patron, unclaimed, JULY)
    Subscription.objects.create(
        patron=patron,
        thing=unclaimed,
        first_month=JULY,
        next_month=AUGUST,
        created_at="2024-07-10T12:00Z",
    )
    close_month(JULY)
    unclaimed.owner = bob
    unclaimed.save(update_fields=["owner"])
    close_month(SEPTEMBER)
    assert made_in(unclaimed) == [JULY, SEPTEMBER]
    assert [len(shares_of(patron, month)) for month in (AUGUST, SEPTEMBER)] == [1, 1]


def test_a_patron_without_means_gives_in_the_first_month_that_finds_some(carol, tea):
    gives(carol, "2.00", "0")
    Subscription.objects.create(
        patron=carol, thing=tea, first_month=JULY, next_month=JULY, created_at="2024-07-10T12:00Z"
    )
    close_month(JULY)
    top_up(carol, "10.00")
    close_month(AUGUST)
    assert made_in(tea) == [AUGUST]


def test_closing_a_month_early_flattrs_for_the_next_one(patron, tea):
    this = current_month()
    subscribe(patron, tea, None)
    close_month(this, is_early=True)
    assert made_in(tea) == [this, months_before(this, -1)]


@pytest.fixture
def since_last_month(patron, tea) -> date:
    """Alice flattred tea last month, which is over and not closed; returns that month."""
    last = months_before(current_month(), 1)
    flattr(patron, tea, last)
    Subscription.objects.create(
        patron=patron,
        thing=tea,
        first_month=last,
        next_month=current_month(),
        created_at=read_clock().at,
    )
    return last


def test_the_close_of_one_month_is_followed_by_the_flattrs_of_the_next(
    tea, since_last_month, monkeypatch
):
    monkeypatch.setattr(tasks.help_close, "apply_async", lambda expires: tasks.help_close())
    tasks.flattr_subscriptions()
    assert made_in(tea) == [since_last_month]
    tasks.close_due_months()
    assert made_in(tea) == [since_last_month, current_month()]


def test_a_tick_makes_up_for_a_worker_that_was_killed_after_the_close(
    tea, since_last_month, monkeypatch
):
    with monkeypatch.context() as killed:
        killed.setattr("payouts.close.record_subscribed_now", lambda: 0)
        close_month(since_last_month)
    assert made_in(tea) == [since_last_month]
    for _ in range(2):
        tasks.flattr_subscriptions()
    assert made_in(tea) == [since_last_month, current_month()]


def test_the_undo_of_this_month_leaves_the_next(patron, tea):
    this = current_month()
    subscribe(patron, tea, None)
    undo_flattr(patron, Flattr.objects.get().pk)
    tasks.flattr_subscriptions()
    close_month(this, is_early=True)
    assert list(Flattr.objects.order_by("month").values_list("state", flat=True)) == [
        "undone",
        "made",
    ]


def test_the_statement_and_its_rows_say_what_came_by_itself(client, patron, tea, subscribed):
    close_month(AUGUST)
    client.force_login(patron)
    rows = json.loads(client.get(reverse("payouts:patron-rows", args=[AUGUST, "json"])).getvalue())
    assert [row["is_subscribed"] for row in rows["rows"]] == [True]
    assert ", every month" in client.get("/statements/2024-08/").content.decode()
    assert ", every month" not in client.get("/statements/2024-07/").content.decode()
