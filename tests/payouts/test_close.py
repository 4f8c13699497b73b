"""The rule of the close: who gives how much to whom, what waits, and what stays."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from buttons.models import Flattr, Month, Thing
from buttons.months import current_month, months_before, next_month
from funds.budgets import set_budget
from payouts import close
from payouts.close import MonthNotOver, close_month, months_to_close
from payouts.models import Chunk, CreatorStatement, MonthThing, PatronStatement, Share
from tests.payouts.cast import (
    AUGUST,
    JULY,
    SEPTEMBER,
    booked,
    flattr,
    funds_of,
    gives,
    micros,
    revenue_of,
    shares_of,
    state_of,
    thing_of,
    top_up,
    write_down,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator(bob):
    """Bob, who gives as well and so may receive."""
    return gives(bob, "2.00", funds="20.00")


@pytest.mark.parametrize(
    ("budget", "flattrs", "gross", "net"),
    [
        ("10.00", 5, "2.00", 1_800_000),
        ("2.00", 2, "1.00", 900_000),
        ("5.00", 5, "1.00", 900_000),
    ],
)
def test_a_budget_is_divided_evenly(alice, creator, budget, flattrs, gross, net):
    gives(alice, budget)
    for day in range(1, flattrs + 1):
        flattr(alice, thing_of(creator), day=day)
    close_month(AUGUST)
    assert shares_of(alice) == [micros(gross)] * flattrs
    assert funds_of(alice) == 0
    assert revenue_of(creator) == net * flattrs


def test_seven_shares_of_two_euros_sum_to_two_euros(alice, creator):
    gives(alice, "2.00")
    for day in range(1, 8):
        flattr(alice, thing_of(creator), day=day)
    close_month(AUGUST)
    # 2,000,000 is 7 times 285,714 and 2 left over, which go to the two earliest.
    assert shares_of(alice) == [285_715] * 2 + [285_714] * 5
    assert sum(shares_of(alice)) == micros("2.00")


def test_the_earliest_flattrs_get_the_left_over_micros_whatever_their_ids(alice, creator):
    gives(alice, "2.00")
    for day in range(7, 0, -1):
        flattr(alice, thing_of(creator), day=day)
    close_month(AUGUST)
    assert shares_of(alice) == [285_715] * 2 + [285_714] * 5


def test_two_things_of_one_creator_count_twice(alice, creator, carol):
    gives(carol, "2.00")
    gives(alice, "3.00")
    for thing in (thing_of(creator), thing_of(creator), thing_of(carol)):
        flattr(alice, thing)
    close_month(AUGUST)
    assert revenue_of(creator) == 1_800_000
    assert revenue_of(carol) == 900_000
    statement = CreatorStatement.objects.get(creator=creator)
    assert (statement.flattrs, statement.patrons, statement.net_micros) == (2, 1, 1_800_000)


def test_funds_below_the_budget_are_distributed_whole(alice, creator):
    gives(alice, "10.00", funds="4.00")
    flattr(alice, thing_of(creator))
    flattr(alice, thing_of(creator))
    close_month(AUGUST)
    assert shares_of(alice) == [micros("2.00")] * 2
    assert PatronStatement.objects.get(patron=alice).given_micros == micros("4.00")
    assert funds_of(alice) == 0


def test_funds_above_the_budget_stay(alice, creator):
    gives(alice, "2.00", funds="10.00")
    flattr(alice, thing_of(creator))
    close_month(AUGUST)
    assert funds_of(alice) == micros("8.00")


def test_a_month_without_a_flattr_moves_nothing(alice, creator):
    gives(alice, "10.00")
    close_month(AUGUST)
    assert funds_of(alice) == micros("10.00")
    assert booked() == []
    assert not PatronStatement.objects.exists()
    assert Month.objects.get(pk=AUGUST).state == "closed"


def test_without_funds_a_flattr_counts_and_gives_nothing(alice, creator):
    gives(alice, "10.00", funds="0")
    flattr(alice, thing_of(creator))
    close_month(AUGUST)
    assert shares_of(alice) == [0]
    assert booked() == []
    assert CreatorStatement.objects.get().gross_micros == 0


def test_three_micros_for_seven_flattrs_go_to_the_three_earliest(alice, creator):
    gives(alice, "2.00", funds="3.00")
    flattr(alice, thing_of(creator), month=JULY)
    close_month(JULY)
    alice.monthly_budget.amount_micros = 3
    alice.monthly_budget.save(update_fields=["amount_micros"])
    for day in range(1, 8):
        flattr(alice, thing_of(creator), day=day)
    close_month(AUGUST)
    assert shares_of(alice) == [1, 1, 1, 0, 0, 0, 0]


def test_an_undone_flattr_counts_nothing(alice, creator):
    gives(alice, "2.00")
    kept, undone = flattr(alice, thing_of(creator)), flattr(alice, thing_of(creator))
    Flattr.objects.filter(pk=undone.pk).update(state="undone")
    close_month(AUGUST)
    assert shares_of(alice) == [micros("2.00")]
    assert (state_of(kept), state_of(undone)) == ("made", "undone")


def test_the_fee_is_rounded_down_in_the_creators_favour(alice, creator):
    gives(alice, "2.00")
    alice.monthly_budget.amount_micros = 1_999_999
    alice.monthly_budget.save(update_fields=["amount_micros"])
    flattr(alice, thing_of(creator))
    close_month(AUGUST)
    statement = CreatorStatement.objects.get(creator=creator)
    assert (statement.fee_micros, statement.net_micros) == (199_999, 1_800_000)


def test_a_fee_of_zero_makes_a_statement_and_no_transfer(alice, creator):
    gives(alice, "2.00")
    alice.monthly_budget.amount_micros = 9
    alice.monthly_budget.save(update_fields=["amount_micros"])
    flattr(alice, thing_of(creator))
    close_month(AUGUST)
    assert [fact.split(":")[0] for fact, _ in booked()] == ["month_budget", "month_revenue"]


def test_each_currency_has_its_own_pot(alice, creator, carol, mallory):
    User.objects.filter(pk=mallory.pk).update(currency="USD")
    mallory.refresh_from_db()
    gives(alice, "4.00")
    gives(mallory, "6.00")
    thing = thing_of(creator)
    flattr(alice, thing)
    flattr(mallory, thing)
    close_month(AUGUST)
    earned = CreatorStatement.objects.order_by("currency").values_list("currency", "gross_micros")
    assert list(earned) == [("EUR", micros("4.00")), ("USD", micros("6.00"))]


# Who is able to receive.


def test_a_flattr_waits_for_an_owner_without_means_and_the_others_share(alice, creator, carol):
    gives(alice, "2.00")
    counted, waits = flattr(alice, thing_of(creator)), flattr(alice, thing_of(carol))
    close_month(AUGUST)
    assert shares_of(alice) == [micros("2.00")]
    assert (state_of(counted), state_of(waits)) == ("made", "waiting")
    statement = PatronStatement.objects.get(patron=alice)
    assert (statement.flattrs, statement.waiting_flattrs) == (1, 1)


def test_a_flattr_on_a_thing_that_nobody_proved_waits_and_costs_nothing(alice):
    gives(alice, "2.00")
    waits = flattr(alice, thing_of(None))
    close_month(AUGUST)
    assert state_of(waits) == "waiting"
    assert funds_of(alice) == micros("2.00")
    statement = PatronStatement.objects.get(patron=alice)
    assert (statement.given_micros, statement.flattrs, statement.waiting_flattrs) == (0, 0, 1)


def test_what_waits_counts_in_the_first_close_that_finds_the_owner_able(alice, carol):
    gives(alice, "2.00", funds="6.00")
    thing = thing_of(carol)
    waits = flattr(alice, thing, month=JULY)
    close_month(JULY)
    gives(carol, "2.00")
    close_month(AUGUST)
    close_month(SEPTEMBER)
    assert state_of(waits) == "counted"
    assert Share.objects.get().month == AUGUST
    assert revenue_of(carol) == 1_800_000
    assert funds_of(alice) == micros("4.00")


def test_what_waited_shares_with_the_flattrs_of_the_month(alice, creator, carol):
    gives(alice, "2.00")
    flattr(alice, thing_of(carol), month=JULY)
    close_month(JULY)
    gives(carol, "2.00")
    flattr(alice, thing_of(creator), month=AUGUST)
    close_month(AUGUST)
    assert shares_of(alice) == [micros("1.00")] * 2


def test_a_flattr_waits_six_months_and_then_expires(alice):
    gives(alice, "2.00", funds="20.00")
    waits = flattr(alice, thing_of(None), month=JULY)
    close_month(months_before(JULY, -5))
    assert state_of(waits) == "waiting"
    close_month(months_before(JULY, -6))
    assert state_of(waits) == "expired"
    assert waits.ended_at is not None
    assert funds_of(alice) == micros("20.00")


def test_the_close_of_the_sixth_month_still_counts_it(alice, carol):
    gives(alice, "2.00", funds="20.00")
    waits = flattr(alice, thing_of(carol), month=JULY)
    close_month(months_before(JULY, -5))
    gives(carol, "2.00")
    close_month(months_before(JULY, -6))
    assert state_of(waits) == "counted"


def test_an_owner_needs_the_smallest_budget_and_funds_for_it(alice, bob, carol, mallory):
    gives(alice, "3.00")
    gives(bob, "2.00", funds="2.00")
    gives(carol, "2.00", funds="1.99")
    gives(mallory, "1.99", funds="5.00")
    for owner in (bob, carol, mallory):
        flattr(alice, thing_of(owner))
    close_month(AUGUST)
    assert CreatorStatement.objects.get().creator == bob


def test_an_exempt_owner_receives_without_giving(alice, carol):
    User.objects.filter(pk=carol.pk).update(is_exempt_from_means=True)
    gives(alice, "2.00")
    flattr(alice, thing_of(carol))
    close_month(AUGUST)
    assert revenue_of(carol) == 1_800_000


def test_everybody_receives_where_give_to_receive_is_off(alice, carol, settings):
    settings.GIVE_TO_RECEIVE = False
    gives(alice, "2.00")
    flattr(alice, thing_of(carol))
    close_month(AUGUST)
    assert revenue_of(carol) == 1_800_000


@pytest.mark.parametrize("is_exempt", [False, True])
def test_an_inactive_owner_receives_nothing_and_the_flattr_waits(alice, creator, is_exempt):
    User.objects.filter(pk=creator.pk).update(is_active=False, is_exempt_from_means=is_exempt)
    gives(alice, "2.00")
    waits = flattr(alice, thing_of(creator))
    close_month(AUGUST)
    assert state_of(waits) == "waiting"


def test_nothing_is_taken_from_a_patron_who_was_deactivated(alice, creator, carol):
    gives(alice, "2.00")
    gives(carol, "2.00")
    thing = thing_of(creator)
    left, stayed = flattr(alice, thing), flattr(carol, thing)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    close_month(AUGUST)
    assert (funds_of(alice), funds_of(carol)) == (micros("2.00"), 0)
    assert list(Share.objects.values_list("flattr", flat=True)) == [stayed.pk]
    assert state_of(left) == "made"
    assert not PatronStatement.objects.filter(patron=alice).exists()


def test_what_waits_of_a_deactivated_patron_counts_when_they_are_back(alice, bob):
    gives(alice, "2.00")
    waits = flattr(alice, thing_of(bob), month=JULY)
    close_month(JULY)
    gives(bob, "2.00")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    close_month(AUGUST)
    assert state_of(waits) == "waiting"
    User.objects.filter(pk=alice.pk).update(is_active=True)
    close_month(SEPTEMBER)
    assert state_of(waits) == "counted"
    assert shares_of(alice, SEPTEMBER) == [micros("2.00")]


def test_a_flattr_on_ones_own_thing_is_dropped(alice, creator):
    gives(alice, "2.00")
    kept, own = flattr(alice, thing_of(creator)), flattr(alice, thing_of(alice))
    close_month(AUGUST)
    assert (state_of(kept), state_of(own)) == ("made", "dropped")
    assert shares_of(alice) == [micros("2.00")]


def test_what_waits_for_a_thing_that_becomes_ones_own_is_dropped(alice):
    gives(alice, "2.00")
    thing = thing_of(None)
    waits = flattr(alice, thing, month=JULY)
    close_month(JULY)
    Thing.objects.filter(pk=thing.pk).update(owner=alice)
    close_month(AUGUST)
    assert state_of(waits) == "dropped"
    assert funds_of(alice) == micros("2.00")


def test_one_flattr_of_a_patron_waits_for_a_thing_and_a_later_one_is_dropped(alice):
    gives(alice, "2.00")
    thing = thing_of(None)
    first, later = flattr(alice, thing, month=JULY), flattr(alice, thing, month=AUGUST)
    close_month(AUGUST)
    assert (state_of(first), state_of(later)) == ("waiting", "dropped")


# Revenue given on.


def earns(creator: User, patron: User, amount: str, month: date) -> None:
    gives(patron, amount)
    flattr(patron, thing_of(creator), month=month)
    close_month(month)


def test_a_shortfall_of_funds_is_taken_from_revenue(alice, bob, carol):
    gives(bob, "2.00", funds="2.00")
    earns(bob, alice, "5.00", JULY)
    flattr(bob, thing_of(gives(carol, "2.00")))
    close_month(AUGUST)
    # 4.50 earned in July; in August bob's funds of 2.00 went to carol, whom he flattred.
    assert (funds_of(bob), revenue_of(bob)) == (0, micros("4.50"))
    flattr(alice, thing_of(bob), month=SEPTEMBER)
    top_up(alice, "5.00")
    close_month(SEPTEMBER)
    assert (f"reuse:2024-09:{bob.pk}:EUR", micros("2.00")) in booked()
    assert revenue_of(bob) == micros("4.50") - micros("2.00") + micros("4.50")
    assert funds_of(bob) == micros("2.00")


@pytest.mark.parametrize(
    ("revenue", "is_reused", "is_able"),
    [("2.23", True, True), ("2.22", True, False), ("2.23", False, False)],
)
def test_revenue_is_reused_only_if_it_covers_the_shortfall_and_may(
    alice, bob, revenue, is_reused, is_able
):
    gives(bob, "2.00", funds="2.00")
    earns(bob, alice, revenue, JULY)
    bob.monthly_budget.is_revenue_reused = is_reused
    bob.monthly_budget.save(update_fields=["is_revenue_reused"])
    User.objects.filter(pk=alice.pk).update(is_exempt_from_means=True)
    flattr(bob, thing_of(alice), month=AUGUST)
    close_month(AUGUST)
    gives(alice, "2.00")
    flattr(alice, thing_of(bob), month=SEPTEMBER)
    close_month(SEPTEMBER)
    assert CreatorStatement.objects.filter(creator=bob, month=SEPTEMBER).exists() == is_able


@pytest.mark.parametrize(
    ("is_giving_asked", "field", "value"),
    [(False, "currency", "EUR"), (True, "is_exempt_from_means", True), (True, "is_active", False)],
)
def test_revenue_is_not_reused_where_receiving_does_not_need_it(
    alice, bob, settings, is_giving_asked, field, value
):
    gives(bob, "2.00", funds="0")
    User.objects.filter(pk=bob.pk).update(is_exempt_from_means=True)
    earns(bob, alice, "5.00", JULY)
    settings.GIVE_TO_RECEIVE = is_giving_asked
    User.objects.filter(pk=bob.pk).update(**{"is_exempt_from_means": False, field: value})
    close_month(AUGUST)
    assert (funds_of(bob), revenue_of(bob)) == (0, micros("4.50"))


# Months.


def test_earlier_months_are_closed_first_without_a_gap(alice, creator):
    gives(alice, "2.00", funds="4.00")
    flattr(alice, thing_of(creator), month=date(2024, 5, 1))
    flattr(alice, thing_of(creator), month=AUGUST)
    close_month(AUGUST)
    closed = Month.objects.order_by("month").values_list("month", "state")
    assert list(closed) == [(date(2024, month, 1), "closed") for month in (5, 6, 7, 8)]
    assert funds_of(alice) == 0


def test_an_instance_without_flattrs_closes_only_what_is_asked_for():
    assert months_to_close(AUGUST) == [AUGUST]


def test_a_month_that_is_not_over_is_refused(alice):
    with pytest.raises(MonthNotOver):
        close_month(current_month())
    assert not Month.objects.exists()


def test_the_month_before_is_over():
    close_month(months_before(current_month(), 1))
    assert Month.objects.count() == 1


def test_the_sandbox_closes_the_current_month_early_and_flattrs_fall_into_the_next(settings):
    settings.SANDBOX = True
    month = current_month()
    close_month(month, is_early=True)
    assert current_month() == next_month(month)


def test_only_the_sandbox_closes_a_month_early(settings):
    settings.SANDBOX = False
    with pytest.raises(MonthNotOver):
        close_month(current_month(), is_early=True)


def test_even_the_sandbox_closes_no_later_month(settings):
    settings.SANDBOX = True
    with pytest.raises(MonthNotOver):
        close_month(next_month(current_month()), is_early=True)


def test_closing_twice_pays_once(alice, creator):
    gives(alice, "2.00", funds="10.00")
    flattr(alice, thing_of(creator))
    close_month(AUGUST)
    first = booked()
    close_month(AUGUST)
    assert booked() == first
    assert funds_of(alice) == micros("8.00")


# The hold.


def test_revenue_is_held_for_the_days_of_the_setting(alice, creator, settings):
    settings.REVENUE_HOLD_DAYS = 30
    gives(alice, "2.00")
    flattr(alice, thing_of(creator))
    close_month(AUGUST)
    assert revenue_of(creator) == 0
    assert creator.ledger_accounts.get(code="revenue_held").available_micros == 1_800_000


# Arithmetic.

BEGIN = date(1990, 1, 1)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    budget=st.integers(0, 150_000_000),
    funds=st.integers(1, 150_000_000),
    days=st.permutations(range(1, 29)).flatmap(
        lambda days: st.integers(1, len(days)).map(lambda count: days[:count])
    ),
)
def test_no_micro_is_lost_and_no_two_shares_differ_by_more_than_one(creator, budget, funds, days):
    last = Month.objects.order_by("-month").first()
    month = next_month(last.month) if last else BEGIN
    patron = User.objects.create(username=f"p-{month}", email=f"p-{month}@example.org")
    gives(patron, "1.00", funds=f"{funds // 1_000_000}.01")
    amount = min(budget, funds_of(patron))
    patron.monthly_budget.amount_micros = budget
    patron.monthly_budget.save(update_fields=["amount_micros"])
    for day in days:
        flattr(patron, thing_of(creator), month=month, day=day)

    close_month(month)

    shares = shares_of(patron, month)
    assert sum(shares) == amount
    assert max(shares) - min(shares) <= 1
    # The left-over micros went to the earliest, in whatever order the flattrs were written.
    assert shares == sorted(shares, reverse=True)


def test_a_budget_changed_while_the_month_is_being_closed_counts_from_the_next(alice, creator):
    gives(alice, "4.00", funds="20.00")
    flattr(alice, thing_of(creator))
    write_down(AUGUST)
    set_budget(alice, micros("9.00"))
    close_month(AUGUST)
    assert shares_of(alice) == [micros("4.00")]


def test_a_thing_that_changes_hands_while_means_are_written_down_pays_its_first_owner(
    alice, creator, carol, monkeypatch
):
    monkeypatch.setattr(close, "CHUNK_SIZE_MIN", 1)
    gives(alice, "2.00")
    gives(carol, "2.00")
    thing = thing_of(creator)
    flattr(alice, thing)

    def changes_hands(point):
        if point == "snapshot: committed" and MonthThing.objects.filter(creator=creator).exists():
            Thing.objects.filter(pk=thing.pk).update(owner=carol)

    monkeypatch.setattr(close, "reached", changes_hands)
    close_month(AUGUST)
    assert Chunk.objects.filter(step="snapshot").count() > 2
    assert (revenue_of(creator), revenue_of(carol)) == (1_800_000, 0)


def test_what_somebody_waited_for_who_has_left_is_not_called_counted(alice, bob, carol, mallory):
    """They stand between two others, in whose range of patrons they fall."""
    thing = thing_of(bob)
    waiting = [flattr(gives(patron, "2.00"), thing, JULY) for patron in (alice, carol, mallory)]
    close_month(JULY)
    User.objects.filter(pk=carol.pk).update(is_active=False)
    gives(bob, "2.00")
    close_month(AUGUST)
    assert alice.pk < carol.pk < mallory.pk
    assert [state_of(row) for row in waiting] == ["counted", "waiting", "counted"]
    assert sorted(Share.objects.values_list("flattr", flat=True)) == [
        waiting[0].pk,
        waiting[2].pk,
    ]


@pytest.mark.parametrize(
    ("workers", "slices"),
    [
        (1, [(0, 3)]),
        (2, [(0, 1), (2, 3)]),
        (3, [(0, 0), (1, 1), (2, 3)]),
        (5, [(0, 0), (1, 1), (2, 2), (3, 3)]),
    ],
)
def test_each_worker_who_divided_finds_a_slice_of_the_creators_to_sum_up(
    monkeypatch, workers, slices
):
    """And each creator is of one slice, whatever their id."""
    monkeypatch.setattr(close, "CHUNK_SIZE", 1)
    people = [
        gives(User.objects.create(username=f"u{place}", email=f"{place}@example.org"), "5.00")
        for place in range(6)
    ]
    for thing in [thing_of(creator) for creator in people[:5]]:
        for patron in people:
            if thing.owner != patron:
                flattr(patron, thing)

    def one_of_several(point):
        if point == "divide: committed":
            done = Chunk.objects.filter(step="divide", state="done").order_by("id")
            done.filter(pk=done.last().pk).update(done_by=done.count() % workers)

    monkeypatch.setattr(close, "reached", one_of_several)
    close_month(AUGUST)
    chunks = Chunk.objects.filter(step="sum_up", currency="EUR").order_by("first_id")
    assert list(chunks.values_list("first_id", "last_id")) == slices
    earned = CreatorStatement.objects.order_by("creator").values_list("creator", "flattrs")
    assert list(earned) == [(creator.pk, 5) for creator in people[:5]]


def test_a_month_of_very_many_patrons_is_summed_up_in_slices_by_one_worker(
    alice, creator, monkeypatch
):
    """What things earned is kept in memory until it is written."""
    monkeypatch.setattr(close, "CHUNK_SIZE", 1)
    monkeypatch.setattr(close, "CHUNKS_PER_SLICE", 2)
    gives(alice, "2.00")
    flattr(alice, thing_of(creator))
    close_month(AUGUST)
    assert Chunk.objects.filter(step="divide").count() == 2
    assert Chunk.objects.filter(step="sum_up", currency="EUR").count() == 2
    assert revenue_of(creator) == 1_800_000
