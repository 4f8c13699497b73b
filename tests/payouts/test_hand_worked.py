"""The months that were worked out by hand, against the written rule and against the close."""

from copy import deepcopy

import pytest

from accounts.models import User
from buttons.models import Flattr, Thing
from funds import ledger
from funds.models import LedgerAccount, MonthlyBudget
from payouts.close import close_month
from payouts.models import Share
from tests.payouts import built_worlds
from tests.payouts.hand_worked import MONTHS
from tests.payouts.reference import World

CASES = pytest.mark.parametrize("case", MONTHS, ids=[case.name for case in MONTHS])


def test_there_are_twelve_of_them_and_each_adds_up():
    assert len(MONTHS) == 12
    for case in MONTHS:
        given = sum(amount for month in case.shares for _, _, amount in month)
        reused = sum(person.funds for person in case.people) - sum(case.funds.values())
        kept = sum(case.revenue.values()) + sum(case.fees.values())
        assert kept == reused, case.name
        assert given >= reused, case.name


@CASES
def test_the_reference_gives_what_was_worked_out_by_hand(case):
    case = deepcopy(case)
    world = case.world()
    for month, expected in enumerate(case.shares):
        case.before.get(month, lambda world: None)(world)
        shares = world.close(month)
        assert shares == {(who, thing): amount for who, thing, amount in expected}
    for name, amount in case.funds.items():
        assert world.people[name].funds == amount
    revenue = {(p.name, c): a for p in world.people.values() for c, a in p.revenue.items() if a}
    assert revenue == case.revenue
    assert dict(world.fees) == case.fees
    if case.states:
        assert [click.state for click in world.clicks] == case.states


def bring_up_to_date(world: World, users: dict[str, User]) -> None:
    """Write what happened in the world since: proofs, budgets, undone flattrs."""
    for url, owner in world.owners.items():
        Thing.objects.filter(url=url).update(owner=users[owner] if owner else None)
    for name, person in world.people.items():
        MonthlyBudget.objects.filter(user=users[name]).update(amount_micros=person.budget)
    for click in world.clicks:
        if click.state == "undone":
            Flattr.objects.filter(patron=users[click.patron], thing__url=click.thing).update(
                state="undone"
            )


@pytest.mark.django_db
@CASES
def test_the_close_gives_what_was_worked_out_by_hand(case):
    case = deepcopy(case)
    world = case.world()
    users = built_worlds.build(world)
    names = {user.pk: name for name, user in users.items()}
    for month, expected in enumerate(case.shares):
        built_worlds.make_clicks(world, users, month)
        if month in case.before:
            case.before[month](world)
            bring_up_to_date(world, users)
        close_month(built_worlds.MONTHS[month])
        rows = Share.objects.filter(month=built_worlds.MONTHS[month]).select_related("thing")
        found = {(names[row.patron_id], row.thing.url): row.amount_micros for row in rows}
        assert found == {(who, thing): amount for who, thing, amount in expected}
    for name, amount in case.funds.items():
        funds = ledger.account_of("funds", currency=world.people[name].currency, user=users[name])
        assert funds.available_micros == amount
    revenue = LedgerAccount.objects.filter(code="revenue", credits_posted_micros__gt=0)
    found_revenue = {(row.user.username, row.currency): row.available_micros for row in revenue}
    assert found_revenue == case.revenue
    if case.states:
        counted = set(Share.objects.values_list("flattr_id", flat=True))
        flattrs = Flattr.objects.order_by("created_at")
        states = ["counted" if row.pk in counted else row.state for row in flattrs]
        assert states == case.states
