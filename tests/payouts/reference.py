"""The published rule of a month, written anew from its text, to compare the close with.

It shares no code, no query and no type with the application: plain values, fractions, and lists.

The rule: a patron gives min(monthly budget, funds at the close), divided by the number of counted
flattrs; the left-over micros go one each to the earliest. A flattr is counted when its thing has a
proven owner who is able to receive and is not the patron; one made in the month that is not counted
waits, counts in the first close that can count it, and expires six months later at one that cannot.
Who was deactivated neither gives nor receives.
Who has to give to receive, gives at least the smallest budget, has less than that in funds and lets
revenue be used gets the shortfall from revenue first, if it covers it.
What a creator received in the month is less a fee, rounded down in their favour.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

WAITING_MONTHS = 6


@dataclass
class Person:
    name: str
    currency: str = "EUR"
    budget: int | None = None
    funds: int = 0
    revenue: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    is_exempt: bool = False
    is_active: bool = True
    is_revenue_reused: bool = False


@dataclass
class Click:
    patron: str
    thing: str
    month: int
    moment: int
    state: str = "made"


@dataclass
class World:
    """Everything that a close looks at; months are whole numbers that count up."""

    people: dict[str, Person]
    owners: dict[str, str | None]
    clicks: list[Click]
    budget_min: int = 2_000_000
    fee_basis_points: int = 1_000
    fees: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def is_able(self, name: str) -> bool:
        person = self.people[name]
        has_budget = person.budget is not None and person.budget >= self.budget_min
        has_means = person.is_exempt or (has_budget and person.funds >= self.budget_min)
        return person.is_active and has_means

    def close(self, month: int) -> dict[tuple[str, str], int]:
        """Close one month and return what each (patron, thing) gave, in micros."""
        self._reuse_revenue()
        able = {thing for thing, owner in self.owners.items() if owner and self.is_able(owner)}
        shares: dict[tuple[str, str], int] = {}
        for person in self.people.values():
            shares |= self._divide(person, month, able)
        self._pay(shares)
        return shares

    def _reuse_revenue(self) -> None:
        for person in self.people.values():
            short = self.budget_min - person.funds
            gives = person.budget is not None and person.budget >= self.budget_min
            may_reuse = person.is_revenue_reused and not person.is_exempt and gives
            may_reuse = may_reuse and person.is_active
            if may_reuse and 0 < short <= person.revenue[person.currency]:
                person.revenue[person.currency] -= short
                person.funds += short

    def _divide(self, person: Person, month: int, able: set[str]) -> dict[tuple[str, str], int]:
        if person.budget is None or not person.is_active:
            return {}
        counted = []
        for click in self.clicks:
            is_of_month = click.state == "made" and click.month == month
            if click.patron != person.name or not (is_of_month or click.state == "waiting"):
                continue
            if self.owners[click.thing] == person.name:
                click.state = "dropped"
            elif click.thing in able:
                click.state = "counted"
                counted.append(click)
            elif month - click.month >= WAITING_MONTHS:
                click.state = "expired"
            else:
                click.state = "waiting"
        counted.sort(key=lambda click: click.moment)
        amount = min(person.budget, person.funds)
        shares = [floor(Fraction(amount, len(counted))) for _ in counted]
        for index in range(amount - sum(shares) if counted else 0):
            shares[index] += 1
        person.funds -= sum(shares)
        return {
            (person.name, click.thing): share for click, share in zip(counted, shares, strict=True)
        }

    def _pay(self, shares: dict[tuple[str, str], int]) -> None:
        gross: dict[tuple[str, str], int] = defaultdict(int)
        for (patron, thing), amount in shares.items():
            owner = self.owners[thing]
            assert owner
            gross[owner, self.people[patron].currency] += amount
        for (owner, currency), amount in gross.items():
            fee = floor(Fraction(amount * self.fee_basis_points, 10_000))
            self.fees[currency] += fee
            self.people[owner].revenue[currency] += amount - fee
