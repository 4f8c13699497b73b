"""The same people, things and clicks twice: in the reference's memory, and in the database."""

from datetime import UTC, date, datetime, timedelta

from accounts.models import User
from buttons.models import Flattr, Thing
from funds import ledger
from funds.models import MonthlyBudget
from payouts.close import close_month
from payouts.models import Share
from tests.payouts.reference import World

MONTHS = [date(2025, month, 1) for month in range(1, 10)]


def build(world: World) -> dict[str, User]:
    users = {}
    for person in world.people.values():
        user = User.objects.create_user(
            email=f"{person.name}@example.org",
            username=person.name,
            currency=person.currency,
            is_exempt_from_means=person.is_exempt,
            is_active=person.is_active,
        )
        if person.budget is not None:
            MonthlyBudget.objects.create(
                user=user, amount_micros=person.budget, is_revenue_reused=person.is_revenue_reused
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
    rows = []
    for thing, owner in world.owners.items():
        rows.append(Thing(url=thing, owner=users[owner] if owner else None))
    Thing.objects.bulk_create(rows)
    return users


def make_clicks(world: World, users: dict[str, User], index: int) -> None:
    """Record the clicks of one month; one on a thing that already waits is not recorded."""
    things = {thing.url: thing for thing in Thing.objects.all()}
    waiting = {(c.patron, c.thing) for c in world.clicks if c.state == "waiting"}
    of_month = [click for click in world.clicks if click.month == index]
    for click in [click for click in of_month if (click.patron, click.thing) in waiting]:
        of_month.remove(click)
        world.clicks.remove(click)
    Flattr.objects.bulk_create(
        Flattr(
            patron=users[click.patron],
            thing=things[click.thing],
            month=MONTHS[index],
            created_at=datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=click.moment),
        )
        for click in of_month
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
