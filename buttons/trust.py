"""Sites on which a patron lets one click do: who may be trusted, how often, and when it is not.

The server cannot see which page opened a window; the window itself asks that page, and a script on
a trusted site can click for the patron. So only a whole proven origin can be trusted, each patron
chooses it and can take it back, and more flattrs than a reader makes need a press again.
"""

from datetime import timedelta

from django.db import transaction

from accounts.models import User
from buttons.flattrs import is_own, present_flattr, record_flattr
from buttons.models import Flattr, Site, Thing, TrustedSite
from buttons.months import Held, hold_months_shared, read_clock
from buttons.presses import Missing, missing_of
from buttons.sites import proven_site
from buttons.submissions import Submission, find_thing

# Counted over everything on the site, pressed or not, undone or not: a reader stays below.
FLATTRS_AN_HOUR = 10


class NotTrusted(Exception):
    """One click does not do here, so the press is asked for."""

    message = "Please press, to say that it is you."


class CannotTrust(Exception):
    message = "Only a site that is proven as a whole, and is not yours, can be trusted."


def trust_site(patron: User, thing: Thing) -> TrustedSite:
    """Let one click do on the site of a thing; a repeat returns what is there."""
    site = site_to_trust(patron, thing)
    if site is None:
        raise CannotTrust
    trusted, _ = TrustedSite.objects.get_or_create(patron=patron, site=site)
    return trusted


def stop_trusting(patron: User, trusted_id: int) -> None:
    """Ask for a press again on a site; a repeat, or another's id, changes nothing."""
    patron.trusted_sites.filter(pk=trusted_id).delete()


def site_to_trust(patron: User, thing: Thing) -> Site | None:
    """Return the site of a thing, if the thing's owner proved it as a whole."""
    site = proven_site(thing.url)
    is_theirs = site is not None and site.user_id == thing.owner_id != patron.pk
    return site if is_theirs else None


def trusted_site_of(patron: User, url: str) -> TrustedSite | None:
    site = proven_site(url)
    return patron.trusted_sites.filter(site=site).select_related("site").first() if site else None


def may_click(patron: User, submission: Submission) -> bool:
    """Say whether one click would do for this thing now."""
    trusted = trusted_site_of(patron, submission.url)
    if trusted is None or missing_of(patron) != Missing.NOTHING:
        return False
    return _is_open_to_a_click(patron, submission, trusted.site, read_clock())


@transaction.atomic
def record_click(patron: User, submission: Submission) -> Flattr:
    """Record a flattr on a trusted site without a press.

    Raises NotTrusted, and what `record_flattr` raises; the limit holds for clicks at once too.
    """
    held = hold_months_shared()
    trusted = trusted_site_of(patron, submission.url)
    if trusted is None:
        raise NotTrusted
    # Clicks of one patron on one site come one after the other, so that each is counted.
    if not TrustedSite.objects.select_for_update().filter(pk=trusted.pk).first():
        raise NotTrusted
    if not _is_open_to_a_click(patron, submission, trusted.site, held):
        raise NotTrusted
    return record_flattr(patron, submission)


def _is_open_to_a_click(patron: User, submission: Submission, site: Site, held: Held) -> bool:
    thing = find_thing(submission)
    named = thing.owner if thing else submission.claimant
    if named is None or named.pk != site.user_id or is_own(patron, submission, thing):
        return False
    if thing and present_flattr(patron, thing, held):
        return False
    # Who took a flattr back meant it: going back to this window must not make it again.
    if thing and patron.flattrs.filter(thing=thing, month=held.month).exists():
        return False
    lately = patron.flattrs.filter(
        created_at__gt=held.at - timedelta(hours=1), thing__url__startswith=f"{site.origin}/"
    )
    return lately.count() < FLATTRS_AN_HOUR
