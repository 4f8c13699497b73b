"""Presses, undos and drops that race a close: each falls on one side of it, whole."""

import pytest
from django.db import connections

from accounts.models import User
from buttons.flattrs import TooLate, drop_waiting, flattr_thing, undo_flattr
from buttons.models import Flattr, Thing
from buttons.months import current_month, months_before, next_month
from payouts import close
from payouts.models import PatronStatement, Share
from tests.payouts.cast import AUGUST, flattr, gives, micros, shares_of, state_of, thing_of
from tests.payouts.closers import FORK

PATRONS, PRESSES = 4, 25

pytestmark = pytest.mark.django_db(transaction=True)


def _press(patron_id: int, thing_ids: list[int], started) -> None:
    patron = User.objects.get(pk=patron_id)
    started.wait()
    for thing in Thing.objects.filter(pk__in=thing_ids).order_by("pk"):
        made = flattr_thing(patron, thing)
        if thing.pk % 5 == 0:
            try:
                undo_flattr(patron, made.pk)
            except TooLate:
                continue
    connections.close_all()


def test_a_press_that_races_the_close_is_counted_in_exactly_one_month(alice, bob, settings):
    settings.SANDBOX = True
    gives(bob, "2.00")
    things = Thing.objects.bulk_create(
        Thing(url=f"https://blog.example/{number}", owner=bob) for number in range(PRESSES)
    )
    patrons = [
        gives(User.objects.create(username=f"p{n}", email=f"p{n}@example.org"), "5.00", "9.00")
        for n in range(PATRONS)
    ]
    month = current_month()
    connections.close_all()
    started = FORK.Barrier(PATRONS + 1)
    clickers = [
        FORK.Process(target=_press, args=(patron.pk, [thing.pk for thing in things], started))
        for patron in patrons
    ]
    for clicker in clickers:
        clicker.start()
    started.wait()
    # In the middle of it: the first of everybody's presses are in.
    while Flattr.objects.filter(month=month).count() < PATRONS * 3:
        continue
    close.close_month(month, is_early=True)
    for clicker in clickers:
        clicker.join(timeout=60)
    assert [clicker.exitcode for clicker in clickers] == [0] * PATRONS

    late = Flattr.objects.filter(month=next_month(month))
    early = Flattr.objects.filter(month=month)
    assert early.count() + late.count() == PATRONS * PRESSES
    assert late.exists()
    shared = set(Share.objects.filter(month=month).values_list("flattr_id", flat=True))
    assert shared == set(early.filter(state="made").values_list("id", flat=True))
    # And the late ones in theirs.
    close.close_month(next_month(month), is_early=True)
    assert Share.objects.count() == Flattr.objects.filter(state="made").count()


def _drop(patron_id: int, flattr_ids: list[int], started) -> None:
    patron = User.objects.get(pk=patron_id)
    started.wait()
    for flattr_id in flattr_ids:
        try:
            drop_waiting(patron, flattr_id)
        except TooLate:
            continue
    connections.close_all()


def test_a_flattr_that_waits_is_either_dropped_or_counted(alice, bob):
    gives(alice, "5.00")
    gives(bob, "2.00")
    july = months_before(AUGUST, 1)
    waiting = [flattr(alice, thing_of(None), month=july) for _ in range(30)]
    close.close_month(july)
    Thing.objects.update(owner=bob)
    connections.close_all()
    started = FORK.Barrier(2)
    dropper = FORK.Process(target=_drop, args=(alice.pk, [row.pk for row in waiting], started))
    dropper.start()
    started.wait()
    close.close_month(AUGUST)
    dropper.join(timeout=60)
    assert dropper.exitcode == 0
    counted = set(Flattr.objects.filter(state="counted").values_list("id", flat=True))
    assert counted == set(Share.objects.values_list("flattr_id", flat=True))
    assert Flattr.objects.filter(state__in=["counted", "dropped"]).count() == 30
    given = PatronStatement.objects.filter(month=AUGUST).values_list("flattrs", flat=True)
    assert sum(given) == len(counted)


def test_a_press_between_the_end_of_a_month_and_its_close_counts_beside_the_one_that_waits(
    alice, carol, settings
):
    """The earlier one does not wait yet, so nothing answers "already waiting"."""
    settings.SANDBOX = True
    gives(alice, "2.00")
    thing = thing_of(carol)
    month = current_month()
    first = flattr_thing(alice, thing)
    close.open_month(month, is_early=True)
    later = flattr_thing(alice, thing)
    close.close_month(month, is_early=True)
    assert (state_of(first), state_of(later)) == ("waiting", "made")
    gives(carol, "2.00")
    close.close_month(later.month, is_early=True)
    assert shares_of(alice, later.month) == [micros("1.00")] * 2
