"""Recording flattrs: once per thing and month, never one's own, undone while the month is open."""

from datetime import date, timedelta

import pytest

from buttons.flattrs import (
    AlreadyFlattred,
    AlreadyWaiting,
    NoMeans,
    OwnThing,
    TooLate,
    count_flattrs,
    drop_waiting,
    flattr_thing,
    record_flattr,
    undo_flattr,
)
from buttons.models import Claim, Flattr, Month, Thing
from buttons.months import current_month, months_before, next_month
from buttons.submissions import ContentNotSupported, Submission
from tests.buttons.people import MICROS, PAGE, flattr, give_means, make_thing

pytestmark = pytest.mark.django_db


def wait_since_last_month(made: Flattr) -> Flattr:
    """Do to a flattr what a close does to one whose owner cannot receive."""
    last_month = months_before(current_month(), 1)
    Flattr.objects.filter(pk=made.pk).update(month=last_month, state=Flattr.State.WAITING)
    made.refresh_from_db()
    return made


def test_the_first_flattr_creates_the_thing(patron, bob):
    made = record_flattr(patron, Submission(PAGE, claimant=bob, title="Tea", tags=("tea",)))
    thing = Thing.objects.get()
    assert (thing.url, thing.title, thing.tags, thing.owner) == (PAGE, "Tea", ["tea"], None)
    assert (made.thing, made.state, made.month) == (thing, "made", current_month())


def test_the_first_flattr_notes_whose_it_is_said_to_be(patron, bob):
    record_flattr(patron, Submission(PAGE, claimant=bob))
    claim = Claim.objects.get()
    assert (claim.user, claim.state, claim.next_check_at is None) == (bob, "unproven", False)


def test_a_button_that_names_another_leaves_a_proven_thing_alone(patron, tea, creator, carol):
    record_flattr(patron, Submission(PAGE, claimant=carol, title="Carol's"))
    tea.refresh_from_db()
    assert (tea.owner, tea.title, tea.claims.count()) == (creator, "Tea", 1)


def test_nothing_is_created_when_nobody_could_own_it(patron):
    with pytest.raises(ContentNotSupported):
        record_flattr(patron, Submission(PAGE))
    assert not Thing.objects.exists()


def test_a_thing_is_flattred_once_a_month(patron, tea):
    first = flattr(patron, tea)
    with pytest.raises(AlreadyFlattred) as refused:
        flattr(patron, tea)
    assert refused.value.flattr == first
    assert Flattr.objects.count() == 1


def test_a_thing_is_flattred_again_in_the_next_month(patron, tea):
    Flattr.objects.filter(pk=flattr(patron, tea).pk).update(month=months_before(current_month(), 1))
    flattr(patron, tea)
    assert Flattr.objects.count() == 2


def test_two_things_of_one_owner_are_two_flattrs(patron, tea, creator):
    flattr(patron, tea)
    flattr(patron, make_thing("https://blog.example/coffee", creator))
    assert Flattr.objects.count() == 2


def test_nobody_flattrs_their_own_thing(tea, creator):
    with pytest.raises(OwnThing):
        flattr(creator, tea)


def test_nobody_flattrs_what_their_own_button_names(creator):
    with pytest.raises(OwnThing):
        record_flattr(creator, Submission(PAGE, claimant=creator))
    assert not Thing.objects.exists()


def test_a_claim_made_by_others_does_not_keep_a_patron_from_flattring(patron, tea):
    Claim.objects.create(thing=tea, user=patron)
    assert flattr(patron, tea).state == "made"


def test_a_disputed_claim_keeps_its_claimant_from_flattring(patron, carol):
    thing = make_thing()
    for person in (patron, carol):
        Claim.objects.create(thing=thing, user=person, state=Claim.State.FROZEN)
    with pytest.raises(OwnThing):
        flattr(patron, thing)


@pytest.mark.parametrize(("budget", "funds"), [(0, 10), (5, 0)])
def test_without_budget_or_funds_nothing_is_recorded(alice, tea, budget, funds):
    give_means(alice, budget * MICROS, funds * MICROS)
    with pytest.raises(NoMeans):
        flattr(alice, tea)
    assert not Flattr.objects.exists()


