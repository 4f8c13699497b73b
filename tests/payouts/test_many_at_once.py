"""Sixteen at once, closing and clicking: nobody sees a deadlock, and each flattr counts once."""

import pytest
from django.db import connection, connections

from accounts.models import User
from buttons.flattrs import AlreadyFlattred, TooLate, flattr_thing, undo_flattr
from buttons.models import Flattr, Month, Thing
from buttons.months import current_month
from payouts import close, tasks
from payouts.models import Share
from tests.payouts.cast import gives
from tests.payouts.closers import FORK

CLOSERS = CLICKERS = 8
THINGS = 24

pytestmark = pytest.mark.django_db(transaction=True)


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def _close(month, started) -> None:
    started.wait()
    close.close_month(month, is_early=True)
    connections.close_all()


def _click(patron_id, thing_ids, started) -> None:
    """Press and undo in an order of one's own, so that two patrons cross each other."""
    patron = User.objects.get(pk=patron_id)
    started.wait()
    for place in range(THINGS):
        thing = Thing.objects.get(pk=thing_ids[(place * 7 + patron_id) % THINGS])
        try:
            made = flattr_thing(patron, thing)
            if place % 4 == 0:
                undo_flattr(patron, made.pk)
        except (AlreadyFlattred, TooLate):
            continue
    connections.close_all()


def test_sixteen_closers_and_clickers_meet_no_deadlock(alice, bob, settings, monkeypatch):
    settings.SANDBOX = True
    monkeypatch.setattr(close, "CHUNK_SIZE", 2)
    gives(bob, "2.00", "50.00")
    things = Thing.objects.bulk_create(
        Thing(url=f"https://blog.example/{number}", owner=bob) for number in range(THINGS)
    )
    patrons = [
        gives(User.objects.create(username=f"p{n}", email=f"p{n}@example.org"), "5.00", "50.00")
        for n in range(CLICKERS)
    ]
    month, before = current_month(), deadlocks()
    connections.close_all()
    started = FORK.Barrier(CLOSERS + CLICKERS)
    ids = [thing.pk for thing in things]
    processes = [FORK.Process(target=_close, args=(month, started)) for _ in range(CLOSERS)]
    processes += [FORK.Process(target=_click, args=(patron.pk, ids, started)) for patron in patrons]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0] * (CLOSERS + CLICKERS)
    assert deadlocks() == before
    assert Month.objects.get(pk=month).state == "closed"
    counted = set(Share.objects.filter(month=month).values_list("flattr_id", flat=True))
    made = Flattr.objects.filter(month=month, state="made")
    assert counted == set(made.values_list("pk", flat=True))


def _help(started) -> None:
    started.wait()
    tasks.help_close()
    connections.close_all()


def test_a_task_delivered_three_times_closes_the_month_once(alice, bob):
    """As when a message is delivered again, or two beats send each tick twice."""
    gives(alice, "5.00")
    gives(bob, "2.00")
    thing = Thing.objects.create(url="https://blog.example/", owner=bob)
    flattr = flattr_thing(alice, thing)
    last_month = close.months_before(current_month(), 1)
    Flattr.objects.filter(pk=flattr.pk).update(month=last_month)
    connections.close_all()
    started = FORK.Barrier(3)
    helpers = [FORK.Process(target=_help, args=(started,)) for _ in range(3)]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join(timeout=60)
    assert [helper.exitcode for helper in helpers] == [0] * 3
    assert Month.objects.get().state == "closed"
    assert Share.objects.get().amount_micros == 5_000_000
