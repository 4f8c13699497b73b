"""Which public usernames nobody may take: they would read as the site itself, or as an address."""

import re

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.urls import URLPattern, URLResolver, get_resolver

# What a stranger would take for the people who run the site, or for its machinery. Written as
# `fold` returns them; the addresses of the site are added by `is_reserved`.
RESERVED_WORDS = """
    abuse account accounts admin admins administrator administration anonymous api app apps
    assets auth autosubmit badge billing blog bot button buttons catalogue categories category
    contact creator creators css dashboard demo developer developers directory docs donate
    email everybody everyone explore faq favicon feed feeds fees flattr flattrs flattrteam
    flattrsupport fund funds guest healthz help helpdesk home hostmaster imprint index info
    invite invites js legal login logout mail media me moderator money month months mysql news
    noreply nobody none null official ops operator owner page pages pay payment payments payout
    payouts policy postmaster press privacy profile public refund refunds revenue robots root
    rss search security service settings shop signin signout signup site sitemap staff static
    statement statements status stripe submit superuser support sysadmin system team terms test
    thing things transparency undefined undo user username users webhook webmaster wellknown
    widget withdraw withdrawal withdrawals www
"""
RESERVED = frozenset(RESERVED_WORDS.split())


NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


def named(name: str) -> Q:
    """Return the condition that a button's `user_id` names a user: their username, in any case.

    A number is the one that a button of 2010 got from the first Flattr, and never a key of this
    database: those count people in another order.
    """
    if NUMBER.fullmatch(name):
        return Q(old_flattr_number=int(name))
    return Q(username__iexact=name)


def fold(username: str) -> str:
    """Return the letters that people read, so that `Ad-min` is `admin`."""
    return username.lower().replace("-", "").replace("_", "").replace(".", "")


def first_segments() -> set[str]:
    """Return the first part of every address of the site, folded."""
    found = set()
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLPattern | URLResolver):
            segment = str(pattern.pattern).lstrip("^").split("/")[0]
            found.add(fold(segment.removesuffix("$").replace("\\", "")))
    return found


def is_reserved(username: str) -> bool:
    return fold(username) in RESERVED or fold(username) in first_segments()


def validate_not_reserved(username: str) -> None:
    if is_reserved(username):
        raise ValidationError("This name belongs to the site. Choose another.", code="reserved")
