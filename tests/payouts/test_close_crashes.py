"""The close is killed at every statement, run by several at once, and comes out the same, once."""

import signal
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError

from accounts.models import User
from buttons.models import Flattr, Month, Subscription
from funds import ledger
from funds.check_ledger import run_checks
from funds.models import Transfer
from funds.roles import as_owner
from payouts import close
from payouts.models import Chunk, CreatorStatement, MonthPatron, PatronStatement, Share
from tests.payouts.cast import AUGUST, JULY, SEPTEMBER, flattr, funds_of, gives, micros, thing_of
from tests.payouts.closers import run_closer, start_closer

PATRONS = 7

# Every statement boundary of a close, in the order in which one worker passes them.
POINTS = (
    "open: subscriptions recorded",
    "open: locked",
    "open: month written",
    "open: committed",
    "snapshot: chunked",
    "snapshot: planned",
    "snapshot: claimed",
    "snapshot: accounts opened",
    "snapshot: revenue reused",
    "snapshot: written",
    "snapshot: committed",
    "advance: written",
    "advance: committed",
    "divide: claimed",
    "divide: locked",
    "divide: shares written",
    "divide: flattrs written",
    "divide: transfers written",
    "divide: written",
    "divide: committed",
    "sum_up: claimed",
    "sum_up: statements written",
    "sum_up: accounts opened",
    "sum_up: written",
    "sum_up: committed",
    "pay: claimed",
    "pay: revenue written",
    "pay: written",
    "pay: committed",
)
# These are passed more than once, since there are three chunks of patrons and five advances.
SECOND_TIME = ("divide: shares written", "divide: transfers written", "advance: written")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def patrons(bob, carol, monkeypatch):
    """Seven patrons in three chunks; each flattrs three things that count and one that waits.

    The third thing is subscribed to. The first patron has another flattr, of July, that counts now.
    """
    monkeypatch.setattr(close, "CHUNK_SIZE", 3)
    gives(bob, "2.00")
    gives(carol, "2.00")
    counted = [thing_of(bob), thing_of(bob), thing_of(carol)]
    waits, late = thing_of(None), thing_of(bob)
    patrons = [
        User.objects.create(username=f"patron-{place}", email=f"patron-{place}@example.org")
        for place in range(PATRONS)
    ]
    for patron in patrons:
        gives(patron, "3.00")
    made_at = datetime(2024, 8, 10, tzinfo=UTC)
    Flattr.objects.bulk_create(
        Flattr(patron=patron, thing=thing, month=AUGUST, created_at=made_at)
        for patron in patrons
        for thing in (*counted[:2], waits)
    )
    Subscription.objects.bulk_create(
        Subscription(
            patron=patron,
            thing=counted[2],
            first_month=AUGUST,
            next_month=AUGUST,
            last_month=AUGUST,
            created_at=made_at,
        )
        for patron in patrons
    )
    made = flattr(patrons[0], late, month=JULY)
    Month.objects.create(month=JULY, state="closed", opened_at=made.created_at)
    Flattr.objects.filter(pk=made.pk).update(state="waiting")
    return patrons


def assert_closed_once(patrons):
    assert Month.objects.get(pk=AUGUST).state == "closed"
    assert [funds_of(patron) for patron in patrons] == [0] * PATRONS
    assert Share.objects.filter(month=AUGUST).count() == PATRONS * 3 + 1
    assert Flattr.objects.exclude(subscription=None).count() == PATRONS
    codes = list(Transfer.objects.exclude(month=None).values_list("code", flat=True))
    assert sorted(codes) == ["month_budget"] * PATRONS + ["month_fee"] * 2 + ["month_revenue"] * 2
    earned = CreatorStatement.objects.order_by("-gross_micros").values_list(
        "creator__username", "gross_micros", "fee_micros", "flattrs", "patrons"
    )
    assert list(earned) == [
        ("bob", micros("14.25"), 1_425_000, 2 * PATRONS + 1, PATRONS),
        ("carol", micros("6.75"), 675_000, PATRONS, PATRONS),
    ]
    given = PatronStatement.objects.values_list("given_micros", "waiting_flattrs")
    assert list(given) == [(micros("3.00"), 1)] * PATRONS
    assert Flattr.objects.filter(state="waiting").count() == PATRONS
    assert Flattr.objects.filter(state="counted").count() == 1
    assert run_checks() == []


def test_the_list_of_points_is_complete_and_in_order(patrons, monkeypatch):
    passed: list[str] = []
    monkeypatch.setattr(close, "reached", passed.append)
    close.close_month(AUGUST)
    assert list(dict.fromkeys(passed)) == list(POINTS)


def test_a_close_that_is_killed_at_every_point_in_turn_is_resumed_each_time(patrons):
    for point in POINTS:
        assert run_closer(AUGUST, kill_at=point) == -signal.SIGKILL, point
    close.close_month(AUGUST)
    assert_closed_once(patrons)


@pytest.mark.parametrize("point", SECOND_TIME)
def test_a_close_that_is_killed_at_the_second_chunk_is_resumed(patrons, point):
    assert run_closer(AUGUST, kill_at=point, nth=2) == -signal.SIGKILL
    close.close_month(AUGUST)
    assert_closed_once(patrons)


