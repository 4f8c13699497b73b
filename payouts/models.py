"""What a month gives: its snapshot and shares, statements, and withdrawals.

What a close writes refers to the very rows that it was joined from, and those are never deleted.
Looking each up again took a sixth of the close: so these have no foreign keys in the database.
"""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.lookups import Exact
from django.urls import reverse

from buttons.models import Flattr, Month, Thing
from funds.money import MICROS_PER_CENT


class MonthPatron(models.Model):
    """A patron's budget as it stood when the month was opened for closing."""

    month = models.ForeignKey(Month, on_delete=models.PROTECT, db_index=False, db_constraint=False)
    patron = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    currency = models.CharField(max_length=3)
    budget_micros = models.BigIntegerField()
    funds_account_id = models.BigIntegerField()
    needs_attention = models.BooleanField(default=False)
    pk = models.CompositePrimaryKey("month_id", "patron_id")

    def __str__(self) -> str:
        return f"patron {self.patron_id} in {self.month_id}"


class MonthThing(models.Model):
    """A thing whose owner was proven and able to receive when the month was opened for closing.

    Who is able is read from here alone, so the order of chunks cannot matter.
    """

    month = models.ForeignKey(Month, on_delete=models.PROTECT, db_index=False, db_constraint=False)
    thing = models.ForeignKey(
        Thing, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    pk = models.CompositePrimaryKey("month_id", "thing_id")

    def __str__(self) -> str:
        return f"thing {self.thing_id} in {self.month_id}"


class Chunk(models.Model):
    """A range of a month's work: one claim, one transaction.

    Users whose budgets and means are written down, patrons to divide, a slice of creators to sum
    up, creators to pay, and creators whose held revenue is released; `analyze` is one piece of
    work.
    """

    class Step(models.TextChoices):
        SNAPSHOT = "snapshot", "Write down"
        DIVIDE = "divide", "Divide"
        SUM_UP = "sum_up", "Sum up"
        PAY = "pay", "Pay"
        RELEASE = "release", "Release"
        ANALYZE = "analyze", "Analyze"

    class State(models.TextChoices):
        DUE = "due", "Due"
        DONE = "done", "Done"
        SPLIT = "split", "Split"
        NEEDS_ATTENTION = "needs_attention", "Needs attention"

    month = models.ForeignKey(Month, on_delete=models.PROTECT, related_name="chunks")
    step = models.CharField(max_length=8, choices=Step)
    currency = models.CharField(max_length=3, blank=True, default="")
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=State, default=State.DUE)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True, default="")
    next_try_at = models.DateTimeField(db_default=TransactionNow())
    done_at = models.DateTimeField(null=True)
    # The database's process that did it: as many are at work on a month as there are of these.
    done_by = models.IntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(first_id__lte=F("last_id")), name="chunk_is_a_range")
        ]
        indexes = [
            models.Index(fields=["month", "step", "id"], condition=Q(state="due"), name="chunk_due")
        ]

    def __str__(self) -> str:
        return f"{self.step} {self.first_id}..{self.last_id} of {self.month_id}"


class Share(models.Model):
    """What one counted flattr gave: a view, which derives it from its place in the statement.

    The division is written there and nowhere else (`payouts/migrations/0013`).
    """

    month = models.DateField()
    flattr = models.ForeignKey(Flattr, on_delete=models.DO_NOTHING, db_constraint=False)
    patron = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="shares_given",
    )
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="shares_received",
    )
    thing = models.ForeignKey(
        Thing, on_delete=models.DO_NOTHING, db_constraint=False, related_name="shares"
    )
    currency = models.CharField(max_length=3)
    # Among the patron's counted flattrs of the month, the earliest first; from 1.
    place = models.PositiveIntegerField()
    amount_micros = models.BigIntegerField()
    pk = models.CompositePrimaryKey("patron_id", "flattr_id", "month")

    class Meta:
        managed = False
        db_table = "payouts_share"

    def __str__(self) -> str:
        return f"share of flattr {self.flattr_id}"


