"""Whose a thing is: the button on the page is the proof.

A button says who owns a page; that is a claim, and anybody can make one for anybody's page. It is
proven once the server itself found that person's button on the page. The page is read outside any
transaction, and what it says is settled in one that holds the months' lock, so that a close sees
either the owner before or the owner after.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import User
from buttons.evidence import Evidence, read_evidence
from buttons.fetch import FetchError, fetch_page
from buttons.models import Claim, Flattr, Thing
from buttons.months import Held, hold_months_shared
from funds.hints import hint

PROOF_DAYS = 30
# After each failed check the next one waits longer; after the last one, nobody asks again until
# the next flattr or until the owner does.
BACKOFF = (
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=7),
    timedelta(days=14),
    timedelta(days=30),
)
# A proof survives a page that is away for some days, but not more failed checks than this.
FAILURES_BEFORE_LAPSE = 4
LEASE = timedelta(minutes=10)
CHECK_TASK = "buttons.tasks.check_claims"

NOT_FOUND = "Your button is not on the page yet."
ANOTHERS_BUTTON = "The page carries another person's button, and not yours."
DISPUTED = "More than one person is said to own this page. An admin decides."

# Takes due claims so that no two workers check one at once: the lease puts the next check off.
LEASE_DUE_CLAIMS = """
UPDATE buttons_claim SET next_check_at = %(until)s
WHERE id IN (
    SELECT id FROM buttons_claim WHERE next_check_at <= %(now)s
    ORDER BY next_check_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING thing_id
"""


@dataclass(frozen=True)
class Findings:
    """What one look at a page showed: whose buttons, how found, or why it could not be read."""

    how_by_user: dict[int, str]
    error: str = ""
    title: str = ""


def claim_thing(thing: Thing, user: User) -> Claim:
    """Note that `user` is said to own the thing, and have its page looked at soon.

    A repeat returns the claim that is there; one that was given up is looked at again.
    """
    now = timezone.now()
    claim, is_new = Claim.objects.get_or_create(
        thing=thing, user=user, defaults={"next_check_at": now}
    )
    if not is_new and claim.state == Claim.State.UNPROVEN and claim.next_check_at is None:
        Claim.objects.filter(pk=claim.pk, next_check_at=None).update(next_check_at=now)
    if claim.state == Claim.State.UNPROVEN:
        # Only a hurry: the tick of each minute finds the claim in any case.
        hint(CHECK_TASK)
    return claim


def check_claim(claim: Claim) -> Claim:
    """Look at the claim's page now, settle every claim on it, and return the claim as it is."""
    check_thing(claim.thing_id)
    claim.refresh_from_db()
    return claim


def check_thing(thing_id: int) -> None:
    """Read a thing's page once and settle all claims on the thing by what it shows."""
    url = Thing.objects.values_list("url", flat=True).get(pk=thing_id)
    settle_claims(thing_id, look_at(url))


def look_at(url: str) -> Findings:
    """Fetch a page and return whose buttons are on it."""
    try:
        page = fetch_page(url)
    except FetchError as error:
        return Findings({}, error=str(error))
    evidence = read_evidence(page, url)
    return Findings(_people_named(evidence), title=evidence.title)


@transaction.atomic
def settle_claims(thing_id: int, findings: Findings) -> None:
    """Write down who is proven to own a thing, by what its page showed."""
    held = hold_months_shared()
    thing = Thing.objects.select_for_update().get(pk=thing_id)
    refused = thing.claims.filter(state=Claim.State.REFUSED).values_list("user_id", flat=True)
    how_by_user = {
        user_id: how for user_id, how in findings.how_by_user.items() if user_id not in set(refused)
    }
    for user_id in how_by_user:
        Claim.objects.get_or_create(thing=thing, user_id=user_id)
    claims = list(
        thing.claims.exclude(state=Claim.State.REFUSED).select_for_update().order_by("pk")
    )
    rivals = [
        claim
        for claim in claims
        if claim.user_id in how_by_user or claim.state in (Claim.State.PROVEN, Claim.State.FROZEN)
    ]
    is_disputed = bool(how_by_user) and len(rivals) > 1
    # What lapses or freezes goes first: the database allows one proven claim for each thing.
    for claim in sorted(claims, key=lambda claim: claim.user_id in how_by_user):
        if is_disputed and claim in rivals:
            _write(claim, held.at, Claim.State.FROZEN, how=DISPUTED)
        elif claim.user_id in how_by_user and claim.state != Claim.State.FROZEN:
            _write(claim, held.at, Claim.State.PROVEN, how=how_by_user[claim.user_id])
        else:
            _write_failure(claim, held.at, findings, bool(how_by_user))
    _set_owner(thing, held)
    if findings.title and not thing.title and thing.owner_id:
        Thing.objects.filter(pk=thing.pk, title="").update(title=findings.title)


@transaction.atomic
def decide_claim(claim: Claim, *, is_owner: bool) -> None:
    """Let an admin decide a claim: the thing is theirs, or never will be.

    Deciding for one person refuses the others; refusing one leaves the others to the next check.
    """
    held = hold_months_shared()
    thing = Thing.objects.select_for_update().get(pk=claim.thing_id)
    claims = thing.claims.select_for_update()
    if is_owner:
        claims.exclude(pk=claim.pk).update(
            state=Claim.State.REFUSED, how="An admin decided otherwise.", next_check_at=None
        )
        _write(claim, held.at, Claim.State.PROVEN, how="An admin decided so.")
    else:
        claims.filter(pk=claim.pk).update(
            state=Claim.State.REFUSED, how="An admin decided otherwise.", next_check_at=None
        )
        claims.filter(state=Claim.State.FROZEN).update(
            state=Claim.State.UNPROVEN, how=NOT_FOUND, attempts=0, next_check_at=held.at
        )
    _set_owner(thing, held)


def due_things(limit: int) -> list[int]:
    """Take the things whose claims are due, for this worker alone, and return their ids."""
    now = timezone.now()
    params: dict[str, datetime | int] = {"now": now, "until": now + LEASE, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(LEASE_DUE_CLAIMS, params)
        return sorted({row[0] for row in cursor.fetchall()})


def recheck_claims_of(user: User) -> int:
    """Have every proven page of a person looked at again, as before a first withdrawal.

    Returns how many pages are due; they are read by the next tick.
    """
    due = Claim.objects.filter(user=user, state=Claim.State.PROVEN)
    return due.filter(Q(next_check_at=None) | Q(next_check_at__gt=timezone.now())).update(
        next_check_at=timezone.now()
    )


def _people_named(evidence: Evidence) -> dict[int, str]:
    """Return the users whose button is on a page, and how each was named."""
    how_by_username = {name.lower(): how for name, how in evidence.how_by_username.items()}
    wanted = Q(flattr_id__in=evidence.how_by_flattr_id)
    for name in how_by_username:
        wanted |= Q(username__iexact=name)
    people = User.objects.filter(wanted, is_active=True).values_list("pk", "username", "flattr_id")
    return {
        pk: how_by_username.get(username.lower()) or evidence.how_by_flattr_id[flattr_id]
        for pk, username, flattr_id in people
    }


def _write(claim: Claim, now: datetime, state: str, *, how: str) -> None:
    next_check_at = None if state == Claim.State.FROZEN else now + timedelta(days=PROOF_DAYS)
    Claim.objects.filter(pk=claim.pk).update(
        state=state, how=how, attempts=0, checked_at=now, next_check_at=next_check_at
    )
    claim.state = state


def _write_failure(claim: Claim, now: datetime, findings: Findings, has_others: bool) -> None:
    """Note a check that did not prove a claim; a proven one lapses after some of them."""
    if claim.state == Claim.State.FROZEN:
        return
    attempts = claim.attempts + 1
    if claim.state == Claim.State.PROVEN and attempts >= FAILURES_BEFORE_LAPSE:
        claim.state = Claim.State.UNPROVEN
    how = findings.error or (ANOTHERS_BUTTON if has_others else NOT_FOUND)
    is_given_up = attempts > len(BACKOFF)
    Claim.objects.filter(pk=claim.pk).update(
        state=claim.state,
        how=how[:200],
        attempts=F("attempts") + 1,
        checked_at=now,
        next_check_at=None if is_given_up else now + BACKOFF[attempts - 1],
    )


def _set_owner(thing: Thing, held: Held) -> None:
    """Make the thing's owner the person with the proven claim; nobody flattrs their own thing."""
    proven = thing.claims.filter(state=Claim.State.PROVEN).values_list("user_id", flat=True).first()
    if proven == thing.owner_id:
        return
    Thing.objects.filter(pk=thing.pk).update(owner=proven)
    thing.owner_id = proven
    own = Flattr.objects.filter(thing=thing, patron_id=proven)
    own.filter(state=Flattr.State.MADE, month__gte=held.month).update(
        state=Flattr.State.UNDONE, ended_at=held.at
    )
    own.filter(state=Flattr.State.WAITING).update(state=Flattr.State.DROPPED, ended_at=held.at)
