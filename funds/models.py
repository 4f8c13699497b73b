"""Money of the instance: the ledger, monthly budgets, top-ups, and what is said to Stripe."""

import uuid

from django.conf import settings
from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import F, Q
from django.urls import reverse


class LedgerAccount(models.Model):
    """A bucket of money: what one user has in one currency, or one line of the instance's books.

    The four counters exist only on accounts of users, where they keep anybody from spending what
    is not there. Accounts of the instance carry none: their balance is the sum of their transfers,
    so no row is hot. Counters are written by the ledger's trigger alone.
    """

    class Code(models.TextChoices):
        STRIPE_BALANCE = "stripe_balance", "Stripe balance (asset)"
        FUNDS = "funds", "Funds (liability)"
        POT = "pot", "Pot of a month (liability)"
        REVENUE = "revenue", "Revenue (liability)"
        REVENUE_HELD = "revenue_held", "Revenue held (liability)"
        FEES = "fees", "Fees (income)"
        PROCESSOR_FEES = "processor_fees", "Processor fees (expense)"
        DISPUTE_LOSSES = "dispute_losses", "Dispute losses (expense)"

    USER_CODES = (Code.FUNDS, Code.REVENUE, Code.REVENUE_HELD)

    code = models.CharField(max_length=16, choices=Code)
    currency = models.CharField(max_length=3)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        # The constraint below leads with the user.
        db_index=False,
        related_name="ledger_accounts",
    )
    month = models.DateField(null=True)
    debits_pending_micros = models.BigIntegerField(default=0, db_default=0)
    debits_posted_micros = models.BigIntegerField(default=0, db_default=0)
    credits_pending_micros = models.BigIntegerField(default=0, db_default=0)
    credits_posted_micros = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            # The user leads, because pages and the close ask for the accounts of users.
            models.UniqueConstraint(
                fields=["user", "code", "currency", "month"],
                nulls_distinct=False,
                name="ledger_account_once",
            ),
            models.CheckConstraint(
                condition=Q(code__in=["funds", "revenue", "revenue_held"], user__isnull=False)
                | (
                    ~Q(code__in=["funds", "revenue", "revenue_held"])
                    & Q(
                        user__isnull=True,
                        debits_pending_micros=0,
                        debits_posted_micros=0,
                        credits_pending_micros=0,
                        credits_posted_micros=0,
                    )
                ),
                name="ledger_account_counters_are_of_users",
            ),
            models.CheckConstraint(
                condition=Q(code="pot", month__isnull=False) | (~Q(code="pot") & Q(month=None)),
                name="ledger_account_month_is_of_pots",
            ),
            models.CheckConstraint(
                condition=Q(debits_pending_micros__gte=0)
                & Q(debits_posted_micros__gte=0)
                & Q(credits_pending_micros__gte=0)
                & Q(
                    credits_posted_micros__gte=F("debits_posted_micros")
                    + F("debits_pending_micros")
                )
                | ~Q(code__in=["funds", "revenue", "revenue_held"]),
                name="ledger_account_not_overdrawn",
            ),
        ]

    def __str__(self) -> str:
        whose = self.user or self.month or "instance"
        return f"{self.code} of {whose} in {self.currency}"

    @property
    def available_micros(self) -> int:
        """What the user may spend now: posted, less what is reserved by pending transfers."""
        return self.credits_posted_micros - self.debits_posted_micros - self.debits_pending_micros


