"""The one way to write a URL: what may be a thing at all, and which addresses are the same thing.

One parser reads every URL (`ada-url`, the WHATWG rules, so what the browser did): two parsers that
disagree about a host are how a guard is passed. What is suspicious is refused before anything is
normalised. docs/decisions.md says why fragments are kept.
"""

import re
from urllib.parse import unquote_plus

from ada_url import URL, HostType
from django.conf import settings

URL_BYTES_MAX = 2_048
HOST_LETTERS_MAX = 253

# Names that never belong to a public page.
PRIVATE_NAMES = ("localhost", "local", "internal", "onion", "home.arpa", "lan")

# Parameters that say where a visitor came from, never what they see. Adding one makes new flattrs
# of old addresses fall on another thing: things are not merged silently.
TRACKING_PREFIXES = ("utm_", "pk_", "mtm_", "piwik_", "hsa_", "vero_", "oly_")
TRACKING_NAMES = frozenset(
    (
        "_branch_match_id",
        "_ga",
        "_gl",
        "_hsenc",
        "_hsmi",
        "_openstat",
        "dclid",
        "fb_action_ids",
        "fb_action_types",
        "fb_ref",
        "fb_source",
        "fbclid",
        "gbraid",
        "gclid",
        "gclsrc",
        "igsh",
        "igshid",
        "li_fat_id",
        "mc_cid",
        "mc_eid",
        "mkt_tok",
        "msclkid",
        "rb_clickid",
        "s_cid",
        "srsltid",
        "ttclid",
        "twclid",
        "wbraid",
        "wickedid",
        "yclid",
    )
)

# White space and control characters, which parsers drop, keep or split at: each its own way.
UNPRINTABLE = re.compile(r"[\s\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]")
AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/*([^/?#]*)")
PERCENT_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")


class UrlRefused(ValueError):
    """This cannot be the address of a thing; `message` says why, for people."""

    message = "This is not the address of a public page."

    def __str__(self) -> str:
        return self.message


class NotAUrl(UrlRefused):
    message = "This is not a web address. It should look like https://blog.example/a-page."


class SchemeRefused(UrlRefused):
    message = "Only addresses that begin with http:// or https:// can be flattred."


class UserinfoRefused(UrlRefused):
    message = "The address carries a user name or password. Leave out what stands before the @."


class BackslashRefused(UrlRefused):
    message = "The address has a backslash in it. Web addresses use /."


class WhitespaceRefused(UrlRefused):
    message = "The address has a space or an invisible character in it."


class HostWithoutDot(UrlRefused):
    message = "The address has no full host name, such as blog.example."


class IpAddressRefused(UrlRefused):
    message = "The address is a number, not a name. Only pages with a host name can be flattred."


class PrivateHostRefused(UrlRefused):
    message = "The address belongs to a private network, which nobody else can visit."


class PortRefused(UrlRefused):
    message = "The address names a port. Only the usual ports of http and https are allowed."


class UrlTooLong(UrlRefused):
    message = "The address is too long: at most 2,048 bytes."


def canonical_url(text: str) -> str:
    """Return the one spelling of an address, or raise a UrlRefused.

    The scheme, the path's case, and the other parameters and their order stay as they are, since
    any of them may be another page. The result is its own canonical URL.
    """
    url = public_url(text.strip(" "))
    host = url.host if is_allowed_host(url.host) else url.hostname.removesuffix(".")
    canonical = f"{url.protocol}//{host}{_escapes(url.pathname)}{_query(url)}{_fragment(url)}"
    if len(canonical.encode()) > URL_BYTES_MAX:
        raise UrlTooLong
    return canonical


def public_url(text: str) -> URL:
    """Parse an address without rewriting it, or raise the UrlRefused that says what is wrong."""
    _refuse_what_parsers_read_differently(text)
    try:
        url = URL(text)
    except ValueError as error:
        raise NotAUrl from error
    if url.protocol not in ("http:", "https:"):
        raise SchemeRefused
    if not is_allowed_host(url.host):
        _refuse_private_hosts(url)
    return url


def is_allowed_host(host: str) -> bool:
    """Say whether a private `host:port` is the sandbox's own, which settings allow by name."""
    return host in settings.FETCH_ALLOWED_HOSTS


def host_of(url: str) -> str:
    """Return the host of a canonical URL, with its port where it has one."""
    return str(URL(url).host)


def origin_of(url: str) -> str:
    """Return scheme, host and port of a canonical URL, as browsers compare them."""
    return str(URL(url).origin)


def without_fragment(url: str) -> str:
    return url.partition("#")[0]


def is_same_site(url: str, other: str) -> bool:
    """Say whether two canonical URLs have one host; `www.` in front makes no difference."""
    return host_of(url).removeprefix("www.") == host_of(other).removeprefix("www.")


def _refuse_what_parsers_read_differently(text: str) -> None:
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError as error:
        raise NotAUrl from error
    if size_bytes > URL_BYTES_MAX:
        raise UrlTooLong
    if UNPRINTABLE.search(text):
        raise WhitespaceRefused
    if "\\" in text:
        raise BackslashRefused
    authority = AUTHORITY.match(text)
    if authority and "@" in authority[1]:
        raise SchemeRefused if text.lower().startswith("mailto:") else UserinfoRefused


def _refuse_private_hosts(url: URL) -> None:
    if url.host_type != HostType.DEFAULT:
        raise IpAddressRefused
    host = url.hostname.removesuffix(".")
    if any(host == name or host.endswith(f".{name}") for name in PRIVATE_NAMES):
        raise PrivateHostRefused
    if "." not in host:
        raise HostWithoutDot
    if "" in host.split(".") or len(host) > HOST_LETTERS_MAX:
        raise NotAUrl
    if url.port:
        raise PortRefused


def _escapes(text: str) -> str:
    return PERCENT_ESCAPE.sub(lambda escape: escape[0].upper(), text)


def _query(url: URL) -> str:
    pairs = url.search.removeprefix("?").split("&")
    kept = [pair for pair in pairs if not _is_tracking(pair)]
    return _escapes(f"?{'&'.join(kept)}") if any(kept) else ""


def _is_tracking(pair: str) -> bool:
    name = unquote_plus(pair.partition("=")[0]).lower()
    return name in TRACKING_NAMES or name.startswith(TRACKING_PREFIXES)


def _fragment(url: URL) -> str:
    """Keep the fragment, less the text directive that browsers add when a passage is linked."""
    kept = url.hash.removeprefix("#").partition(":~:")[0]
    return f"#{kept}" if kept else ""
