"""What an instance's books should say, kept in memory beside the real ones.

It is written from the rules, shares no code with the application, and answers each verb with the
name of the refusal that is due, or with nothing where the verb succeeds. Months are whole numbers
that count up, things and people are names.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.payouts.reference import Click, Person, World

CENT = 10_000
BUDGET_MIN, BUDGET_MAX = 2_000_000, 150_000_000
WITHDRAWAL_MIN = 1_000_000


@dataclass(eq=False)
class Payment:
    """A top-up, and what of it went back or is on its way back."""

    who: str
    amount: int
    is_paid: bool = False
    returned: int = 0
    reserved: int = 0

    @property
    def left(self) -> int:
        return self.amount - self.returned - self.reserved


@dataclass
class Refund:
    payment: Payment
    amount: int
    state: str = "pending"


@dataclass
class Payout:
    """A withdrawal: reserved, then sent or given back; what Stripe reversed of it came back."""

    who: str
    currency: str
    amount: int
    state: str = "sending"
    reversed: int = 0


@dataclass
class Monthly:
    """A subscription: the first month that is not settled, the last one, and whose thing it was."""

    who: str
    thing: str
    next: int
    last: int | None
    owner: str | None
    is_cancelled: bool = False


@dataclass
class Books:
    world: World = field(default_factory=lambda: World({}, {}, []))
    month: int = 0
    moment: int = 0
    payments: list[Payment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    payouts: list[Payout] = field(default_factory=list)
    monthly: list[Monthly] = field(default_factory=list)
    clicks_on: dict[tuple[str, str], list[Click]] = field(default_factory=lambda: defaultdict(list))
    at_stripe: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def sign_up(self, name: str, currency: str, is_exempt: bool) -> None:
        self.world.people[name] = Person(
            name, currency=currency, is_exempt=is_exempt, is_revenue_reused=True
        )

    # Funds.

    def pay(self, payment: Payment) -> None:
        """A payment is credited once, however often its news arrives."""
        if not payment.is_paid:
            payment.is_paid = True
            self._move(payment.who, payment.amount)

    def returnable(self, payment: Payment) -> int:
        """First in, first out: what is stored belongs to the latest payments."""
        if not payment.is_paid:
            return 0
        later = self.payments[self.payments.index(payment) + 1 :]
        of_later = sum(each.left for each in later if each.who == payment.who and each.is_paid)
        stored = self.world.people[payment.who].funds
        return min(payment.left, max(stored - of_later, 0)) // CENT * CENT

    def refund(self, payment: Payment) -> Refund | None:
        amount = self.returnable(payment)
        if amount <= 0:
            return None
        self.world.people[payment.who].funds -= amount
        payment.reserved += amount
        self.refunds.append(Refund(payment, amount))
        return self.refunds[-1]

    def end_refund(self, refund: Refund, is_made: bool) -> None:
        """A refund ends made, refused, or first made and then sent back by the bank."""
        payment, amount = refund.payment, refund.amount
        person = self.world.people[payment.who]
        if is_made and refund.state == "pending":
            payment.reserved -= amount
            payment.returned += amount
            self.at_stripe[person.currency] -= amount
            refund.state = "done"
        elif not is_made and refund.state == "pending":
            payment.reserved -= amount
            person.funds += amount
            refund.state = "failed"
        elif not is_made and refund.state == "done":
            payment.returned -= amount
            self._move(payment.who, amount)
            refund.state = "failed"

    def set_budget(self, who: str, amount: int) -> str:
        is_amount = BUDGET_MIN <= amount <= BUDGET_MAX and amount % CENT == 0
        if amount and not is_amount:
            return "BudgetRefused"
        self.world.people[who].budget = amount
        return ""

    # Flattrs.

    def press(self, who: str, thing: str) -> str:
        if self.world.owners[thing] == who:
            return "OwnThing"
        earlier = self.clicks_on[who, thing]
        if any(c.month == self.month and c.state != "undone" for c in earlier):
            return "AlreadyFlattred"
        if any(c.state == "waiting" for c in earlier):
            return "AlreadyWaiting"
        if not self._has_means(who):
            return "NoMeans"
        self._click(who, thing)
        return ""

    def undo(self, click: Click) -> str:
        if click.state == "made" and click.month == self.month:
            click.state = "undone"
        return "" if click.state == "undone" else "TooLate"

    def drop(self, click: Click) -> str:
        if click.state == "waiting":
            click.state = "dropped"
        return "" if click.state == "dropped" else "TooLate"

    def subscribe(self, who: str, thing: str, months: int | None) -> str:
        owner = self.world.owners[thing]
        if owner == who:
            return "OwnThing"
        if not any(each.who == who and each.thing == thing for each in self._subscribed()):
            last = self.month + months - 1 if months else None
            self.monthly.append(Monthly(who, thing, self.month, last, owner))
            self._settle(self.monthly[-1])
        return ""

    def close(self) -> dict[tuple[str, str], int]:
        """What subscriptions lack is made before the month is closed, and then for the next one."""
        for each in self._subscribed():
            self._settle(each)
        shares = self.world.close(self.month)
        self.month += 1
        for each in self._subscribed():
            self._settle(each)
        return shares

    def _subscribed(self) -> list[Monthly]:
        return [
            each
            for each in self.monthly
            if not each.is_cancelled and (each.last is None or self.month <= each.last)
        ]

    def _settle(self, each: Monthly) -> None:
        """Without means the month stays open; else it is over, with a flattr or without."""
        if each.next > self.month or not self._has_means(each.who):
            return
        owner, earlier = self.world.owners[each.thing], self.clicks_on[each.who, each.thing]
        is_there = any(c.month == self.month or c.state == "waiting" for c in earlier)
        changed_hands = owner and each.owner and owner != each.owner
        if owner != each.who and not changed_hands and not is_there:
            self._click(each.who, each.thing)
        each.next, each.owner = self.month + 1, each.owner or owner

    def _click(self, who: str, thing: str) -> None:
        self.moment += 1
        click = Click(who, thing, self.month, self.moment)
        self.world.clicks.append(click)
        self.clicks_on[who, thing].append(click)

    def _has_means(self, who: str) -> bool:
        person = self.world.people[who]
        return bool(person.budget) and person.funds > 0

    # Revenue.

    def withdraw(self, who: str, amount: int) -> str:
        person = self.world.people[who]
        if amount % CENT:
            return "NotWholeCents"
        if amount < WITHDRAWAL_MIN:
            return "BelowMinimum"
        if amount > person.revenue[person.currency]:
            return "InsufficientFunds"
        person.revenue[person.currency] -= amount
        self.payouts.append(Payout(who, person.currency, amount))
        return ""

    def end_payout(self, payout: Payout, is_sent: bool) -> None:
        if payout.state != "sending":
            return
        payout.state = "paid" if is_sent else "refused"
        if is_sent:
            self.at_stripe[payout.currency] -= payout.amount
        else:
            self.world.people[payout.who].revenue[payout.currency] += payout.amount

    def reverse(self, payout: Payout, reversed_in_all: int) -> None:
        """Stripe says how much came back in all; only what is new of it is booked."""
        missing = max(reversed_in_all - payout.reversed, 0)
        payout.reversed += missing
        self.at_stripe[payout.currency] += missing
        self.world.people[payout.who].revenue[payout.currency] += missing
        if payout.reversed == payout.amount:
            payout.state = "returned"

    def _move(self, who: str, amount: int) -> None:
        person = self.world.people[who]
        person.funds += amount
        self.at_stripe[person.currency] += amount

    def owed(self) -> dict[str, int]:
        """Return what lies at Stripe by what it is owed to, in micros by currency."""
        owed: dict[str, int] = defaultdict(int)
        for person in self.world.people.values():
            owed[person.currency] += person.funds
            for currency, amount in person.revenue.items():
                owed[currency] += amount
        for currency, amount in self.world.fees.items():
            owed[currency] += amount
        for refund in self.refunds:
            if refund.state == "pending":
                owed[self.world.people[refund.payment.who].currency] += refund.amount
        for payout in self.payouts:
            if payout.state == "sending":
                owed[payout.currency] += payout.amount
        return owed
