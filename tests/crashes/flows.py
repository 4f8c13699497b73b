"""The four ways that money goes, each from a person's press to the end, and what is true then."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from buttons.models import Flattr, Month
from buttons.months import month_of, months_before
from funds import stripe_gateway, webhooks
from funds.models import StripeEvent, StripeRequest, TopUp, TopUpReturn, Transfer
from funds.returns import refund_top_up
from funds.top_ups import checkout_url, start_top_up
from payouts.models import Chunk, Share, Withdrawal
from payouts.withdrawals import request_withdrawal
from sandbox.stripe import browser
from tests.funds.paying import pay
from tests.payouts.cast import flattr, funds_of, gives, micros, revenue_of, thing_of
from tests.payouts.going_out import earns, onboard_at_stripe
from tests.stripe_fixtures import StripeSandbox, post_webhook

Web = Callable[[Callable[[], object]], bool]
FIVE = 5_000_000


class Flow:
    """`go_on` is what people and Stripe do, again and again until they are answered."""

    tasks: tuple[str, ...] = ("funds.tasks.apply_events", "funds.tasks.send_due_requests")

    def __init__(self, stripe: StripeSandbox) -> None:
        self.stripe = stripe
        self.webhooks: list[dict[str, str]] = []
        stripe.control("reset")
        stripe.control("deliveries", mode="held")
        self.alice, self.bob = (
            User.objects.create(username=name, email=f"{name}@example.org")
            for name in ("alice", "bob")
        )
        self.prepare()

    def prepare(self) -> None: ...

    def go_on(self, web: Web) -> None:
        """Let Stripe deliver what was not answered by 200."""
        self.webhooks += self.stripe.take()
        self.webhooks = [each for each in self.webhooks if not web(lambda: _deliver(each))]  # noqa: B023

    def is_done(self) -> bool:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError

    def is_settled(self) -> bool:
        """Say whether Stripe was heard out and has nothing more to be told."""
        return (
            not self.webhooks
            and not StripeRequest.objects.filter(state="due").exists()
            and not StripeEvent.objects.filter(state="received").exists()
        )

    def two_minutes_pass(self) -> None:
        """Let every lease end, and every pause after a failure."""
        past = timezone.now() - timedelta(seconds=1)
        StripeRequest.objects.filter(state="due").update(next_try_at=past, sending_until=None)
        StripeEvent.objects.filter(state="received").update(next_try_at=past)
        Chunk.objects.filter(state="due").update(next_try_at=past)


def _deliver(webhook: dict[str, str]) -> None:
    assert post_webhook(webhook) == 200


def codes() -> list[tuple[str, str]]:
    return sorted(Transfer.objects.values_list("code", "phase"))


class TopUpFlow(Flow):
    is_paid = False

    def go_on(self, web: Web) -> None:
        if not self.is_paid:
            web(lambda: start_top_up(self.alice, FIVE))
            started = TopUp.objects.filter(state="started").order_by("created_at").last()
            url = checkout_url(started) if started else ""
            if not url:
                return
            browser.pay_by_card(url, browser.VISA)
            self.is_paid = True
        super().go_on(web)

    def is_done(self) -> bool:
        is_booked = TopUp.objects.filter(state="paid").exclude(processor_fee_micros=None).exists()
        return is_booked and self.is_settled()

    def check(self) -> None:
        assert funds_of(self.alice) == FIVE
        assert codes() == [("processor_fee", "posted"), ("top_up", "posted")]


class CloseFlow(Flow):
    tasks = ("payouts.tasks.close_due_months", "payouts.tasks.follow_up_closes")

    @transaction.atomic
    def prepare(self) -> None:
        """Make the month at once: a worker still at the flow before would close half of it."""
        self.month = months_before(month_of(timezone.now()), 1)
        carol = User.objects.create(username="carol", email="carol@example.org")
        thing = thing_of(gives(self.bob, "2.00"))
        for patron, budget in ((self.alice, "4.00"), (carol, "3.00")):
            flattr(gives(patron, budget), thing, month=self.month)
        flattr(self.alice, thing_of(self.bob), month=self.month)
        flattr(self.alice, thing_of(None), month=self.month)

    def is_done(self) -> bool:
        is_closed = Month.objects.filter(pk=self.month, state="closed").exists()
        return is_closed and not Chunk.objects.filter(state="due").exists()

    def check(self) -> None:
        assert (funds_of(self.alice), revenue_of(self.bob)) == (0, micros("6.30"))
        assert sorted(Share.objects.values_list("amount_micros", flat=True)) == [
            2_000_000,
            2_000_000,
            3_000_000,
        ]
        assert Flattr.objects.filter(state="waiting").count() == 1
        booked = [code for code, _ in codes() if code.startswith("month")]
        assert booked == ["month_budget", "month_budget", "month_fee", "month_revenue"]


class WithdrawalFlow(Flow):
    def prepare(self) -> None:
        self.token = uuid4()
        onboard_at_stripe(earns(self.bob, "7.00"))
        self.stripe.control("deposit", amount=10_000)
        self.stripe.take()

    def go_on(self, web: Web) -> None:
        if not Withdrawal.objects.exists():
            web(lambda: request_withdrawal(self.bob, FIVE, "EUR", self.token))
        super().go_on(web)

    def is_done(self) -> bool:
        return Withdrawal.objects.filter(state="paid").exists() and self.is_settled()

    def check(self) -> None:
        assert revenue_of(self.bob) == micros("2.00")
        withdrawals = [phase for code, phase in codes() if code == "withdrawal"]
        assert withdrawals == ["pending", "post_pending"]
        transfers = stripe_gateway._rows(stripe_gateway._api().transfers.list, {})
        assert [each["amount"] for each in transfers] == [500]


class RefundFlow(Flow):
    def prepare(self) -> None:
        self.top_up = pay(self.alice, FIVE)
        self.stripe.deliver()
        webhooks.apply_events()

    def go_on(self, web: Web) -> None:
        if not TopUpReturn.objects.exists():
            web(lambda: refund_top_up(self.top_up))
        super().go_on(web)

    def is_done(self) -> bool:
        return TopUpReturn.objects.filter(state="done").exists() and self.is_settled()

    def check(self) -> None:
        assert funds_of(self.alice) == 0
        reversals = [phase for code, phase in codes() if code == "top_up_reversal"]
        assert reversals == ["pending", "post_pending"]
        refunds = stripe_gateway._rows(stripe_gateway._api().refunds.list, {})
        assert [each["amount"] for each in refunds] == [500]


# The longest first, so that the others are done beside it.
FLOWS: dict[str, type[Flow]] = {
    "close": CloseFlow,
    "top-up": TopUpFlow,
    "withdrawal": WithdrawalFlow,
    "refund": RefundFlow,
}