def test_one_micro_of_funds_is_enough_to_flattr(alice, tea):
    give_means(alice, 2 * MICROS, 1)
    assert flattr(alice, tea).state == "made"


def test_without_means_no_thing_is_created_either(alice, bob):
    with pytest.raises(NoMeans):
        record_flattr(alice, Submission(PAGE, claimant=bob))
    assert not Thing.objects.exists()


def test_an_undone_flattr_is_made_again(patron, tea):
    undo_flattr(patron, flattr(patron, tea).pk)
    flattr(patron, tea)
    assert sorted(Flattr.objects.values_list("state", flat=True)) == ["made", "undone"]


def test_undoing_twice_changes_nothing_more(patron, tea):
    made = flattr(patron, tea)
    ended_at = undo_flattr(patron, made.pk).ended_at
    assert undo_flattr(patron, made.pk).ended_at == ended_at
    assert ended_at is not None


def test_a_month_that_was_opened_for_closing_is_not_undone(patron, tea):
    made = flattr(patron, tea)
    Month.objects.create(month=made.month, opened_at=made.created_at)
    with pytest.raises(TooLate):
        undo_flattr(patron, made.pk)
    made.refresh_from_db()
    assert made.state == "made"


def test_a_month_that_the_clock_ended_is_not_undone(patron, tea):
    made = flattr(patron, tea)
    Flattr.objects.filter(pk=made.pk).update(month=months_before(made.month, 1))
    with pytest.raises(TooLate):
        undo_flattr(patron, made.pk)


def test_nobody_undoes_anothers_flattr(patron, tea, mallory):
    made = flattr(patron, tea)
    with pytest.raises(Flattr.DoesNotExist):
        undo_flattr(mallory, made.pk)


def test_after_a_month_was_opened_for_closing_flattrs_fall_into_the_next(patron, tea):
    this_month = current_month()
    Month.objects.create(month=this_month, opened_at="2026-01-01T00:00Z")
    assert flattr(patron, tea).month == next_month(this_month)


def test_a_month_closed_long_ago_does_not_hold_flattrs_back(patron, tea):
    this_month = current_month()
    Month.objects.create(month=months_before(this_month, 5), opened_at="2026-01-01T00:00Z")
    assert flattr(patron, tea).month == this_month


def test_while_a_flattr_waits_a_further_press_says_so(patron, tea):
    waiting = wait_since_last_month(flattr(patron, tea))
    with pytest.raises(AlreadyWaiting) as refused:
        flattr(patron, tea)
    assert refused.value.flattr == waiting


def test_dropping_what_waits_makes_room_for_a_new_flattr(patron, tea):
    waiting = wait_since_last_month(flattr(patron, tea))
    assert drop_waiting(patron, waiting.pk).state == "dropped"
    assert flattr(patron, tea).state == "made"


def test_dropping_twice_changes_nothing_more(patron, tea):
    waiting = wait_since_last_month(flattr(patron, tea))
    ended_at = drop_waiting(patron, waiting.pk).ended_at
    assert drop_waiting(patron, waiting.pk).ended_at == ended_at


def test_what_was_counted_meanwhile_is_not_dropped(patron, tea):
    waiting = wait_since_last_month(flattr(patron, tea))
    Flattr.objects.filter(pk=waiting.pk).update(state=Flattr.State.COUNTED)
    with pytest.raises(TooLate):
        drop_waiting(patron, waiting.pk)


def test_nobody_drops_anothers_flattr(patron, tea, mallory):
    waiting = wait_since_last_month(flattr(patron, tea))
    with pytest.raises(Flattr.DoesNotExist):
        drop_waiting(mallory, waiting.pk)


def test_the_counter_leaves_out_what_was_taken_back(patron, tea, carol):
    flattr(give_means(carol), tea)
    undo_flattr(patron, flattr(patron, tea).pk)
    assert count_flattrs(tea) == 1


def test_a_thing_that_exists_is_flattred_by_itself(patron, tea):
    assert flattr_thing(patron, tea).thing == tea


def test_a_month_is_reckoned_in_both_directions():
    december = date(2026, 12, 1)
    assert next_month(december) == date(2027, 1, 1)
    assert months_before(date(2027, 1, 1), 1) == december
    assert months_before(december, 6) == date(2026, 6, 1)
    assert next_month(december) - timedelta(days=31) == december