def _cardinality(field: str) -> Func:
    return Func(F(field), function="cardinality", output_field=models.IntegerField())


class PatronStatement(models.Model):
    """What one patron's month gave, in one row, with every flattr that was counted.

    The three lists belong together: the earliest flattr first, and its thing and creator at the
    same place. What is written here is never changed, but for when it was mailed.
    """

    # The constraint below leads with the month.
    month = models.ForeignKey(
        Month,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="patron_statements",
    )
    patron = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="patron_statements",
    )
    currency = models.CharField(max_length=3)
    budget_micros = models.BigIntegerField()
    given_micros = models.BigIntegerField()
    flattrs = models.PositiveIntegerField()
    waiting_flattrs = models.PositiveIntegerField()
    flattr_ids = ArrayField(models.BigIntegerField(), default=list)
    thing_ids = ArrayField(models.BigIntegerField(), default=list)
    creator_ids = ArrayField(models.BigIntegerField(), default=list)
    created_at = models.DateTimeField(db_default=TransactionNow())
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["month", "id"],
                condition=Q(mailed_at=None),
                name="patron_statement_unmailed",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["month", "patron"], name="patron_statement_once"),
            models.CheckConstraint(
                condition=Q(given_micros__gte=0, given_micros__lte=F("budget_micros")),
                name="patron_statement_within_budget",
            ),
            models.CheckConstraint(
                condition=Q(Exact(_cardinality("flattr_ids"), F("flattrs")))
                & Q(Exact(_cardinality("thing_ids"), F("flattrs")))
                & Q(Exact(_cardinality("creator_ids"), F("flattrs"))),
                name="patron_statement_lists_its_flattrs",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month_id:%Y-%m}, given by {self.patron}"


class ThingStatement(models.Model):
    """What one thing's month earned its creator in one currency, before the fee."""

    month = models.ForeignKey(Month, on_delete=models.PROTECT, db_index=False, db_constraint=False)
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="thing_statements",
    )
    thing = models.ForeignKey(
        Thing, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    currency = models.CharField(max_length=3)
    gross_micros = models.BigIntegerField()
    flattrs = models.PositiveIntegerField()
    pk = models.CompositePrimaryKey("month_id", "creator_id", "thing_id", "currency")

    def __str__(self) -> str:
        return f"{self.month_id:%Y-%m}, earned by thing {self.thing_id}"


class CreatorStatement(models.Model):
    """What one creator's month earned in one currency: gross, fee and net."""

    # The constraint below leads with the month.
    month = models.ForeignKey(
        Month,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="creator_statements",
    )
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="creator_statements",
    )
    currency = models.CharField(max_length=3)
    gross_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    net_micros = models.GeneratedField(
        expression=F("gross_micros") - F("fee_micros"),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )
    flattrs = models.PositiveIntegerField()
    patrons = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=TransactionNow())
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["month", "id"],
                condition=Q(mailed_at=None),
                name="creator_statement_unmailed",
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["month", "currency", "creator"], name="creator_statement_once"
            ),
            models.CheckConstraint(
                condition=Q(fee_micros__gte=0, fee_micros__lte=F("gross_micros")),
                name="creator_statement_fee_within_gross",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month_id:%Y-%m}, earned by {self.creator}"


