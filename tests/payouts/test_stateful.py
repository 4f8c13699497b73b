"""Anything in any order: people, money and flattrs, held against a ledger kept in memory.

Hypothesis picks the operations; each runs through the real verb and through `books_model.py`, which
must agree on every refusal, and after each close and at the end on every balance and every flattr.
Only Stripe's answers are made up. `SOAK=1` (`make soak`) runs twenty times as many, or
SOAK_OPERATIONS.
"""

import os
import sys
import time
from collections import Counter
from datetime import timedelta
from itertools import count
from random import Random, randrange
from uuid import uuid4

import pytest
from django.conf import settings as site
from django.db import transaction
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from buttons.flattrs import FlattrRefused, TooLate, drop_waiting, flattr_thing, undo_flattr
from buttons.models import Claim, Flattr, Subscription, Thing
from buttons.months import current_month, months_before, read_clock
from buttons.subscriptions import MONTHS, cancel_subscription, subscribe
from funds import outbox, top_ups
from funds.budgets import BudgetRefused, set_budget
from funds.ledger import InsufficientFunds
from funds.models import LedgerAccount, MonthlyBudget, StripeEvent, StripeRequest, TopUp
from funds.reconcile import ledger_balances
from funds.returns import NothingToReturn, handle_refund_event, refund_top_up
from payouts import withdrawals
from payouts.check_books import run_checks
from payouts.close import close_month
from payouts.models import ConnectedAccount, Share
from tests.payouts.books_model import Books, Monthly, Payment, Payout, Refund
from tests.payouts.pretend_stripe import PretendStripe
from tests.payouts.reference import Click

