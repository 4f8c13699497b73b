"""The only writer of flattrs: the click window, the API, likes and subscriptions all come here.

A flattr moves no money; it says that a thing takes part when the month is divided. Every verb holds
the months' lock first and rows afterwards, so that it falls on one side of a close.
"""

from datetime import date, datetime
from pathlib import Path

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from buttons.models import Claim, Flattr, Month, Subscription, Thing
from buttons.months import MONTHS_LOCK, Held, hold_months_shared
from buttons.ownership import claim_thing, prove_by_site
from buttons.sites import proven_site
from buttons.submissions import Submission, find_thing, submission_of
from funds.budgets import has_means_to_give

# What a thing's counter shows: everything but what its patron took back.
SHOWN_STATES = (
    Flattr.State.MADE,
    Flattr.State.WAITING,
    Flattr.State.COUNTED,
    Flattr.State.EXPIRED,
)

# Made by a migration, since a function keeps its plan.
RECORD_USUAL = "SELECT buttons_record_usual(%s, %s, %s, %s, %s)"
RECORD_SUBSCRIBED = Path(__file__).with_name("record_subscribed.sql").read_text()
# Presses wait for a close that waits for one such statement, so that it must not take long.
SUBSCRIPTIONS_AT_ONCE = 5_000


class FlattrRefused(Exception):
    """The press cannot become a flattr; `flattr` is the one that is there, if that is why."""

    message = "This cannot be flattred."

    def __init__(self, flattr: Flattr | None = None) -> None:
        super().__init__(self.message)
        self.flattr = flattr


class OwnThing(FlattrRefused):
    message = "This is your own page: nobody flattrs their own things."


class AlreadyFlattred(FlattrRefused):
    message = "You flattred this already this month."


class AlreadyWaiting(FlattrRefused):
    message = "Your flattr from an earlier month still waits for this page's owner."


class NoMeans(FlattrRefused):
    message = "A monthly budget and some funds come first."


class TooLate(Exception):
    """The flattr belongs to a month that ended, or is over, so it stays as it is."""

    message = "The month of this flattr has ended, so it can no longer be undone."


@transaction.atomic
def record_flattr(patron: User, submission: Submission) -> Flattr:
    """Record one press on a thing, which its first flattr creates, and return the flattr.

    It falls into the month that is open when the months' lock is acquired. Two presses at once
    record one flattr. Raises a FlattrRefused or ContentNotSupported, and then writes nothing.
    """
    held = hold_months_shared()
    thing = find_thing(submission)
    _refuse_own(patron, submission, thing)
    if thing:
        _refuse_repeat(patron, thing, held)
    if not has_means_to_give(patron):
        raise NoMeans
    if thing is None:
        thing = _create_thing(submission)
        # Before the flattr: its foreign key shares the thing's row, which a proof locks.
        prove_by_site(thing)
    try:
        with transaction.atomic():
            flattr = Flattr.objects.create(
                patron=patron, thing=thing, month=held.month, created_at=held.at
            )
    except IntegrityError as error:
        # Another press of this patron was recorded since the check.
        raise AlreadyFlattred(_made_in(patron, thing, held)) from error
    if submission.claimant and thing.owner_id is None:
        claim_thing(thing, submission.claimant)
    return flattr


def record_usual(patron: User, url: str, nonce_digest: bytes) -> int | None:
    """Record the press that nearly all are, in one round trip, and return its flattr's id.

    Returns None, having recorded nothing, where anything about it is unusual: then `record_flattr`
    records or refuses it. A repeat finds its nonce spent and its flattr there, and is unusual; so
    is one press too many in a minute.
    """
    asked: list[int | str | bytes] = [MONTHS_LOCK, patron.pk, patron.currency, url, nonce_digest]
    try:
        with connection.cursor() as cursor:
            cursor.execute(RECORD_USUAL, asked)
            made_id: int | None = cursor.fetchone()[0]
    except IntegrityError:
        # Another press of this patron was recorded while this one looked.
        return None
    return made_id


def flattr_thing(patron: User, thing: Thing) -> Flattr:
    """Record a flattr of a thing that exists."""
    return record_flattr(patron, submission_of(thing))


def record_subscribed(month: date, *, stop_at: datetime | None = None) -> int:
    """Record the flattrs that subscriptions lack in a month, and return how many were recorded.

    Once for each subscription and month, whoever asks and however often. A month that was opened
    for closing, or lies ahead, takes none. `stop_at` leaves the rest to the next call.
    """
    recorded = 0
    while True:
        with transaction.atomic():
            looked_at, made = record_subscribed_batch(month)
        recorded += made
        if looked_at < SUBSCRIPTIONS_AT_ONCE or (stop_at and timezone.now() > stop_at):
            return recorded