class Transfer(models.Model):
    """One debit and one credit of one amount: append-only, never edited, never deleted.

    The id is derived from `fact`, the canonical sentence of what the transfer records, so
    repeating it is harmless (`funds/ledger.py`).
    """

    class Code(models.TextChoices):
        TOP_UP = "top_up", "Top-up"
        TOP_UP_REVERSAL = "top_up_reversal", "Top-up returned"
        PROCESSOR_FEE = "processor_fee", "Processor fee"
        MONTH_BUDGET = "month_budget", "Monthly budget"
        MONTH_REVENUE = "month_revenue", "Monthly revenue"
        MONTH_FEE = "month_fee", "Monthly fee"
        REUSE = "reuse", "Revenue given on"
        REVENUE_HOLD = "revenue_hold", "Revenue held"
        REVENUE_RELEASE = "revenue_release", "Revenue released"
        WITHDRAWAL = "withdrawal", "Withdrawal"
        WITHDRAWAL_RETURN = "withdrawal_return", "Withdrawal returned"
        DISPUTE = "dispute", "Dispute"
        DISPUTE_CLAWBACK = "dispute_clawback", "Dispute, clawed back"
        DISPUTE_LOSS = "dispute_loss", "Dispute, lost"
        DISPUTE_WON = "dispute_won", "Dispute, won"
        OPERATOR_PAYOUT = "operator_payout", "Operator's payout"
        OPERATOR_DEPOSIT = "operator_deposit", "Operator's deposit"
        CORRECTION = "correction", "Correction"

    class Phase(models.TextChoices):
        """Whether a transfer moves money at once, or reserves it first (two-phase transfers)."""

        POSTED = "posted", "Posted at once"
        PENDING = "pending", "Pending"
        POST_PENDING = "post_pending", "Posts a pending transfer"
        VOID_PENDING = "void_pending", "Voids a pending transfer"

    id = models.UUIDField(primary_key=True, editable=False)
    fact = models.CharField(max_length=200)
    code = models.CharField(max_length=20, choices=Code)
    phase = models.CharField(max_length=12, choices=Phase, default=Phase.POSTED)
    # The ledger's trigger checks both accounts of a whole statement at once: a foreign key would
    # lock the one row of a month's pot for each of a million rows.
    debit_account = models.ForeignKey(
        LedgerAccount,
        on_delete=models.PROTECT,
        related_name="debits",
        db_index=False,
        db_constraint=False,
    )
    credit_account = models.ForeignKey(
        LedgerAccount,
        on_delete=models.PROTECT,
        related_name="credits",
        db_index=False,
        db_constraint=False,
    )
    amount_micros = models.BigIntegerField()
    # The month that the close booked; empty for what happens between closes.
    month = models.DateField(null=True)
    # OneToOne, so that the database lets a pending transfer resolve at most once.
    # The trigger that applies a transfer compares it with its pending one, which is never deleted.
    pending = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="resolution",
        db_constraint=False,
    )
    reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=TransactionNow(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_micros__gt=0), name="transfer_above_zero"),
            models.CheckConstraint(
                condition=~Q(debit_account=F("credit_account")), name="transfer_two_accounts"
            ),
            models.CheckConstraint(
                condition=Q(phase__in=["posted", "pending"], pending=None)
                | Q(phase__in=["post_pending", "void_pending"], pending__isnull=False),
                name="transfer_phase_and_pending_agree",
            ),
            models.CheckConstraint(
                condition=~Q(code="correction") | ~Q(reason=""), name="correction_has_a_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["debit_account", "created_at"], name="transfer_debits"),
            models.Index(fields=["credit_account", "created_at"], name="transfer_credits"),
            # The admin lists the newest first.
            models.Index(fields=["created_at"], name="transfer_by_time"),
        ]

    def __str__(self) -> str:
        return self.fact


