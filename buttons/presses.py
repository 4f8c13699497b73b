"""Presses that cannot be recorded yet: kept as the patron's consent, completed by the server.

A press is kept when its patron is signed out, has not verified a mail address, or has no means. It
becomes a flattr once all is there, in whatever order and on whatever device it happens.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.enums import TextChoices
from django.utils import timezone

from accounts.models import User
from buttons.canonical import UrlRefused
from buttons.flattrs import (
    AlreadyFlattred,
    AlreadyWaiting,
    FlattrRefused,
    NoMeans,
    OwnThing,
    is_own,
    record_flattr,
)
from buttons.models import Flattr, Press
from buttons.months import hold_months_shared
from buttons.submissions import ContentNotSupported, Submission, find_thing, read_submission
from funds.budgets import has_means_to_give
from funds.models import LedgerAccount

KEPT_DAYS = 7
# A press made while signed out becomes that of whoever signs in next in the same browser, so it
# must not lie there for the next person at a shared one.
ATTACH_MINUTES = 60
COMPLETED_AT_ONCE = 500


class Missing(TextChoices):
    """What a press still waits for, in the order in which people get there."""

    SIGN_IN = "sign_in", "Sign in or sign up, and it is completed."
    MAIL = "mail", "Confirm your mail address, and it is completed."
    MEANS = "means", "Add money and set a monthly budget, and it is completed."
    NOTHING = "", "It is being completed."


def press(patron: User | None, submission: Submission) -> Flattr | Press:
    """Record a press as a flattr, or keep it when something is missing.

    Raises what `record_flattr` raises, but for NoMeans.
    """
    if patron and has_verified_mail(patron):
        with suppress(NoMeans):
            return record_flattr(patron, submission)
    thing = find_thing(submission)
    if patron and is_own(patron, submission, thing):
        raise OwnThing
    if thing and not submission.title:
        # Where a press is listed before it is complete, it goes by the thing's own title.
        submission = replace(submission, title=thing.title)
    return keep_press(patron, submission)


def missing_of(patron: User | None) -> Missing:
    """Return the first thing that keeps a person's presses from being recorded."""
    if patron is None:
        return Missing.SIGN_IN
    if not has_verified_mail(patron):
        return Missing.MAIL
    return Missing.NOTHING if has_means_to_give(patron) else Missing.MEANS


def has_verified_mail(patron: User) -> bool:
    is_verified: bool = EmailAddress.objects.filter(user=patron, verified=True).exists()
    return is_verified


def keep_press(patron: User | None, submission: Submission) -> Press:
    """Keep a press for a week; a repeat returns the one that is kept."""
    kept = Press(
        patron=patron,
        url=submission.url,
        submission=submission.as_parameters(),
        expires_at=timezone.now() + timedelta(days=KEPT_DAYS),
    )
    try:
        with transaction.atomic():
            kept.save(force_insert=True)
    except IntegrityError:
        return Press.objects.get(patron=patron, url=submission.url, state=Press.State.OPEN)
    return kept


def attach_presses(patron: User, press_ids: Iterable[str]) -> None:
    """Give the presses of a signed-out browser to the person who signed in there."""
    since = timezone.now() - timedelta(minutes=ATTACH_MINUTES)
    kept = Press.objects.filter(patron=None, state=Press.State.OPEN, created_at__gte=since)
    for waiting in kept.filter(pk__in=list(press_ids)):
        try:
            with transaction.atomic():
                kept.filter(pk=waiting.pk).update(patron=patron)
        except IntegrityError:
            # The same person pressed the same thing before, on another device.
            kept.filter(pk=waiting.pk).update(
                state=Press.State.DROPPED, why="You had pressed this already."
            )


def complete_presses(patron: User | None = None) -> int:
    """Complete every press whose patron has all that is needed, and return how many were done.

    Each in a transaction of its own, so that one cannot stop the others; a repeat finds nothing.
    """
    now = timezone.now()
    Press.objects.filter(state=Press.State.OPEN, expires_at__lte=now).update(
        state=Press.State.EXPIRED, why="It was kept for a week."
    )
    ready = presses_ready().filter(patron=patron) if patron else presses_ready()
    press_ids = list(ready.order_by("expires_at").values_list("pk", flat=True)[:COMPLETED_AT_ONCE])
    return sum(complete_press(str(press_id)) for press_id in press_ids)


@transaction.atomic
def complete_press(press_id: str) -> bool:
    """Turn a kept press into a flattr, or refuse it for good; say whether it is settled now."""
    hold_months_shared()
    kept = (
        Press.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(pk=press_id, state=Press.State.OPEN, patron__isnull=False)
        .select_related("patron")
        .first()
    )
    if kept is None or kept.patron is None:
        return False
    try:
        flattr = record_flattr(kept.patron, read_submission(kept.submission))
    except NoMeans:
        return False
    except (AlreadyFlattred, AlreadyWaiting) as already:
        return _settle(kept, Press.State.DONE, already.flattr, already.message)
    except FlattrRefused as refused:
        return _settle(kept, Press.State.REFUSED, None, refused.message)
    except (ContentNotSupported, UrlRefused):
        return _settle(kept, Press.State.REFUSED, None, "Its owner is no longer known here.")
    return _settle(kept, Press.State.DONE, flattr, "")


def drop_press(patron: User, press_id: str) -> None:
    """Give up a kept press; a repeat changes nothing. Raises Press.DoesNotExist for another's."""
    kept = patron.presses.get(pk=press_id)
    Press.objects.filter(pk=kept.pk, state=Press.State.OPEN).update(state=Press.State.DROPPED)


def presses_ready() -> QuerySet[Press]:
    """Return the open presses whose patron has a verified mail address and means to give."""
    funds = LedgerAccount.objects.filter(
        user=OuterRef("patron"),
        code=LedgerAccount.Code.FUNDS,
        currency=OuterRef("patron__currency"),
        credits_posted_micros__gt=F("debits_posted_micros") + F("debits_pending_micros"),
    )
    verified = EmailAddress.objects.filter(user=OuterRef("patron"), verified=True)
    return Press.objects.filter(
        Exists(funds),
        Exists(verified),
        state=Press.State.OPEN,
        patron__monthly_budget__amount_micros__gt=0,
    )


def _settle(kept: Press, state: str, flattr: Flattr | None, why: str) -> bool:
    Press.objects.filter(pk=kept.pk).update(state=state, flattr=flattr, why=why)
    return True
