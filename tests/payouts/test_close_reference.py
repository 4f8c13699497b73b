"""The close, held against the rule as it is written a second time in `reference.py`."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.models import User
from buttons.models import Flattr, Thing
from funds import ledger
from funds.models import MonthlyBudget
from payouts.close import close_month
from payouts.models import CreatorStatement, PatronStatement, Share
from tests.payouts.reference import Click, Person, World

MONTHS = [date(2025, month, 1) for month in range(1, 10)]
PEOPLE = ["ada", "ben", "cleo", "dan"]
THINGS = [f"https://blog.example/{number}" for number in range(7)]


def a_world(random: Random) -> World:
    """Return people, things and nine months of clicks: dense, so that every rule is met."""
    cast = {
        name: Person(
            name=name,
            currency=random.choice(["EUR", "EUR", "USD"]),
            budget=random.choice([None, 0, 1, 2, 2_000_000, random.randrange(150_000_000)]),
            funds=random.choice([0, 1_999_999, 2_000_000, random.randrange(150_000_000)]),
            is_exempt=random.random() < 0.3,
        )
        for name in PEOPLE
    }
    owners = {thing: random.choice([None, *PEOPLE]) for thing in THINGS}
    pairs = [(name, thing) for name in PEOPLE for thing in THINGS]
    made = [
        Click(*pair, month, moment=random.randrange(1_000_000))
        for month in range(len(MONTHS))
        for pair in random.sample(pairs, random.randrange(len(pairs)))
    ]
    return World(cast, owners, made)


def build(world: World) -> dict[str, User]:
    users = {}
    for person in world.people.values():
        user = User.objects.create_user(
            email=f"{person.name}@example.org",
            username=person.name,
            currency=person.currency,
            is_exempt_from_means=person.is_exempt,
        )
        if person.budget is not None:
            MonthlyBudget.objects.create(
                user=user, amount_micros=person.budget, is_revenue_reused=False
            )
        if person.funds:
            ledger.post(
                f"funds of {person.name}",
                "correction",
                debit=ledger.account_of("stripe_balance", currency=person.currency),
                credit=ledger.account_of("funds", currency=person.currency, user=user),
                amount_micros=person.funds,
                reason="the funds of the example",
            )
        users[person.name] = user
    for thing, owner in world.owners.items():
        Thing.objects.create(url=thing, owner=users[owner] if owner else None)
    return users


def make_clicks(world: World, users: dict[str, User], index: int) -> None:
    """Record the clicks of one month; one on a thing that already waits is not recorded."""
    things = {thing.url: thing for thing in Thing.objects.all()}
    waiting = {(c.patron, c.thing) for c in world.clicks if c.state == "waiting"}
    for click in [click for click in world.clicks if click.month == index]:
        if (click.patron, click.thing) in waiting:
            world.clicks.remove(click)
            continue
        Flattr.objects.create(
            patron=users[click.patron],
            thing=things[click.thing],
            month=MONTHS[index],
            created_at=datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=click.moment),
        )


def compare(world: World, users: dict[str, User], index: int) -> None:
    expected = world.close(index)
    close_month(MONTHS[index])
    names = {user.pk: name for name, user in users.items()}
    shares = {
        (names[share.patron_id], share.thing.url): share.amount_micros
        for share in Share.objects.filter(month=MONTHS[index]).select_related("thing")
    }
    assert shares == expected
    for name, person in world.people.items():
        user = users[name]
        funds = ledger.account_of("funds", currency=person.currency, user=user)
        assert funds.available_micros == person.funds
        for currency in ("EUR", "USD"):
            revenue = ledger.account_of("revenue", currency=currency, user=user)
            assert revenue.available_micros == person.revenue[currency]


def compare_states(world: World, users: dict[str, User]) -> None:
    names = {user.pk: name for name, user in users.items()}
    counted = set(Share.objects.values_list("flattr_id", flat=True))
    found = {}
    for flattr in Flattr.objects.select_related("thing"):
        is_counted = flattr.pk in counted
        key = (names[flattr.patron_id], flattr.thing.url, MONTHS.index(flattr.month))
        found[key] = "counted" if is_counted else flattr.state
    assert found == {(c.patron, c.thing, c.month): c.state for c in world.clicks}


@pytest.mark.django_db
@settings(
    max_examples=15,
    deadline=None,
    # A seed does not shrink into anything simpler.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 2**32))
def test_the_close_gives_what_the_written_rule_gives(seed):
    world = a_world(Random(seed))
    with transaction.atomic():
        users = build(world)
        for index in range(len(MONTHS)):
            make_clicks(world, users, index)
            compare(world, users, index)
        compare_states(world, users)
        for statement in PatronStatement.objects.all():
            assert 0 <= statement.given_micros <= statement.budget_micros
        for earned in CreatorStatement.objects.all():
            assert earned.gross_micros == earned.fee_micros + earned.net_micros
        transaction.set_rollback(True)