class MonthlyBudget(models.Model):
    """What a patron sets aside each month; zero means paused."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="monthly_budget"
    )
    amount_micros = models.BigIntegerField()
    is_revenue_reused = models.BooleanField(
        "use revenue when funds run short",
        default=True,
        help_text="Covers the smallest budget from revenue, so that receiving goes on.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_micros__gte=0), name="budget_not_negative")
        ]

    def __str__(self) -> str:
        return f"monthly budget of {self.user}"


class TopUp(models.Model):
    """A payment into funds, from the first press to the credit and, perhaps, back."""

    class State(models.TextChoices):
        STARTED = "started", "Started"
        PROCESSING = "processing", "Being confirmed"
        PAID = "paid", "Paid"
        FAILED = "failed", "Failed"
        EXPIRED = "expired", "Not finished"
        RETURNED = "returned", "Returned"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="top_ups"
    )
    currency = models.CharField(max_length=3)
    amount_micros = models.BigIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.STARTED)
    failure = models.CharField(max_length=200, blank=True, default="")
    # Where the person wanted to go: a path of this site.
    return_to = models.CharField(max_length=2_000, blank=True, default="")
    stripe_checkout_session_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001
    stripe_payment_intent_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001
    stripe_charge_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001
    returned_micros = models.BigIntegerField(default=0)
    # What Stripe kept of it; unknown until Stripe has booked the charge.
    processor_fee_micros = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    paid_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_micros__gt=0), name="top_up_above_zero"),
            models.CheckConstraint(
                condition=Q(returned_micros__gte=0, returned_micros__lte=F("amount_micros")),
                name="top_up_returned_at_most_once",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "created_at"], name="top_up_of_user"),
            # An admin's list begins with the newest.
            models.Index(fields=["created_at"], name="top_up_by_time"),
        ]

    def __str__(self) -> str:
        return f"top-up {self.id}"

    def get_absolute_url(self) -> str:
        return reverse("funds:top-up", args=[self.pk])


class TopUpReturn(models.Model):
    """Unspent money on its way back to the method that paid it: reserved first, then moved."""

    class State(models.TextChoices):
        PENDING = "pending", "On its way"
        DONE = "done", "Returned"
        FAILED = "failed", "Failed, the money is back in funds"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    top_up = models.ForeignKey(TopUp, on_delete=models.PROTECT, related_name="returns")
    amount_micros = models.BigIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.PENDING)
    failure = models.CharField(max_length=200, blank=True, default="")
    stripe_refund_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_micros__gt=0), name="return_above_zero")
        ]

    def __str__(self) -> str:
        return f"return {self.id}"


class StripeCustomer(models.Model):
    """The one customer at Stripe that stands for a user."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="stripe_customer"
    )
    stripe_customer_id = models.CharField(max_length=255, unique=True)

    def __str__(self) -> str:
        return self.stripe_customer_id


class StripeRequest(models.Model):
    """A write to Stripe, written down before it is sent (an outbox row).

    It holds the exact request and its idempotency key, so that sending it again after a crash
    sends the same request; an unknown outcome is read before it is sent again.
    """

    class State(models.TextChoices):
        DUE = "due", "Due"
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"
        NEEDS_ATTENTION = "needs_attention", "Needs attention"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    # The row that the request is about: a top-up, a withdrawal.
    subject_id = models.UUIDField()
    params = models.JSONField()
    idempotency_key = models.CharField(max_length=255, unique=True)
    state = models.CharField(max_length=16, choices=State, default=State.DUE)
    attempts = models.PositiveIntegerField(default=0)
    is_outcome_unknown = models.BooleanField(default=False)
    stripe_object_id = models.CharField(max_length=255, blank=True, default="")
    response = models.JSONField(null=True)
    refusal_code = models.CharField(max_length=100, blank=True, default="")
    last_error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    next_try_at = models.DateTimeField(db_default=TransactionNow())
    # While a process sends it, no other one does.
    sending_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["kind", "next_try_at"],
                condition=Q(state="due"),
                name="stripe_request_due",
            ),
            models.Index(fields=["subject_id"], name="stripe_request_subject"),
            models.Index(fields=["created_at"], name="stripe_request_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"


class StripeEvent(models.Model):
    """A verified webhook, stored by Stripe's id before anything is done about it."""

    class State(models.TextChoices):
        RECEIVED = "received", "Received"
        APPLIED = "applied", "Applied"
        IGNORED = "ignored", "Not of interest"
        NEEDS_ATTENTION = "needs_attention", "Needs attention"

    stripe_event_id = models.CharField(max_length=255, primary_key=True)
    type = models.CharField(max_length=100)
    stripe_account_id = models.CharField(max_length=255, blank=True, default="")
    object_id = models.CharField(max_length=255, blank=True, default="")
    body = models.JSONField()
    state = models.CharField(max_length=16, choices=State, default=State.RECEIVED)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True, default="")
    stripe_created_at = models.DateTimeField()
    received_at = models.DateTimeField(auto_now_add=True)
    next_try_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        indexes = [
            models.Index(
                fields=["type", "next_try_at"],
                condition=Q(state="received"),
                name="stripe_event_due",
            ),
            models.Index(fields=["received_at"], name="stripe_event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.stripe_event_id}"
