"""Subscriptions: a thing flattred every month, without a press after the first.

What makes their flattrs is `record_subscribed`; here people begin, look at and end them.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts.models import User
from buttons.flattrs import OwnThing, is_own, record_subscribed_batch
from buttons.models import SUBSCRIPTION_IS_OPEN, Flattr, Subscription, Thing
from buttons.months import Held, current_month, hold_months_shared, months_before, months_between
from buttons.submissions import find_thing, submission_of

# How long a subscription may be asked for; the other choice is until it is cancelled.
MONTHS = (3, 6, 12)

OWN = "own"
CHANGED_HANDS = "changed_hands"
WAITING = "waiting"


@transaction.atomic
def subscribe(patron: User, thing: Thing, months: int | None) -> Subscription:
    """Flattr a thing every month, this one being the first; None goes on until it is cancelled.

    A flattr of this month that is there, or was undone, is that of this month. A repeat returns
    the subscription that is there. Raises OwnThing, or ContentNotSupported for what is nobody's.
    """
    assert months is None or months > 0, "a subscription lasts a month at least"
    held = hold_months_shared()
    # Read anew: what the caller loaded may be of before a change of owner.
    thing = _thing_now(thing)
    if is_own(patron, submission_of(thing), thing):
        raise OwnThing
    _end_what_is_over(patron, thing, held)
    there = subscription_of(patron, thing)
    if there:
        return there
    begun = Subscription(
        patron=patron,
        thing=thing,
        owner=thing.owner,
        first_month=held.month,
        last_month=last_month_of(held.month, months) if months else None,
        next_month=held.month,
        created_at=held.at,
    )
    try:
        with transaction.atomic():
            begun.save(force_insert=True)
    except IntegrityError:
        # The same form was sent twice at once.
        return open_subscriptions(patron).get(thing=thing)
    record_subscribed_batch(held.month, begun)
    begun.refresh_from_db()
    return begun


@transaction.atomic
def cancel_subscription(patron: User, subscription_id: int) -> Subscription:
    """End a subscription; a repeat changes nothing. What it flattred this month stays.

    Raises Subscription.DoesNotExist for another patron's.
    """
    held = hold_months_shared()
    subscription = patron.subscriptions.select_related("thing").get(pk=subscription_id)
    patron.subscriptions.filter(pk=subscription_id, cancelled_at=None).update(cancelled_at=held.at)
    subscription.refresh_from_db(fields=["cancelled_at"])
    return subscription


def last_month_of(first_month: date, months: int) -> date:
    return months_before(first_month, 1 - months)


def choices_of(first_month: date) -> list[tuple[str, str]]:
    """Return how long a subscription may be asked for, with the month it would end in."""
    limited = [
        (str(months), f"{months} months, until {last_month_of(first_month, months):%b %Y}")
        for months in MONTHS
    ]
    return [*limited, ("", "Until I cancel")]


def subscription_of(patron: User, thing: Thing) -> Subscription | None:
    return open_subscriptions(patron).filter(thing=thing).first()


def open_subscriptions(patron: User) -> QuerySet[Subscription]:
    """Return what a patron flattrs every month now or from the next month on."""
    return patron.subscriptions.filter(SUBSCRIPTION_IS_OPEN).exclude(last_month__lt=current_month())


@dataclass(frozen=True)
class Listed:
    """One subscription as its patron sees it: what is next, and what keeps it from being made."""

    subscription: Subscription
    next_month: date
    flattr_id: int | None
    hindrance: str

    @property
    def months_left(self) -> int | None:
        """The months from the next one on, None where it goes on until it is cancelled."""
        last = self.subscription.last_month
        return months_between(self.next_month, last) + 1 if last else None


def listed_subscriptions(patron: User) -> list[Listed]:
    """Return the open subscriptions, newest first; two queries, however many there are."""
    month = current_month()
    flattrs = Flattr.objects.filter(patron=patron, thing=OuterRef("thing"))
    rows = (
        open_subscriptions(patron)
        .select_related("thing__owner")
        .annotate(
            flattr_id=Subquery(
                flattrs.filter(month=month, state=Flattr.State.MADE).values("pk")[:1]
            ),
            is_waiting=Exists(flattrs.filter(state=Flattr.State.WAITING)),
        )
        .order_by("-created_at", "-pk")
    )
    return [Listed(row, max(row.next_month, month), row.flattr_id, _hindrance(row)) for row in rows]


def _hindrance(row: Any) -> str:
    """Say why the next flattr would not be made as things stand, or nothing."""
    owner_id = row.thing.owner_id
    if owner_id == row.patron_id:
        return OWN
    if row.owner_id and owner_id and row.owner_id != owner_id:
        return CHANGED_HANDS
    return WAITING if row.is_waiting else ""


def _thing_now(thing: Thing) -> Thing:
    found = find_thing(submission_of(thing))
    assert found, "things are not deleted"
    return found


def _end_what_is_over(patron: User, thing: Thing, held: Held) -> None:
    """Settle the subscription whose last month went by without means, so that it is not open."""
    patron.subscriptions.filter(thing=thing, last_month__lt=held.month).update(
        next_month=held.month
    )