IS_SOAK = os.environ.get("SOAK") == "1"
OPERATIONS = int(os.environ.get("SOAK_OPERATIONS", "1000000")) if IS_SOAK else 50_000
PARTS = max(1, OPERATIONS // 25_000) if IS_SOAK else 4
# A busy machine runs fewer of them rather than holding up the other tests; the soak runs them all.
SECONDS_MAX = 24 * 3_600 if IS_SOAK else 24
PEOPLE, THINGS, CROWD = 24, 240, 4_000
STEPS = 60
BEFORE_A_CLOSE = 3
PICK = st.integers(0, 2**16)
AMOUNTS = (1_000_000, 1_990_000, 2_000_000, 3_330_000, 10_000_000, 149_990_000, 150_000_000)
BUDGETS = (0, 10_000, 1_990_000, 2_000_000, 2_000_001, 7_770_000, 150_000_000, 150_010_000)

REFUSALS = (
    FlattrRefused,
    TooLate,
    BudgetRefused,
    InsufficientFunds,
    NothingToReturn,
    withdrawals.NotWholeCents,
    withdrawals.BelowMinimum,
)

done: Counter[str] = Counter()


def refusal_of(verb, *arguments):
    """Run a verb and return the name of its refusal, empty where it succeeds."""
    try:
        verb(*arguments)
    except REFUSALS as refusal:
        return type(refusal).__name__
    return ""


class Instance(RuleBasedStateMachine):
    """One instance from its first sign-up on, in a savepoint that is rolled back at the end."""

    stripe: PretendStripe

    @initialize(seed=PICK)
    def begin(self, seed):
        self.savepoint = transaction.savepoint()
        self.books = Books()
        self.users: dict[str, User] = {}
        self.things: dict[str, Thing] = {}
        self.flattrs: list[tuple[Click, int]] = []
        self.monthly: list[tuple[Monthly, int]] = []
        self.paying: list[tuple[Payment, TopUp, str]] = []
        self.refunding: list[tuple[Refund, int]] = []
        self.sending: list[tuple[Payout, str]] = []
        self.first_month = current_month()
        random = Random(seed)
        for number in range(10):
            self.sign_up(currency="EUR" if number < 8 else "USD", is_exempt=number == 3)
        for number in range(9):
            self.pays(number, random.randrange(len(AMOUNTS)), 1)
            self.budget(number, random.randrange(2, len(BUDGETS)))
        self.new_things()
        self.closes_asked = 0
        self.owners(seed)
        # However few rules follow, there is something to close.
        self.crowd(seed)

    # Who and what is there.

    def who(self, pick):
        return list(self.users)[pick % len(self.users)]

    @rule(currency=st.sampled_from(["EUR", "EUR", "USD"]), is_exempt=st.booleans())
    def sign_up(self, currency, is_exempt):
        if len(self.users) == PEOPLE:
            return
        name = f"person-{len(self.users)}"
        user = User.objects.create(
            username=name,
            email=f"{name}@example.org",
            currency=currency,
            is_exempt_from_means=is_exempt,
        )
        ConnectedAccount.objects.create(
            user=user, stripe_account_id=f"acct_{name}", is_payouts_enabled=True
        )
        self.users[name] = user
        self.books.sign_up(name, currency, is_exempt)
        done["sign-up"] += 1

    def new_things(self):
        things = Thing.objects.bulk_create(
            Thing(url=f"https://blog.example/{number}") for number in range(THINGS)
        )
        # Somebody says that they are theirs, so that they can be flattred without an owner.
        nobody = self.users["person-0"]
        Claim.objects.bulk_create(Claim(thing=thing, user=nobody) for thing in things)
        self.things = {thing.url: thing for thing in things}
        self.books.world.owners.update(dict.fromkeys(self.things))

    @rule(seed=PICK)
    def owners(self, seed):
        """Some things are proven by another person, or by nobody any more."""
        random = Random(seed)
        for _ in range(4):
            urls = random.sample(list(self.things), THINGS // 12)
            name = random.choice([None, *self.users, *self.users])
            owner = self.users[name] if name else None
            done["proof"] += Thing.objects.filter(url__in=urls).update(owner=owner)
            self.books.world.owners.update(dict.fromkeys(urls, name))

    # Funds.

    @rule(pick=PICK, amount=PICK, times=st.integers(1, 3))
    def pays(self, pick, amount, times):
        name = self.who(pick)
        amount = AMOUNTS[amount % len(AMOUNTS)]
        user = self.users[name]
        top_up = TopUp.objects.create(user=user, currency=user.currency, amount_micros=amount)
        payment = Payment(name, amount)
        self.books.payments.append(payment)
        self.paying.append((payment, top_up, self.stripe.paid_session(top_up)))
        self.news(len(self.paying) - 1, times)

    @rule(pick=PICK, times=st.integers(1, 2))
    def news(self, pick, times):
        """The news of a payment comes once, twice, or again after months."""
        payment, top_up, session_id = self.paying[pick % len(self.paying)]
        for _ in range(times):
            top_ups.apply_session(top_up.pk, session_id)
            self.books.pay(payment)
            done["top-up"] += 1

    @rule(pick=PICK, status=st.sampled_from(["succeeded", "pending", "failed", "refused"]))
    def refund(self, pick, status):
        payment, top_up, _ = self.paying[pick % len(self.paying)]
        expected = self.books.refund(payment)
        self.stripe.refund_status = status
        self.stripe.next = "refused" if status == "refused" else "ok"
        assert refusal_of(refund_top_up, top_up) == ("" if expected else "NothingToReturn")
        self.stripe.next = "ok"
        done["refund"] += 1
        if expected is None:
            return
        if status != "refused":
            self.refunding.append((expected, len(self.stripe.objects) - 1))
        if status != "pending":
            self.books.end_refund(expected, status == "succeeded")

    @rule(pick=PICK, is_made=st.booleans())
    def refund_moves(self, pick, is_made):
        """What was pending at Stripe ends, and what was made comes back from the bank."""
        if not self.refunding:
            return
        refund, number = self.refunding[pick % len(self.refunding)]
        body = self.stripe.objects[f"refund_{number}"]
        if body["status"] == "failed":
            return
        body["status"] = "succeeded" if is_made else "failed"
        event = StripeEvent(object_id=body["id"], body={"data": {"object": body}})
        handle_refund_event(event)
        self.books.end_refund(refund, is_made)
        done["refund"] += 1

    @rule(pick=PICK, amount=PICK)
    def budget(self, pick, amount):
        name = self.who(pick)
        amount = BUDGETS[amount % len(BUDGETS)]
        assert refusal_of(set_budget, self.users[name], amount) == self.books.set_budget(
            name, amount
        )
        done["budget"] += 1

    @rule(pick=PICK, amount=st.integers(1, 5))
    def tiny_budget(self, pick, amount):
        """An amount that only an older rule or an admin can have left behind."""
        name = self.who(pick)
        if self.books.world.people[name].budget is None:
            return
        MonthlyBudget.objects.filter(user=self.users[name]).update(amount_micros=amount)
        self.books.world.people[name].budget = amount
        done["budget"] += 1

    # Flattrs.

    @rule(seed=PICK)
    def presses(self, seed):
        random = Random(seed)
        for _ in range(8):
            name, url = self.who(random.randrange(64)), random.choice(list(self.things))
            expected = self.books.press(name, url)
            made = []

            def press(name=name, url=url, made=made):
                made.append(flattr_thing(self.users[name], self.things[url]))

            assert refusal_of(press) == expected
            self.flattrs += [(self.books.world.clicks[-1], row.pk) for row in made]
            done["flattr"] += 1

    @rule(seed=PICK)
    def crowd(self, seed):
        """Many press at once: what the model accepts is written by one statement."""
        random = Random(seed)
        pairs = [(name, url) for name in self.users for url in self.things]
        wanted = random.sample(pairs, min(len(pairs), random.choice([20, CROWD])))
        accepted = [pair for pair in wanted if self.books.press(*pair) == ""]
        held = read_clock()
        rows = Flattr.objects.bulk_create(
            Flattr(
                patron=self.users[name],
                thing=self.things[url],
                month=held.month,
                created_at=held.at + timedelta(microseconds=place),
            )
            for place, (name, url) in enumerate(accepted)
        )
        clicks = self.books.world.clicks[len(self.books.world.clicks) - len(rows) :]
        self.flattrs += [(click, row.pk) for click, row in zip(clicks, rows, strict=True)]
        done["flattr of a crowd"] += len(rows)

    @rule(seed=PICK)
    def changed_minds(self, seed):
        """Patrons undo and drop, also what is over long ago."""
        random = Random(seed)
        for _ in range(min(6, len(self.flattrs))):
            recent = self.flattrs[-60:]
            click, pk = random.choice(random.choice([recent, self.flattrs]))
            verb, expected = random.choice(
                [(undo_flattr, self.books.undo), (drop_waiting, self.books.drop)]
            )
            assert refusal_of(verb, self.users[click.patron], pk) == expected(click)
            done["undo" if verb is undo_flattr else "drop"] += 1

    @rule(seed=PICK)
    def subscribes(self, seed):
        """Patrons flattr things every month, and some end it."""
        random = Random(seed)
        for _ in range(4):
            name, url = self.who(random.randrange(64)), random.choice(list(self.things))
            months = random.choice([None, *MONTHS])
            known, seen = len(self.books.monthly), len(self.books.world.clicks)
            expected = self.books.subscribe(name, url, months)
            assert refusal_of(subscribe, self.users[name], self.things[url], months) == expected
            if len(self.books.monthly) > known:
                newest = Subscription.objects.latest("pk").pk
                self.monthly.append((self.books.monthly[-1], newest))
            self.made_by_subscriptions(seen)
            done["subscription"] += 1
        if self.monthly:
            each, pk = random.choice(self.monthly)
            cancel_subscription(self.users[each.who], pk)
            each.is_cancelled = True
            done["cancellation"] += 1

    def made_by_subscriptions(self, seen):
        """Match the clicks that the model made since then with the rows that were made."""
        clicks = self.books.world.clicks[seen:]
        pks = list(
            Flattr.objects.exclude(subscription=None).order_by("-pk").values_list("pk", flat=True)
        )[: len(clicks)]
        self.flattrs += zip(clicks, reversed(pks), strict=True)
        done["flattr of a subscription"] += len(clicks)

    @rule()
    def close(self):
        """Every third time it comes up, so that more happens between two closes."""
        self.closes_asked += 1
        if self.closes_asked % BEFORE_A_CLOSE:
            return
        month = months_before(self.first_month, -self.books.month)
        seen = len(self.books.world.clicks)
        expected = self.books.close()
        close_month(month, is_early=True)
        self.made_by_subscriptions(seen)
        names = {user.pk: name for name, user in self.users.items()}
        rows = Share.objects.filter(month=month).values_list(
            "patron_id", "thing__url", "amount_micros"
        )
        assert {(names[patron], url): amount for patron, url, amount in rows} == expected
        self.compare()
        done["close"] += 1

    # Revenue.

    @rule(pick=PICK, amount=st.sampled_from([10_000, 1_000_000, 1_000_001, 5_000_000, 0, 0, 0]))
    def withdraw(self, pick, amount):
        """Zero stands for everything that is there, to the cent."""
        name = self.who(pick)
        user = self.users[name]
        amount = amount or self.books.world.people[name].revenue[user.currency] // 10_000 * 10_000
        token = uuid4()
        expected = self.books.withdraw(name, amount)
        for _ in range(2):
            found = refusal_of(withdrawals.request_withdrawal, user, amount, user.currency, token)
            assert found == expected
            done["withdrawal"] += 1
        if not expected:
            self.sending.append((self.books.payouts[-1], token))

    @rule(pick=PICK, answer=st.sampled_from(["ok", "lost", "unreachable", "refused"]))
    def send(self, pick, answer):
        if not self.sending:
            return
        payout, token = self.sending[pick % len(self.sending)]
        self.stripe.next = answer
        request = StripeRequest.objects.get(subject_id=token)
        is_known = self.stripe.find("withdrawal", request.params, None) is not None
        StripeRequest.objects.filter(pk=request.pk, state="due").update(
            next_try_at="2020-01-01T00:00Z", sending_until=None, attempts=0
        )
        outbox.send_request(request.pk)
        self.stripe.next = "ok"
        done["withdrawal sent"] += 1
        if payout.state == "sending" and (is_known or answer in ("ok", "refused")):
            self.books.end_payout(payout, is_known or answer == "ok")

    @rule(pick=PICK, part=st.integers(0, 4))
    def reverse(self, pick, part):
        paid = [(p, token) for p, token in self.sending if p.state in ("paid", "returned")]
        if not paid:
            return
        payout, token = paid[pick % len(paid)]
        request = StripeRequest.objects.get(subject_id=token)
        body = self.stripe.objects[request.stripe_object_id]
        cents = payout.amount // 10_000
        body["amount_reversed"] = max(body["amount_reversed"], cents * part // 4)
        withdrawals.handle_transfer_event(StripeEvent(object_id=body["id"]))
        self.books.reverse(payout, body["amount_reversed"] * 10_000)
        done["withdrawal reversed"] += 1

    # What must agree.

    def compare(self):
        found = {
            (account.user_id, account.code, account.currency): account.available_micros
            for account in LedgerAccount.objects.filter(code__in=["funds", "revenue"])
        }
        for name, person in self.books.world.people.items():
            pk = self.users[name].pk
            assert found.get((pk, "funds", person.currency), 0) == person.funds, name
            for currency in ("EUR", "USD"):
                assert found.get((pk, "revenue", currency), 0) == person.revenue[currency], name
        balances = ledger_balances()
        for currency, amount in self.books.at_stripe.items():
            assert balances[currency] == amount == self.books.owed()[currency]
        states = dict(Flattr.objects.values_list("pk", "state"))
        for click, pk in self.flattrs:
            # A made flattr that was counted stays as it is; its share is compared at the close.
            shown = states[pk]
            assert shown == click.state or (shown, click.state) == ("made", "counted")
        assert len(states) == len(self.flattrs)

    def teardown(self):
        try:
            self.compare()
            assert run_checks() == []
        finally:
            transaction.savepoint_rollback(self.savepoint)


@pytest.mark.django_db
@pytest.mark.parametrize("part", range(PARTS))
def test_any_operations_in_any_order_leave_what_the_model_says(part, monkeypatch, capsys):
    assert site.SANDBOX, "months are closed early"
    monkeypatch.setattr(withdrawals, "REQUESTS_PER_HOUR", 10**6)
    Instance.stripe = PretendStripe()
    Instance.stripe.install(monkeypatch)
    begun, before = time.monotonic(), done.total()
    # Each round has a seed of its own: where Hypothesis is told to repeat itself, as in CI, it
    # would make the same few instances each time.
    first_seed = part * 1_000_000 if settings.default.derandomize else randrange(2**32)
    for number in count(first_seed):
        is_enough = done.total() - before >= OPERATIONS // PARTS
        if is_enough or time.monotonic() - begun > SECONDS_MAX:
            break
        run_state_machine_as_test(
            seed(number)(Instance),
            settings=settings(
                max_examples=3,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    with capsys.disabled():
        seconds = time.monotonic() - begun
        made = f"{done.total() - before} operations in {seconds:.1f} s"
        counts = f"model, part {part + 1} of {PARTS}: {made}, from seed {first_seed}: {dict(done)}"
        sys.stderr.write(f"\n{counts}\n")
