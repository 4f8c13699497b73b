"""What is flattred: things and whose they are, flattrs, and the months they fall into."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from buttons.canonical import host_of


class Month(models.Model):
    """A month that was opened for closing; a month without a row is open to flattrs.

    Only the close changes the state, and only while it holds the months' lock exclusively.
    """

    class State(models.TextChoices):
        CLOSING = "closing", "Being closed"
        CLOSED = "closed", "Closed"

    month = models.DateField(primary_key=True)
    state = models.CharField(max_length=8, choices=State, default=State.CLOSING)
    opened_at = models.DateTimeField(help_text="When the close of the month began.")
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(month__day=1), name="month_is_a_first_day")
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class Thing(models.Model):
    """What can be flattred: a canonical URL, whose owner is empty until proven."""

    url = models.CharField(max_length=2_048, unique=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="things"
    )
    title = models.CharField(max_length=100, blank=True, default="")
    description = models.CharField(max_length=1_000, blank=True, default="")
    language = models.CharField(max_length=10, blank=True, default="")
    category = models.CharField(max_length=20, blank=True, default="")
    tags = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    is_hidden = models.BooleanField(default=False)
    # Whose words the above are: an owner's, or for lack of one those of whoever flattred first.
    described_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
    )
    is_edited = models.BooleanField(default=False)
    shows_readers = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["owner", "id"], name="thing_of_owner"),
            models.Index(
                fields=["id"], condition=Q(shows_readers=True), name="thing_showing_readers"
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.url

    def get_absolute_url(self) -> str:
        return reverse("buttons:thing", args=[self.pk])

    @property
    def host(self) -> str:
        return host_of(self.url)


class Readers(models.Model):
    """How many people paid an owner for a thing in all closed months, and how much.

    Written after a close, and only for things whose owner shows it. The amount is missing where it
    would say what a single person gave, or where it is of several currencies.
    """

    thing = models.OneToOneField(Thing, on_delete=models.PROTECT, primary_key=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    month = models.DateField(help_text="The last month that is counted.")
    readers = models.PositiveIntegerField()
    currency = models.CharField(max_length=3, blank=True)
    amount_micros = models.BigIntegerField(null=True)

    class Meta:
        verbose_name_plural = "readers"

    def __str__(self) -> str:
        return f"readers of {self.thing_id} until {self.month:%Y-%m}"


class Claim(models.Model):
    """Somebody says that a thing is theirs: true once their button was found on the page."""

    class State(models.TextChoices):
        UNPROVEN = "unproven", "Not proven yet"
        PROVEN = "proven", "Proven"
        REFUSED = "refused", "Refused by an admin"
        FROZEN = "frozen", "Frozen until an admin decides"

    thing = models.ForeignKey(Thing, on_delete=models.PROTECT, related_name="claims")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="claims"
    )
    state = models.CharField(max_length=8, choices=State, default=State.UNPROVEN)
    # What was found (`button`, `rel=payment`, `flattr:id`), or why nothing was.
    how = models.CharField(max_length=200, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)
    next_check_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["thing", "user"], name="claim_once"),
            models.UniqueConstraint(
                fields=["thing"], condition=Q(state="proven"), name="claim_one_proven"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="claim_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} claims {self.thing}"


class Site(models.Model):
    """Somebody says that a whole origin is theirs: true once their token was found there."""

    origin = models.CharField(max_length=300)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sites"
    )
    token = models.CharField(max_length=32, unique=True, editable=False)
    state = models.CharField(max_length=8, choices=Claim.State, default=Claim.State.UNPROVEN)
    # Where the token was found, or why it was not.
    how = models.CharField(max_length=200, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)
    next_check_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["origin", "user"], name="site_once"),
            models.UniqueConstraint(
                fields=["origin"], condition=Q(state="proven"), name="site_one_proven"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="site_due",
            )
        ]

    def __str__(self) -> str:
        return self.origin

    @property
    def host(self) -> str:
        return host_of(self.origin)


class TrustedSite(models.Model):
    """A patron lets one click record a flattr on a site, for as long as its proof is the same one.

    It names the proof, and not the address: a site that changes hands is not trusted any more.
    """

    patron = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="trusted_sites"
    )
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="trusted_by")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["patron", "site"], name="trusted_site_once")]

    def __str__(self) -> str:
        return f"{self.patron} trusts {self.site}"


# Neither cancelled nor through with its last month.
SUBSCRIPTION_IS_OPEN = Q(cancelled_at__isnull=True) & (
    Q(last_month__isnull=True) | Q(next_month__lte=F("last_month"))
)


class Subscription(models.Model):
    """A patron flattrs a thing every month, until a last month or until they cancel.

    Its months count by the calendar: one in which no flattr could be made is over all the same.
    """

    patron = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="subscriptions"
    )
    thing = models.ForeignKey(Thing, on_delete=models.PROTECT, related_name="subscriptions")
    # Whose the thing was once that was proven: what changes hands is not flattred unasked.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
    )
    first_month = models.DateField()
    last_month = models.DateField(null=True)
    # The first month whose flattr is neither made nor settled otherwise.
    next_month = models.DateField()
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patron", "thing"],
                condition=SUBSCRIPTION_IS_OPEN,
                name="subscription_open_once",
            ),
            models.CheckConstraint(
                condition=Q(first_month__day=1)
                & Q(next_month__day=1)
                & Q(next_month__gte=F("first_month")),
                name="subscription_counts_in_months",
            ),
            models.CheckConstraint(
                condition=Q(last_month__isnull=True)
                | Q(last_month__day=1) & Q(last_month__gte=F("first_month")),
                name="subscription_ends_after_it_begins",
            ),
        ]
        indexes = [
            # What a month still lacks is found here, by every tick.
            models.Index(
                fields=["next_month"], condition=SUBSCRIPTION_IS_OPEN, name="subscription_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.patron} subscribes to {self.thing}"


class Flattr(models.Model):
    """One patron's click on one thing in one month. It moves no money.

    A flattr is *counted* when a share of a closed month names it; the close leaves made flattrs as
    they are, and writes only those that wait.
    """

    class State(models.TextChoices):
        MADE = "made", "Made"
        WAITING = "waiting", "Waiting for its owner"
        COUNTED = "counted", "Counted after waiting"
        UNDONE = "undone", "Undone"
        DROPPED = "dropped", "Dropped while waiting"
        EXPIRED = "expired", "Expired while waiting"

    patron = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="flattrs",
        db_index=False,
    )
    thing = models.ForeignKey(
        Thing, on_delete=models.PROTECT, related_name="flattrs", db_index=False
    )
    month = models.DateField()
    state = models.CharField(max_length=8, choices=State, default=State.MADE)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    # Empty where the patron pressed.
    subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, null=True, related_name="flattrs", db_index=False
    )

    class Meta:
        constraints = [
            # The close reads a chunk of patrons from this index alone.
            models.UniqueConstraint(
                fields=["month", "patron", "thing"],
                include=["id", "created_at", "state"],
                condition=~Q(state="undone"),
                name="flattr_once_per_month",
            ),
            # While one waits, the next press on that thing answers "already waiting".
            models.UniqueConstraint(
                fields=["patron", "thing"], condition=Q(state="waiting"), name="flattr_waits_once"
            ),
            # What a subscription made is not made again in that month, also when it was undone.
            models.UniqueConstraint(
                fields=["subscription", "month"],
                condition=Q(subscription__isnull=False),
                name="flattr_subscribed_once",
            ),
        ]
        indexes = [
            models.Index(fields=["patron", "created_at"], name="flattr_of_patron"),
            # A badge counts a thing's flattrs from this index alone, and a creator's download finds
            # those of a month.
            models.Index(fields=["thing", "state", "month"], name="flattr_of_thing"),
            # Subscriptions make nothing again that was taken back; few are.
            models.Index(
                fields=["patron", "thing"], condition=Q(state="undone"), name="flattr_undone"
            ),
        ]

    def __str__(self) -> str:
        return f"flattr {self.pk}"


class Press(models.Model):
    """A press that could not be recorded yet: signed out, unverified, or without means.

    It is the patron's consent, kept so that the flattr is completed as soon as it can be, also
    when the mail is confirmed on another device or the bank asks in between.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"
        DROPPED = "dropped", "Dropped"
        EXPIRED = "expired", "Expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patron = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="presses"
    )
    # What the button said: the parameters of the auto-submit address, after validation.
    submission = models.JSONField()
    url = models.CharField(max_length=2_048)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    why = models.CharField(max_length=200, blank=True, default="")
    flattr = models.ForeignKey(Flattr, on_delete=models.PROTECT, null=True, related_name="presses")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "presses"
        constraints = [
            models.UniqueConstraint(
                fields=["patron", "url"], condition=Q(state="open"), name="press_open_once"
            )
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="press_open")
        ]

    def __str__(self) -> str:
        return f"press on {self.url}"

    @property
    def host(self) -> str:
        return host_of(self.url)


class SpentNonce(models.Model):
    """The nonce of a form that was sent: a form of the click window works once.

    Kept in the database and not in a cache, so that a restart forgets none; rows are dropped once
    their form is too old to be taken anyway.
    """

    digest = models.BinaryField(primary_key=True, max_length=32)
    spent_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return bytes(self.digest).hex()


class PressCount(models.Model):
    """How many presses a patron has sent in the minute that their latest began or fell into.

    The table is not logged: a crash of the database forgets the counts, which a minute does too.
    """

    patron = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        # Looking the patron up again, whom the session just named, would lock their row.
        db_constraint=False,
        related_name="+",
    )
    began_at = models.DateTimeField()
    presses = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.presses} presses of {self.patron_id}"
