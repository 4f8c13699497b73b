"""Whose a thing is: the button on the page is the proof, or the proof of the whole site it lies on.

A button says who owns a page; that is a claim, and anybody can make one for anybody's page. It is
proven once the server itself found that person's button on the page. The page is read outside any
transaction, and what it says is settled in one that holds the months' lock, so that a close sees
either the owner before or the owner after.
"""

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import User
from accounts.usernames import named
from buttons.evidence import Evidence, read_evidence
from buttons.fetch import FetchError, fetch_page
from buttons.models import Claim, Flattr, Site, Thing
from buttons.months import Held, hold_months_shared
from buttons.sites import SiteFindings, look_at_site, new_token, proven_site, site_origin
from buttons.submissions import Words, read_words
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
# A proof survives a page that is away for three days: as many failed checks, a day between two.
FAILURES_BEFORE_LAPSE = 4
PROVEN_BACKOFF = timedelta(days=1)
LEASE = timedelta(minutes=10)
CHECK_TASK = "buttons.tasks.check_claims"

NOT_FOUND = "Your button is not on the page yet."
ELSEWHERE = "The page leads to another site."
ANOTHERS_BUTTON = "The page carries another person's button, and not yours."
DISPUTED = "More than one person is said to own this page. An admin decides."
WHOLE_SITE = "The whole site is proven to be yours."
NO_LINE = "Your line is not on the site yet."
ANOTHERS_LINE = "The site carries another person's line, and not yours."
SITE_DISPUTED = "More than one person is said to run this site. An admin decides."
DECIDED_SO = "An admin decided so."
DECIDED_OTHERWISE = "An admin decided otherwise."
# A site that was just proven has so many of its pages settled at once; the tick does the others.
SETTLED_AT_ONCE = 100

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
    # What the page says of itself, with what each one's button adds; nothing if it was not read.
    words_by_user: dict[int, Words] = field(default_factory=dict)
    words: Words | None = None


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
    if evidence.is_elsewhere:
        return Findings({}, error=ELSEWHERE)
    own = Words(title=evidence.title, description=evidence.description)
    findings = Findings({}, words=own)
    for user, name, how in _people_named(evidence):
        told = read_words(evidence.told_by_name.get(name, {}))
        findings.how_by_user[user.pk] = how
        findings.words_by_user[user.pk] = replace(
            told, title=own.title or told.title, description=own.description or told.description
        )
    return findings


@transaction.atomic
def settle_claims(thing_id: int, findings: Findings) -> None:
    """Write down who is proven to own a thing, by what its page showed."""
    held = hold_months_shared()
    thing = Thing.objects.select_for_update().get(pk=thing_id)
    refused = set(thing.claims.filter(state=Claim.State.REFUSED).values_list("user_id", flat=True))
    named = dict(findings.how_by_user)
    if site := proven_site(thing.url):
        named.setdefault(site.user_id, WHOLE_SITE)
    how_by_user = {user_id: how for user_id, how in named.items() if user_id not in refused}
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
            not_found = ANOTHERS_BUTTON if how_by_user else NOT_FOUND
            _write_failure(claim, held.at, findings.error or not_found)
    _set_owner(thing, held)
    if thing.owner_id in how_by_user:
        _take_words(thing, findings, held.at)


