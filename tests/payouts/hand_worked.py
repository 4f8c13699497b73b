"""Twelve months worked out by hand, every micro written out.

The arithmetic stands beside each; neither the close nor `reference.py` had a part in it. Amounts
are micros (EUR 1 = 1,000,000). A click is (patron, thing, month); they are made in this order.
`before` says what happens between the clicks of a month and its close.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.payouts.reference import Click, Person, World

Shares = list[tuple[str, str, int]]


@dataclass
class HandWorked:
    name: str
    people: list[Person]
    owners: dict[str, str | None]
    clicks: list[tuple[str, str, int]]
    # For each month what each flattr gives.
    shares: list[Shares]
    funds: dict[str, int]
    revenue: dict[tuple[str, str], int]
    fees: dict[str, int]
    states: list[str] | None = None
    before: dict[int, Callable[[World], None]] = field(default_factory=dict)

    def world(self) -> World:
        clicks = [Click(*click, moment=place) for place, click in enumerate(self.clicks)]
        return World({each.name: each for each in self.people}, dict(self.owners), clicks)


def patron(name: str, budget: int, funds: int, currency: str = "EUR") -> Person:
    return Person(name, currency, budget, funds)


def creator(name: str) -> Person:
    """Somebody exempt from means, so that the case is about something else."""
    return Person(name, is_exempt=True)


def proves(thing: str, owner: str) -> Callable[[World], None]:
    def prove(world: World) -> None:
        world.owners[thing] = owner

    return prove


def sets_budget(name: str, amount: int) -> Callable[[World], None]:
    def set_it(world: World) -> None:
        world.people[name].budget = amount

    return set_it


def undoes(place: int) -> Callable[[World], None]:
    def undo(world: World) -> None:
        world.clicks[place].state = "undone"

    return undo


MONTHS = [
    HandWorked(
        # 3,000,000 / 3 = 1,000,000. Fee: 3,000,000 x 10 % = 300,000.
        "three flattrs share EUR 3.00",
        [patron("ada", 3_000_000, 10_000_000), creator("ben")],
        {"x": "ben", "y": "ben", "z": "ben"},
        [("ada", "x", 0), ("ada", "y", 0), ("ada", "z", 0)],
        [[("ada", "x", 1_000_000), ("ada", "y", 1_000_000), ("ada", "z", 1_000_000)]],
        {"ada": 7_000_000},
        {("ben", "EUR"): 2_700_000},
        {"EUR": 300_000},
    ),
    HandWorked(
        # 2,000,000 / 3 = 666,666, 2 micros are left: one each to the first two.
        # ben: 666,667, fee 66,666.7 down to 66,666. cleo: 666,667 + 666,666 = 1,333,333, fee
        # 133,333.3 down to 133,333.
        "the remainder goes to the earliest, and the fee is rounded down",
        [patron("ada", 2_000_000, 2_000_000), creator("ben"), creator("cleo")],
        {"x": "ben", "y": "cleo", "z": "cleo"},
        [("ada", "x", 0), ("ada", "y", 0), ("ada", "z", 0)],
        [[("ada", "x", 666_667), ("ada", "y", 666_667), ("ada", "z", 666_666)]],
        {"ada": 0},
        {("ben", "EUR"): 600_001, ("cleo", "EUR"): 1_200_000},
        {"EUR": 199_999},
    ),
    HandWorked(
        # 2 / 3 = 0, both micros to the first two; the third gives nothing and is counted.
        # Fee: 2 x 10 % = 0.2 down to 0.
        "two micros over three flattrs",
        [patron("ada", 2, 50), creator("ben")],
        {"x": "ben", "y": "ben", "z": "ben"},
        [("ada", "z", 0), ("ada", "x", 0), ("ada", "y", 0)],
        [[("ada", "z", 1), ("ada", "x", 1), ("ada", "y", 0)]],
        {"ada": 48},
        {("ben", "EUR"): 2},
        {"EUR": 0},
        ["counted"] * 3,
    ),
    HandWorked(
        # All of it to one; fee 15,000,000.
        "EUR 150.00 for one thing",
        [patron("ada", 150_000_000, 150_000_000), creator("ben")],
        {"x": "ben"},
        [("ada", "x", 0)],
        [[("ada", "x", 150_000_000)]],
        {"ada": 0},
        {("ben", "EUR"): 135_000_000},
        {"EUR": 15_000_000},
    ),
    HandWorked(
        # min(10,000,000, 1,230,000) = 1,230,000; / 4 = 307,500. Fee 123,000.
        "funds below the budget are all that is given",
        [patron("ada", 10_000_000, 1_230_000), creator("ben")],
        {"w": "ben", "x": "ben", "y": "ben", "z": "ben"},
        [("ada", "w", 0), ("ada", "x", 0), ("ada", "y", 0), ("ada", "z", 0)],
        [[("ada", thing, 307_500) for thing in "wxyz"]],
        {"ada": 0},
        {("ben", "EUR"): 1_107_000},
        {"EUR": 123_000},
    ),
    HandWorked(
        # Each currency by itself: 2,000,000 - 200,000 and 5,000,000 - 500,000.
        "two currencies meet at one creator and stay apart",
        [
            patron("ada", 2_000_000, 2_000_000),
            patron("dan", 5_000_000, 6_000_000, "USD"),
            creator("ben"),
        ],
        {"x": "ben"},
        [("ada", "x", 0), ("dan", "x", 0)],
        [[("ada", "x", 2_000_000), ("dan", "x", 5_000_000)]],
        {"ada": 0, "dan": 1_000_000},
        {("ben", "EUR"): 1_800_000, ("ben", "USD"): 4_500_000},
        {"EUR": 200_000, "USD": 500_000},
    ),
    HandWorked(
        # Month 0: x alone takes 2,000,000, w waits. Month 1: w is ben's, takes 2,000,000.
        "what waits counts in the first close that finds its owner",
        [patron("ada", 2_000_000, 4_000_000), creator("ben")],
        {"w": None, "x": "ben"},
        [("ada", "w", 0), ("ada", "x", 0)],
        [[("ada", "x", 2_000_000)], [("ada", "w", 2_000_000)]],
        {"ada": 0},
        {("ben", "EUR"): 3_600_000},
        {"EUR": 400_000},
        ["counted", "counted"],
        {1: proves("w", "ben")},
    ),
    HandWorked(
        # Made in month 0, the close of month 6 ends it; one of month 1 waits on. Nobody gives.
        "what waited six months expires, and what waited five does not",
        [patron("ada", 2_000_000, 4_000_000)],
        {"v": None, "w": None},
        [("ada", "w", 0), ("ada", "v", 1)],
        [[] for _ in range(7)],
        {"ada": 4_000_000},
        {},
        {},
        ["expired", "waiting"],
    ),
    HandWorked(
        # y was undone and z is ada's own by then: x alone takes 4,000,000. Fee 400,000.
        "undone and own flattrs take no part",
        [patron("ada", 4_000_000, 4_000_000), creator("ben")],
        {"x": "ben", "y": "ben", "z": "ada"},
        [("ada", "x", 0), ("ada", "y", 0), ("ada", "z", 0)],
        [[("ada", "x", 4_000_000)]],
        {"ada": 0},
        {("ben", "EUR"): 3_600_000},
        {"EUR": 400_000},
        ["counted", "undone", "dropped"],
        {0: undoes(1)},
    ),
    HandWorked(
        # A budget of 1,990,000 is a cent too small: x waits. With 2,000,000 both count in month 1,
        # 1,000,000 each. ben flattrs nothing and keeps his funds.
        "an owner receives from the smallest budget on",
        [patron("ada", 2_000_000, 2_000_000), patron("ben", 1_990_000, 2_000_000)],
        {"x": "ben", "y": "ben"},
        [("ada", "x", 0), ("ada", "y", 1)],
        [[], [("ada", "x", 1_000_000), ("ada", "y", 1_000_000)]],
        {"ada": 0, "ben": 2_000_000},
        {("ben", "EUR"): 1_800_000},
        {"EUR": 200_000},
        ["counted", "counted"],
        {1: sets_budget("ben", 2_000_000)},
    ),
    HandWorked(
        # 12,345,678 / 5,000 = 2,469, rest 678. ben owns the first 1,000: 678 x 2,470 + 322 x 2,469
        # = 1,674,660 + 795,018 = 2,469,678, fee 246,967. cleo: 4,000 x 2,469 = 9,876,000, fee
        # 987,600. Together 12,345,678.
        "five thousand flattrs of one patron",
        [patron("ada", 150_000_000, 12_345_678), creator("ben"), creator("cleo")],
        {f"t{n}": "ben" if n < 1_000 else "cleo" for n in range(5_000)},
        [("ada", f"t{n}", 0) for n in range(5_000)],
        [[("ada", f"t{n}", 2_470 if n < 678 else 2_469) for n in range(5_000)]],
        {"ada": 0},
        {("ben", "EUR"): 2_222_711, ("cleo", "EUR"): 8_888_400},
        {"EUR": 1_234_567},
    ),
    HandWorked(
        # Month 0: ben has 5,000,000 - 500,000 = 4,500,000, and gives his 2,000,000.
        # Month 1: funds 0, so 2,000,000 of the revenue becomes funds: he receives and gives again.
        # 4,500,000 - 2,000,000 + 4,500,000 = 7,000,000. cleo: 2 x 1,800,000. Fees 2 x 700,000.
        "who runs short gives what was earned, and so goes on receiving",
        [
            patron("ada", 5_000_000, 10_000_000),
            Person("ben", "EUR", 2_000_000, 2_000_000, is_revenue_reused=True),
            creator("cleo"),
        ],
        {"x": "ben", "y": "cleo"},
        [("ada", "x", 0), ("ben", "y", 0), ("ada", "x", 1), ("ben", "y", 1)],
        [[("ada", "x", 5_000_000), ("ben", "y", 2_000_000)]] * 2,
        {"ada": 0, "ben": 0},
        {("ben", "EUR"): 7_000_000, ("cleo", "EUR"): 3_600_000},
        {"EUR": 1_400_000},
    ),
]