def test_four_processes_at_once_close_a_month_once(patrons):
    closers = [start_closer(AUGUST) for _ in range(4)]
    for closer in closers:
        closer.join(timeout=60)
    assert [closer.exitcode for closer in closers] == [0] * 4
    assert_closed_once(patrons)


def test_one_of_two_is_killed_and_the_other_finishes(patrons):
    killed = start_closer(AUGUST, kill_at="divide: shares written")
    other = start_closer(AUGUST)
    killed.join(timeout=60)
    other.join(timeout=60)
    assert other.exitcode == 0
    assert_closed_once(patrons)


def test_a_closed_month_is_closed_again_by_another_process(patrons):
    close.close_month(AUGUST)
    assert run_closer(AUGUST) == 0
    assert_closed_once(patrons)


# What fails for good, and what passes.


@pytest.fixture
def poison():
    """Return a function that makes a patron's statement impossible, until the test is over."""

    def refuse(patron):
        with as_owner() as connection, connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE payouts_patronstatement ADD CONSTRAINT poison CHECK (patron_id <> %s)",
                [patron.pk],
            )

    yield refuse
    with as_owner() as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payouts_patronstatement DROP CONSTRAINT poison")


def test_one_poisoned_patron_is_set_aside_and_stops_nobody_else(patrons, poison):
    poisoned, *others = patrons
    poison(poisoned)
    close.close_month(AUGUST)
    assert Month.objects.get(pk=AUGUST).state == "closed"
    assert [funds_of(patron) for patron in others] == [0] * len(others)
    assert funds_of(poisoned) == micros("3.00")
    aside = MonthPatron.objects.filter(needs_attention=True).values_list("patron", flat=True)
    assert list(aside) == [poisoned.pk]
    chunk = Chunk.objects.get(state="needs_attention")
    assert chunk.first_id == chunk.last_id == poisoned.pk
    assert "poison" in chunk.last_error


def test_the_flattrs_of_who_was_set_aside_count_in_the_next_close(patrons, poison):
    poison(patrons[0])
    close.close_month(AUGUST)
    with as_owner() as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payouts_patronstatement DROP CONSTRAINT poison")
        cursor.execute(
            "ALTER TABLE payouts_patronstatement ADD CONSTRAINT poison CHECK (patron_id <> 0)"
        )
    # Bob and carol keep their means.
    for user in User.objects.filter(username__in=["bob", "carol"]):
        gives(user, "2.00")
    close.close_month(SEPTEMBER)
    assert Share.objects.filter(month=SEPTEMBER, patron=patrons[0]).count() == 4
    assert funds_of(patrons[0]) == 0


def test_what_passes_is_tried_again_without_halving(patrons, monkeypatch):
    monkeypatch.setattr(close, "PAUSE", close.PAUSE * 0)
    run, failures = close._run, iter([OperationalError("deadlock detected")])

    def fails_once(name, params):
        run(name, params)
        if name == "count_waiting":
            for failure in failures:
                raise failure

    monkeypatch.setattr(close, "_run", fails_once)
    close.close_month(AUGUST)
    assert sorted(Chunk.objects.values_list("attempts", flat=True))[-2:] == [0, 1]
    assert not Chunk.objects.filter(state="split").exists()
    assert_closed_once(patrons)


def test_what_concerns_every_row_stops_the_close_and_sets_nobody_aside(patrons, monkeypatch):
    monkeypatch.setattr(close, "PAUSE", close.PAUSE * 0)
    run = close._run

    def may_not(name, params):
        if name == "shares":
            raise ProgrammingError("permission denied")
        run(name, params)

    monkeypatch.setattr(close, "_run", may_not)
    with pytest.raises(close.CloseStuck, match="permission denied"):
        close.close_month(AUGUST)
    assert not MonthPatron.objects.filter(needs_attention=True).exists()
    assert not Share.objects.exists()
    monkeypatch.setattr(close, "_run", run)
    close.close_month(AUGUST)
    assert_closed_once(patrons)


def test_a_creator_who_cannot_be_paid_keeps_the_month_open_until_it_works(patrons, monkeypatch):
    monkeypatch.setattr(close, "PAUSE", close.PAUSE * 0)
    post_rows, bob = ledger.post_rows, User.objects.get(username="bob")

    def refuses_bob(sql, params):
        if sql == close.SQL["month_revenue"] and params["first_id"] <= bob.pk <= params["last_id"]:
            raise IntegrityError("poison")
        return post_rows(sql, params)

    monkeypatch.setattr(ledger, "post_rows", refuses_bob)
    with pytest.raises(close.CloseStuck):
        close.close_month(AUGUST)
    assert Month.objects.get(pk=AUGUST).state == "closing"
    paid = Transfer.objects.filter(code="month_revenue").values_list(
        "credit_account__user__username", flat=True
    )
    assert list(paid) == ["carol"]
    monkeypatch.setattr(ledger, "post_rows", post_rows)
    close.close_month(AUGUST)
    assert_closed_once(patrons)


def test_a_month_whose_sums_differ_is_not_closed(patrons, monkeypatch):
    monkeypatch.setitem(
        close.SQL, "balance", "SELECT 'EUR', 1, 1, 1, 2, 1 WHERE %(month)s IS NOT NULL"
    )
    with pytest.raises(close.MonthDoesNotBalance):
        close.close_month(AUGUST)
    assert Month.objects.get(pk=AUGUST).state == "closing"
