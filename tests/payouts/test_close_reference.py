"""The close, held against the rule as it is written a second time in `reference.py`."""

from random import Random

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from payouts import close
from payouts.models import CreatorStatement, PatronStatement
from tests.payouts.built_worlds import MONTHS, build, compare, compare_states, make_clicks
from tests.payouts.reference import Click, Person, World

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
            is_active=random.random() < 0.9,
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


@pytest.mark.django_db
@settings(
    max_examples=15,
    deadline=None,
    # A seed does not shrink into anything simpler.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 2**32))
def test_the_close_gives_what_the_written_rule_gives(monkeypatch, seed):
    """However the month is cut into pieces of work."""
    random = Random(seed)
    world = a_world(random)
    monkeypatch.setattr(close, "CHUNK_SIZE", random.choice([1, 3, 10_000]))
    monkeypatch.setattr(close, "CHUNKS_PER_SLICE", random.choice([1, 100]))
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
