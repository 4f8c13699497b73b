"""Whole sites: the places where only who runs a site can write, and the hosts that many share.

A site is an origin. Its proof is a token of its own at one of three places that belong to nobody
else there: a meta tag on the front page, a line in `/.well-known/flattr.txt`, or a TXT record of
the domain name system. A button on a page never proves more than that page. What follows is
decided by `buttons/ownership.py`.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from ada_url import URL
from publicsuffixlist import PublicSuffixList

from buttons.canonical import canonical_url, host_of, is_allowed_host, origin_of
from buttons.fetch import FetchError, Page, fetch_page, new_deadline
from buttons.html_tokens import start_tags
from buttons.models import Claim, Site
from buttons.names import LookUpFailed, NameUnknown, texts_of

META_NAME = "flattr:site"
LINE_NAME = "flattr-site="
FILE_PATH = "/.well-known/flattr.txt"
RECORD_PREFIX = "_flattr."
# A page that names a crowd would be slow to look at, and who runs a site needs few of them.
TOKENS_MAX = 20
ON_FRONT_PAGE = "The line is on the front page."
IN_FILE = "The line is in /.well-known/flattr.txt."
IN_RECORD = "The line is in the DNS."
NO_ANSWER = "The DNS record of the site could not be looked up."


class SharedHost(ValueError):
    """Everybody has a site below this host, so it is nobody's as a whole."""

    message = "Many people have a site below this address. Give the address of your own."


@dataclass
class SiteFindings:
    """The tokens that a site carries, each with where; or why it could not be read."""

    how_by_token: dict[str, str] = field(default_factory=dict)
    error: str = ""


@cache
def _suffixes() -> PublicSuffixList:
    """Return the Public Suffix List, its private section included."""
    return PublicSuffixList()


def new_token() -> str:
    """Return 128 random bits that stand for one person's claim on one site.

    Stored, and not derived from SECRET_KEY, so that a change of the key ends no proof.
    """
    return secrets.token_hex(16)


def site_origin(address: str) -> str:
    """Return the origin of the site that an address lies on.

    Raises UrlRefused, or SharedHost where the host is a public suffix: `co.uk`, `github.io`.
    """
    url = canonical_url(address)
    if is_shared_host(host_of(url)):
        raise SharedHost(SharedHost.message)
    return origin_of(url)


def is_shared_host(host: str) -> bool:
    """Say whether strangers register names, or have sites, directly below a host."""
    return not is_allowed_host(host) and bool(_suffixes().is_public(host))


def proven_site(url: str) -> Site | None:
    """Return the site, proven as a whole, that a canonical URL lies on."""
    sites = Site.objects.filter(origin=origin_of(url), state=Claim.State.PROVEN)
    return sites.select_related("user").first()


def look_at_site(origin: str) -> SiteFindings:
    """Read the three places of a site, all before one deadline, and return the tokens found there.

    The record is asked for first: it takes least, and holds while the site itself is away.
    """
    if is_shared_host(host_of(origin)):
        # The list has grown since the site was started.
        return SiteFindings(error=SharedHost.message)
    deadline = new_deadline()
    findings = SiteFindings()
    record_error = _look_at_record(findings, host_of(origin), deadline)
    for path in ("/", FILE_PATH):
        try:
            page = fetch_page(origin + path, deadline)
        except FetchError as error:
            # The front page's trouble is the one worth telling: few sites have the file.
            findings.error = findings.error or (str(error) if path == "/" else "")
            continue
        # What lies on another origin after its redirects says nothing about this one.
        if URL(page.url).origin == origin:
            is_file = path == FILE_PATH
            tokens = _tokens_in_file(page) if is_file else _tokens_on_front_page(page)
            _note(findings, tokens, IN_FILE if is_file else ON_FRONT_PAGE)
    findings.error = findings.error or record_error
    return findings


def _look_at_record(findings: SiteFindings, host: str, deadline: float) -> str:
    """Note the tokens in a site's TXT records; return what went wrong, which no record is not.

    Each subdomain has a record of its own: the one of `blog.example` says nothing about
    `shop.blog.example`, which may be somebody else's.
    """
    if is_allowed_host(host):
        return ""
    try:
        _note(findings, _tokens_in_lines(texts_of(RECORD_PREFIX + host, deadline)), IN_RECORD)
    except NameUnknown:
        return ""
    except LookUpFailed:
        return NO_ANSWER
    return ""


def _note(findings: SiteFindings, tokens: list[str], how: str) -> None:
    for token in tokens:
        if len(findings.how_by_token) < TOKENS_MAX:
            findings.how_by_token.setdefault(token, how)


def _tokens_on_front_page(page: Page) -> list[str]:
    if page.content_type != "text/html":
        return []
    metas = (attributes for tag, attributes, _ in start_tags(page.text) if tag == "meta")
    return [
        meta.get("content", "").strip().lower()
        for meta in metas
        if meta.get("name", "").strip().lower() == META_NAME
    ]


def _tokens_in_file(page: Page) -> list[str]:
    """Read lines of their own in a plain text: a page of HTML there is some error page."""
    if page.content_type != "text/plain":
        return []
    return _tokens_in_lines(page.text.splitlines())


def _tokens_in_lines(lines: Iterable[str]) -> list[str]:
    stripped = (line.strip().lower() for line in lines)
    return [line.removeprefix(LINE_NAME) for line in stripped if line.startswith(LINE_NAME)]