class ConnectedAccount(models.Model):
    """A creator's own account at Stripe, to which withdrawals go."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="connected_account"
    )
    # Made before the first request, so that a repeat creates one account.
    request_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    stripe_account_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001
    is_payouts_enabled = models.BooleanField(default=False)
    is_details_submitted = models.BooleanField(default=False)
    requirements_due = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Stripe account of {self.user}"


class Withdrawal(models.Model):
    """A creator's request for money: reserved, sent, and then posted or voided."""

    class State(models.TextChoices):
        IN_REVIEW = "in_review", "Waits for an admin"
        SENDING = "sending", "On its way"
        PAID = "paid", "Paid"
        REFUSED = "refused", "Refused"
        RETURNED = "returned", "Returned"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="withdrawals"
    )
    currency = models.CharField(max_length=3)
    amount_micros = models.BigIntegerField()
    state = models.CharField(max_length=12, choices=State)
    # Why it was refused or came back, in words for the creator.
    failure = models.CharField(max_length=200, blank=True, default="")
    stripe_transfer_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    reviewed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    # When the superusers were told that it waits for them, or for money at Stripe.
    admins_told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_micros__gt=0), name="withdrawal_above_zero"),
            # Stripe moves whole cents.
            models.CheckConstraint(
                condition=Exact(F("amount_micros") % MICROS_PER_CENT, 0),
                name="withdrawal_in_whole_cents",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "created_at"], name="withdrawal_of_user"),
            models.Index(fields=["created_at"], name="withdrawal_by_time"),
            models.Index(
                fields=["ended_at"],
                condition=Q(mailed_at=None, ended_at__isnull=False),
                name="withdrawal_unmailed",
            ),
        ]

    def __str__(self) -> str:
        return f"withdrawal {self.id}"

    def get_absolute_url(self) -> str:
        return reverse("payouts:withdrawal", args=[self.pk])


class BooksCheck(models.Model):
    """One run of the books' checks, kept so that the admin can show the last one."""

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(auto_now_add=True)
    checks = models.PositiveIntegerField()
    is_sound = models.BooleanField()
    findings = models.JSONField(default=list)
    # Until an admin has looked at what is broken, no money leaves.
    cleared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    cleared_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["started_at"],
                condition=Q(is_sound=False, cleared_at=None),
                name="books_check_stops",
            )
        ]
        verbose_name = "check of the books"
        verbose_name_plural = "checks of the books"

    def __str__(self) -> str:
        return f"{'sound' if self.is_sound else 'BROKEN'} at {self.started_at:%Y-%m-%d %H:%M}"


class MonthFigures(models.Model):
    """What a closed month was in one currency, for everybody to see (`/transparency/`)."""

    month = models.ForeignKey(Month, on_delete=models.PROTECT, related_name="figures")
    currency = models.CharField(max_length=3)
    patrons = models.PositiveIntegerField()
    flattrs = models.PositiveIntegerField()
    things = models.PositiveIntegerField()
    creators = models.PositiveIntegerField()
    distributed_micros = models.BigIntegerField()
    fees_micros = models.BigIntegerField()
    # Into the revenue of creators: what was distributed less the fees.
    paid_micros = models.BigIntegerField()
    pk = models.CompositePrimaryKey("month_id", "currency")

    class Meta:
        verbose_name_plural = "figures of months"
        constraints = [
            models.CheckConstraint(
                condition=Q(distributed_micros=F("fees_micros") + F("paid_micros")),
                name="month_figures_add_up",
            )
        ]

    def __str__(self) -> str:
        return f"{self.month_id:%Y-%m} in {self.currency}"


class DayFigures(models.Model):
    """What was owed to people on a day in one currency, beside what lay at Stripe."""

    day = models.DateField()
    currency = models.CharField(max_length=3)
    people = models.PositiveIntegerField()
    funds_micros = models.BigIntegerField()
    revenue_micros = models.BigIntegerField()
    held_micros = models.BigIntegerField()
    # In the pots of months that were being closed just then: people's too.
    pots_micros = models.BigIntegerField()
    owed_micros = models.GeneratedField(
        expression=F("funds_micros") + F("revenue_micros") + F("held_micros") + F("pots_micros"),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )
    # What Stripe itself answered, and what the ledger says of it.
    stripe_micros = models.BigIntegerField()
    ledger_micros = models.BigIntegerField()
    # Sent to creators since the instance began, less what came back.
    withdrawn_micros = models.BigIntegerField()
    taken_at = models.DateTimeField(db_default=TransactionNow())
    pk = models.CompositePrimaryKey("day", "currency")

    class Meta:
        verbose_name_plural = "figures of days"

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} in {self.currency}"
