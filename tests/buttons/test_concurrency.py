"""Presses, proofs and closes at the same moment, on connections of their own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from buttons.flattrs import (
    AlreadyFlattred,
    record_flattr,
    record_subscribed,
    record_usual,
    undo_flattr,
)
from buttons.models import Claim, Flattr, Month, Press, SpentNonce, Subscription, Thing
from buttons.months import current_month, hold_months_exclusively, hold_months_shared, next_month
from buttons.ownership import Findings, due_things, settle_claims
from buttons.presses import complete_presses, keep_press
from buttons.submissions import Submission
from buttons.subscriptions import subscribe
from tests.buttons.people import PAGE, flattr, give_means, make_thing

pytestmark = pytest.mark.django_db(transaction=True)

LONG_SECONDS = 10


def at_once(*verbs: Callable[[], Any]) -> list[Any]:
    """Run verbs in threads that start together; return what each returned or raised."""
    barrier = threading.Barrier(len(verbs))

    def run(verb: Callable[[], Any]) -> Any:
        try:
            barrier.wait(LONG_SECONDS)
            return verb()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(verbs)) as pool:
        return list(pool.map(run, verbs))


def open_close(month) -> None:
    """Open a month for closing, as the close does."""
    with transaction.atomic():
        held = hold_months_exclusively()
        Month.objects.create(month=month, opened_at=held.at)


def is_somebody_waiting(kind: str = "advisory") -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE locktype = %s AND NOT granted", [kind])
        return cursor.fetchone() is not None


def wait_until_somebody_waits(kind: str = "advisory") -> None:
    deadline = timezone.now().timestamp() + LONG_SECONDS
    while not is_somebody_waiting(kind):
        assert timezone.now().timestamp() < deadline, "nobody waits for the lock"


def test_two_presses_at_once_record_one_flattr(patron, tea):
    results = at_once(*[lambda: record_flattr(patron, Submission(PAGE))] * 6)
    assert Flattr.objects.count() == 1
    assert sum(isinstance(result, Flattr) for result in results) == 1
    assert sum(isinstance(result, AlreadyFlattred) for result in results) == 5


def test_two_usual_presses_at_once_record_one_flattr(patron, tea):
    verbs = [partial(record_usual, patron, PAGE, bytes([number])) for number in range(6)]
    results = at_once(*verbs)
    [made] = Flattr.objects.all()
    assert sorted(results, key=bool) == [None] * 5 + [made.pk]
    assert SpentNonce.objects.count() == 1


def test_a_nonce_that_is_spent_twice_at_once_records_one_flattr(patron, tea):
    other = make_thing("https://bob.example/other", tea.owner)
    urls = [PAGE, other.url] * 3
    results = at_once(*[partial(record_usual, patron, url, b"the same") for url in urls])
    assert [result for result in results if result] == [Flattr.objects.get().pk]


def test_two_first_flattrs_at_once_create_one_thing(patron, bob, carol):
    submission = Submission(PAGE, claimant=bob)
    other = give_means(carol)
    results = at_once(*[lambda p=p: record_flattr(p, submission) for p in (patron, other)])
    assert all(isinstance(result, Flattr) for result in results)
    assert (Thing.objects.count(), Claim.objects.count(), Flattr.objects.count()) == (1, 1, 2)


def test_two_undos_at_once_undo_once(patron, tea):
    made = flattr(patron, tea)
    results = at_once(*[lambda: undo_flattr(patron, made.pk)] * 4)
    assert {result.state for result in results} == {"undone"}
    assert len({result.ended_at for result in results}) == 1


def test_a_kept_press_completed_by_two_workers_is_one_flattr(patron, bob):
    keep_press(patron, Submission(PAGE, claimant=bob))
    at_once(*[complete_presses] * 4)
    assert (Flattr.objects.count(), Press.objects.get().state) == (1, "done")


def test_the_same_press_kept_twice_at_once_is_one(alice, bob):
    submission = Submission(PAGE, claimant=bob)
    results = at_once(*[lambda: keep_press(alice, submission)] * 4)
    assert len({result.pk for result in results}) == Press.objects.count() == 1


def test_due_claims_are_shared_among_workers(bob):
    now = timezone.now()
    for number in range(20):
        thing = make_thing(f"https://blog.example/{number}")
        Claim.objects.create(thing=thing, user=bob, next_check_at=now)
    results = at_once(*[lambda: due_things(5)] * 4)
    taken = [thing_id for result in results for thing_id in result]
    assert len(taken) == len(set(taken)) == 20


def test_two_proofs_at_once_make_one_owner(bob):
    thing = make_thing()
    Claim.objects.create(thing=thing, user=bob)
    findings = Findings({bob.pk: "button"})
    results = at_once(*[lambda: settle_claims(thing.pk, findings)] * 4)
    thing.refresh_from_db()
    assert results == [None] * 4
    assert (thing.owner, Claim.objects.get().state) == (bob, "proven")


def test_a_flattr_that_waited_for_a_close_to_open_falls_into_the_next_month(patron, tea):
    """The press comes first and is recorded last: its own clock still says the closed month."""
    month = current_month()
    results: list[Any] = []
    with transaction.atomic():
        held = hold_months_exclusively()
        presser = threading.Thread(
            target=lambda: results.extend(at_once(lambda: record_flattr(patron, Submission(PAGE))))
        )
        presser.start()
        wait_until_somebody_waits()
        Month.objects.create(month=month, opened_at=held.at)
    presser.join(LONG_SECONDS)
    assert [result.month for result in results] == [next_month(month)]


def test_a_usual_press_that_waited_for_a_close_to_open_falls_into_the_next_month(patron, tea):
    month = current_month()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            held = hold_months_exclusively()
            pressed = pool.submit(lambda: at_once(partial(record_usual, patron, PAGE, b"once")))
            wait_until_somebody_waits()
            Month.objects.create(month=month, opened_at=held.at)
        [made] = pressed.result(LONG_SECONDS)
    assert Flattr.objects.get(pk=made).month == next_month(month)


def test_a_close_waits_for_a_flattr_under_way_and_sees_it(patron, tea):
    month = current_month()
    seen: list[int] = []

    def close() -> None:
        with transaction.atomic():
            held = hold_months_exclusively()
            seen.append(Flattr.objects.filter(month=month).count())
            Month.objects.create(month=month, opened_at=held.at)
        connection.close()

    with transaction.atomic():
        record_flattr(patron, Submission(PAGE))
        closer = threading.Thread(target=close)
        closer.start()
        wait_until_somebody_waits()
    closer.join(LONG_SECONDS)
    assert seen == [1]


def test_flattrs_that_race_a_close_fall_into_exactly_one_month(patron, creator):
    month = current_month()
    things = [make_thing(f"https://blog.example/{n}", creator) for n in range(8)]
    counted: list[int] = []

    def close() -> None:
        with transaction.atomic():
            held = hold_months_exclusively()
            counted.append(Flattr.objects.filter(month=month).count())
            Month.objects.create(month=month, opened_at=held.at)

    presses = [lambda thing=thing: flattr(patron, thing) for thing in things]
    results = at_once(close, *presses)
    assert all(isinstance(result, Flattr) for result in results[1:])
    in_month = Flattr.objects.filter(month=month).count()
    in_next = Flattr.objects.filter(month=next_month(month)).count()
    assert counted == [in_month]
    assert in_month + in_next == len(things)


def test_an_undo_that_races_a_close_is_seen_by_it_or_refused(patron, tea):
    made = flattr(patron, tea)
    counted: list[int] = []

    def close() -> None:
        with transaction.atomic():
            held = hold_months_exclusively()
            counted.append(Flattr.objects.filter(state="made").count())
            Month.objects.create(month=made.month, opened_at=held.at)

    at_once(close, lambda: undo_flattr(patron, made.pk))
    assert Flattr.objects.filter(state="made").count() == counted[0]


def test_flattrs_do_not_wait_for_each_other(patron, tea, carol):
    with transaction.atomic():
        hold_months_shared()
        (other,) = at_once(lambda: record_flattr(give_means(carol), Submission(PAGE)))
    assert isinstance(other, Flattr)
    open_close(current_month())


def record_elsewhere(month) -> int:
    """Record what subscriptions lack, in a thread of its own."""
    try:
        return record_subscribed(month)
    finally:
        connection.close()


@pytest.fixture
def due(patron, tea) -> Subscription:
    """Alice's subscription to tea, whose flattr of this month is not made yet."""
    begun = subscribe(patron, tea, None)
    Flattr.objects.all().delete()
    Subscription.objects.update(next_month=begun.first_month)
    return begun