def record_subscribed_batch(
    month: date, subscription: Subscription | None = None
) -> tuple[int, int]:
    """Record one statement's worth; return how many subscriptions were due and got a flattr."""
    held = hold_months_shared()
    if month > held.month or Month.objects.filter(month__gte=month).exists():
        return 0, 0
    with connection.cursor() as cursor:
        cursor.execute(
            RECORD_SUBSCRIBED,
            {
                "month": month,
                "at": held.at,
                "subscription": subscription.pk if subscription else None,
                "rows": SUBSCRIPTIONS_AT_ONCE,
            },
        )
        looked_at, made = cursor.fetchone()
    return looked_at, made


@transaction.atomic
def undo_flattr(patron: User, flattr_id: int) -> Flattr:
    """Take a flattr back while its month is open; a repeat changes nothing.

    Raises Flattr.DoesNotExist for another patron's, and TooLate once the month has ended.
    """
    held = hold_months_shared()
    flattr = patron.flattrs.select_related("thing").get(pk=flattr_id)
    undone = patron.flattrs.filter(pk=flattr_id, state=Flattr.State.MADE, month=held.month).update(
        state=Flattr.State.UNDONE, ended_at=held.at
    )
    flattr.refresh_from_db(fields=["state", "ended_at"])
    if not undone and flattr.state != Flattr.State.UNDONE:
        raise TooLate
    return flattr


@transaction.atomic
def drop_waiting(patron: User, flattr_id: int) -> Flattr:
    """Give up a flattr that waits for its owner; a repeat changes nothing.

    Raises Flattr.DoesNotExist for another patron's, and TooLate when it was counted or expired
    meanwhile, or never waited.
    """
    held = hold_months_shared()
    flattr = patron.flattrs.select_related("thing").get(pk=flattr_id)
    dropped = patron.flattrs.filter(pk=flattr_id, state=Flattr.State.WAITING).update(
        state=Flattr.State.DROPPED, ended_at=held.at
    )
    flattr.refresh_from_db(fields=["state", "ended_at"])
    if not dropped and flattr.state != Flattr.State.DROPPED:
        raise TooLate
    return flattr


def count_flattrs(thing: Thing) -> int:
    """Return what the thing's button shows, answered from an index alone."""
    return thing.flattrs.filter(state__in=SHOWN_STATES).count()


def present_flattr(patron: User, thing: Thing, held: Held) -> Flattr | None:
    """Return the flattr that a further press would repeat: of this month, or still waiting."""
    made = Q(month=held.month) & ~Q(state=Flattr.State.UNDONE)
    there = patron.flattrs.filter(made | Q(state=Flattr.State.WAITING), thing=thing)
    return there.order_by("-month").first()


def is_own(patron: User, submission: Submission, thing: Thing | None) -> bool:
    """Say whether a patron looks at their own thing: proven, in dispute, or by its button."""
    if submission.claimant == patron and (thing is None or thing.owner_id in (None, patron.pk)):
        return True
    if thing is None:
        site = proven_site(submission.url)
        return site is not None and site.user_id == patron.pk
    near_proof = (Claim.State.PROVEN, Claim.State.FROZEN)
    return (
        thing.owner_id == patron.pk
        or thing.claims.filter(user=patron, state__in=near_proof).exists()
    )


def _refuse_own(patron: User, submission: Submission, thing: Thing | None) -> None:
    if is_own(patron, submission, thing):
        raise OwnThing


def _refuse_repeat(patron: User, thing: Thing, held: Held) -> None:
    there = present_flattr(patron, thing, held)
    if there is None:
        return
    raise AlreadyWaiting(there) if there.state == Flattr.State.WAITING else AlreadyFlattred(there)


def _made_in(patron: User, thing: Thing, held: Held) -> Flattr | None:
    return (
        patron.flattrs.filter(thing=thing, month=held.month)
        .exclude(state=Flattr.State.UNDONE)
        .first()
    )


def _create_thing(submission: Submission) -> Thing:
    """Create the thing, or return the one that another first flattr created this very moment."""
    Thing.objects.bulk_create([submission.as_thing()], ignore_conflicts=True)
    return Thing.objects.get(url=submission.url)