def prove_by_site(thing: Thing) -> None:
    """Give a thing that nobody flattred before to who runs its whole site, without a look at it."""
    if proven_site(thing.url):
        settle_claims(thing.pk, Findings({}))
        thing.refresh_from_db(fields=["owner"])


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
            state=Claim.State.REFUSED, how=DECIDED_OTHERWISE, next_check_at=None
        )
        _write(claim, held.at, Claim.State.PROVEN, how=DECIDED_SO)
    else:
        claims.filter(pk=claim.pk).update(
            state=Claim.State.REFUSED, how=DECIDED_OTHERWISE, next_check_at=None
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
    Site.objects.filter(user=user, state=Claim.State.PROVEN).update(next_check_at=timezone.now())
    due = Claim.objects.filter(user=user, state=Claim.State.PROVEN)
    return due.filter(Q(next_check_at=None) | Q(next_check_at__gt=timezone.now())).update(
        next_check_at=timezone.now()
    )


def start_site(user: User, address: str) -> Site:
    """Note that a person says to run the site of an address; a repeat returns what is there.

    Raises UrlRefused, or SharedHost. Nothing is looked at before they ask, or before the next tick.
    """
    site, _ = Site.objects.get_or_create(
        origin=site_origin(address), user=user, defaults={"token": new_token()}
    )
    return site


def check_site(site: Site) -> Site:
    """Look at the site now, settle every claim on it, and return this one as it is."""
    settle_site(site.origin, look_at_site(site.origin))
    site.refresh_from_db()
    if site.state == Claim.State.PROVEN:
        own = Claim.objects.filter(user=site.user, thing__url__startswith=f"{site.origin}/")
        open_things = own.filter(state=Claim.State.UNPROVEN).values_list("thing_id", flat=True)
        for thing_id in list(open_things[:SETTLED_AT_ONCE]):
            settle_claims(thing_id, Findings({}))
    return site


@transaction.atomic
def settle_site(origin: str, findings: SiteFindings) -> None:
    """Write down who is proven to run a site, and have the site's things settled by it.

    What a site proved is looked at again when its proof ends, page by page.
    """
    held = hold_months_shared()
    sites = list(Site.objects.select_for_update().filter(origin=origin).order_by("pk"))
    sites = [site for site in sites if site.state != Claim.State.REFUSED]
    was_proven = {site.pk for site in sites if site.state == Claim.State.PROVEN}
    found = {site.pk for site in sites if site.token in findings.how_by_token}
    near_proof = (Claim.State.PROVEN, Claim.State.FROZEN)
    rivals = [site for site in sites if site.pk in found or site.state in near_proof]
    is_disputed = bool(found) and len(rivals) > 1
    for site in sorted(sites, key=lambda site: site.pk in found):
        if is_disputed and site in rivals:
            _write(site, held.at, Claim.State.FROZEN, how=SITE_DISPUTED)
        elif site.pk in found and site.state != Claim.State.FROZEN:
            _write(site, held.at, Claim.State.PROVEN, how=findings.how_by_token[site.token])
        else:
            _write_failure(site, held.at, findings.error or (ANOTHERS_LINE if found else NO_LINE))
    for site in sites:
        is_proven = site.state == Claim.State.PROVEN
        if is_proven != (site.pk in was_proven):
            _recheck_things_of(site, held.at)


@transaction.atomic
def decide_site(site: Site, *, is_owner: bool) -> None:
    """Let an admin decide who runs a site; refusing one leaves the others to the next check."""
    held = hold_months_shared()
    sites = Site.objects.select_for_update().filter(origin=site.origin)
    refused = sites.exclude(pk=site.pk) if is_owner else sites.filter(pk=site.pk)
    refused.update(state=Claim.State.REFUSED, how=DECIDED_OTHERWISE, next_check_at=None)
    if is_owner:
        _write(site, held.at, Claim.State.PROVEN, how=DECIDED_SO)
    sites.filter(state=Claim.State.FROZEN).update(
        state=Claim.State.UNPROVEN, how=NO_LINE, attempts=0, next_check_at=held.at
    )
    for one in list(sites):
        _recheck_things_of(one, held.at)


def due_sites(limit: int) -> list[Site]:
    """Return the sites whose next check is due, each put off, so that no other worker takes it."""
    now = timezone.now()
    with transaction.atomic():
        due = Site.objects.select_for_update(skip_locked=True).filter(next_check_at__lte=now)
        sites = list(due.order_by("next_check_at")[:limit])
        Site.objects.filter(pk__in=[site.pk for site in sites]).update(next_check_at=now + LEASE)
    return sites


def _recheck_things_of(site: Site, now: datetime) -> None:
    """Have every thing of a site settled anew by the next ticks, for the person who claims it.

    A site that was proven claims all its things for that person.
    """
    things = Thing.objects.filter(url__startswith=f"{site.origin}/")
    if site.state == Claim.State.PROVEN:
        Claim.objects.bulk_create(
            (Claim(thing_id=pk, user=site.user) for pk in things.values_list("pk", flat=True)),
            ignore_conflicts=True,
        )
    claims = Claim.objects.filter(user=site.user, thing__in=things)
    claims.filter(state__in=(Claim.State.UNPROVEN, Claim.State.PROVEN)).update(next_check_at=now)
    hint(CHECK_TASK)


def _take_words(thing: Thing, findings: Findings, now: datetime) -> None:
    """Let a thing say what its owner's page says, unless the owner wrote something else here.

    Who flattrs first may say anything of a page, so those words last until there is an owner.
    """
    is_theirs = thing.described_by_id == thing.owner_id
    if findings.words is None:
        if not is_theirs:
            # Proven with its site, without a look at the page: it is read soon.
            wait = PROVEN_BACKOFF if findings.error else timedelta()
            thing.claims.filter(user=thing.owner_id).update(next_check_at=now + wait)
        return
    if is_theirs and thing.is_edited:
        return
    assert thing.owner_id, "only an owner's page has the say"
    words = findings.words_by_user.get(thing.owner_id, findings.words)
    Thing.objects.filter(pk=thing.pk).update(
        **{**asdict(words), "tags": list(words.tags)},
        described_by=thing.owner_id,
        is_edited=False,
    )


def _people_named(evidence: Evidence) -> list[tuple[User, str, str]]:
    """Return the users whose button is on a page, what it calls each, and how it was found."""
    how_by_username = {name.lower(): how for name, how in evidence.how_by_username.items()}
    wanted = Q(flattr_id__in=evidence.how_by_flattr_id)
    for name in how_by_username:
        wanted |= named(name)
    how_by_name = evidence.how_by_flattr_id | how_by_username
    found = []
    for user in User.objects.filter(wanted, is_active=True):
        name = next(name for name in _names_of(user) if name in how_by_name)
        found.append((user, name, how_by_name[name]))
    return found


def _names_of(user: User) -> tuple[str, str, str]:
    """Return what a button may call a user, the username first."""
    return user.username.lower(), str(user.old_flattr_number), user.flattr_id


def _write(claim: Claim | Site, now: datetime, state: str, *, how: str) -> None:
    next_check_at = None if state == Claim.State.FROZEN else now + timedelta(days=PROOF_DAYS)
    type(claim).objects.filter(pk=claim.pk).update(
        state=state, how=how, attempts=0, checked_at=now, next_check_at=next_check_at
    )
    claim.state = state


def _write_failure(claim: Claim | Site, now: datetime, why: str) -> None:
    """Note a check that did not prove a claim; a proven one lapses after some of them."""
    if claim.state == Claim.State.FROZEN:
        return
    attempts = claim.attempts + 1
    is_given_up = attempts > len(BACKOFF)
    next_check_at = None if is_given_up else now + BACKOFF[attempts - 1]
    if claim.state == Claim.State.PROVEN:
        next_check_at = now + PROVEN_BACKOFF
        if attempts >= FAILURES_BEFORE_LAPSE:
            claim.state = Claim.State.UNPROVEN
    type(claim).objects.filter(pk=claim.pk).update(
        state=claim.state,
        how=why[:200],
        attempts=F("attempts") + 1,
        checked_at=now,
        next_check_at=next_check_at,
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