def test_workers_at_once_record_a_subscription_once(patron, creator):
    month = current_month()
    for number in range(20):
        thing = make_thing(f"https://blog.example/{number}", creator)
        subscribe(patron, thing, None)
    Flattr.objects.all().delete()
    Subscription.objects.update(next_month=month)
    assert sum(at_once(*[lambda: record_subscribed(month)] * 4)) == 20
    assert Flattr.objects.count() == 20


def test_subscribing_twice_at_once_makes_one_subscription(patron, tea):
    first, *others = at_once(*[lambda: subscribe(patron, tea, 3)] * 4)
    assert [first] * 3 == others
    assert (Subscription.objects.count(), Flattr.objects.count()) == (1, 1)


def test_a_press_of_the_same_moment_is_the_flattr_of_that_month(patron, tea, due):
    month = due.first_month
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            pressed = flattr(patron, tea)
            other = pool.submit(record_elsewhere, month)
            wait_until_somebody_waits("transactionid")
        assert other.result(LONG_SECONDS) == 0
    assert Flattr.objects.get() == pressed
    assert Subscription.objects.get().next_month == next_month(month)


def test_what_a_killed_worker_had_begun_is_recorded_by_who_waited_for_it(due):
    """A worker that passed over locked rows would open the close without these flattrs."""
    month = due.first_month
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            record_subscribed(month)
            other = pool.submit(record_elsewhere, month)
            wait_until_somebody_waits("transactionid")
            transaction.set_rollback(True)
        assert other.result(LONG_SECONDS) == 1


def test_a_month_that_is_opened_while_subscriptions_wait_gets_none_of_them(due):
    month = due.first_month
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            held = hold_months_exclusively()
            other = pool.submit(record_elsewhere, month)
            wait_until_somebody_waits()
            Month.objects.create(month=month, opened_at=held.at)
        assert other.result(LONG_SECONDS) == 0
    assert not Flattr.objects.exists()
