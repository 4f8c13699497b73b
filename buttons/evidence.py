"""Whose button a page carries, read as a browser reads its tags.

Counted is what a visitor gets: a link to this instance's auto-submit address, the custom element,
the old `a.FlattrButton` markup, `rel=payment`, or `meta flattr:id`. Not counted is what strangers
may leave on a page: links marked `ugc` or `nofollow`, comments of the source, and markup inside
scripts, text fields and templates. A button for another page says nothing about this one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from ada_url import URL, join_url
from django.conf import settings

from buttons.canonical import UrlRefused, canonical_url, is_same_site, origin_of, without_fragment
from buttons.fetch import Page
from buttons.html_tokens import Attributes, start_tags
from buttons.submissions import (
    DESCRIPTION_LETTERS_MAX,
    TITLE_LETTERS_MAX,
    name_in,
    plain_text,
)

SUBMIT_PATHS = ("/submit/auto", "/submit/auto/")
# What strangers wrote is marked with these by blogs, forums and repositories.
STRANGERS_RELS = frozenset(("ugc", "nofollow", "sponsored"))
LOOKED_AT = frozenset(("a", "link", "meta", "script", "base", "title", "flattr-button"))
# Each is asked for in the database and becomes a claimant, so that a page which names a crowd would
# be slow to look at and would put itself before everybody.
PEOPLE_MAX = 20
NAME_LETTERS_MAX = 39
BUTTON = "The button is on the page."
PAYMENT = "The page links to it with rel=payment."
META = "The page carries your flattr:id."
TEXT = "The button's address is in the text."
ADDRESS_IN_TEXT = re.compile(r"https?://[^\s<>\"')\]]+")

Element = tuple[str, Attributes, str]


@dataclass
class Evidence:
    """The people named on a page, and how; what the page, and each one's button, say of it."""

    how_by_username: dict[str, str] = field(default_factory=dict)
    how_by_flattr_id: dict[str, str] = field(default_factory=dict)
    told_by_name: dict[str, Mapping[str, str]] = field(default_factory=dict)
    title: str = ""
    description: str = ""
    is_elsewhere: bool = False


def read_evidence(page: Page, thing_url: str) -> Evidence:
    """Return whose buttons for this very thing are on its page.

    A page that lies on another site after its redirects proves nothing about the address.
    """
    try:
        page_url = canonical_url(page.url)
    except UrlRefused:
        return Evidence(is_elsewhere=True)
    if not is_same_site(page_url, thing_url):
        return Evidence(is_elsewhere=True)
    if page.content_type == "text/plain":
        return _read_text(page.text, [thing_url, page_url])
    return _judge(list(_elements(page.text)), page_url, thing_url)


def _elements(text: str) -> Iterator[Element]:
    """Yield what can be a button or says something about the page, values without outer spaces."""
    for tag, attributes, inside in start_tags(text):
        if tag in LOOKED_AT:
            yield tag, {name: value.strip() for name, value in attributes.items()}, inside


def _judge(elements: list[Element], page_url: str, thing_url: str) -> Evidence:
    titles = (inside for tag, _, inside in elements if tag == "title")
    title = plain_text(next(titles, ""), TITLE_LETTERS_MAX).replace("\n", " ")
    evidence = Evidence(title=title, description=_description(elements))
    base = _resolve(page_url, _first(elements, "base", "href")) or page_url
    ours = {without_fragment(url) for url in (thing_url, page_url)}
    canonical = _canonical_link(elements, base)
    if canonical and is_same_site(canonical, page_url):
        ours.add(without_fragment(canonical))
    has_script, default_user = _our_script(elements, base)
    for tag, attributes, _ in elements:
        rels = set(attributes.get("rel", "").lower().split())
        if tag in ("a", "link") and not rels & STRANGERS_RELS:
            how = PAYMENT if "payment" in rels else BUTTON
            if tag == "a" or "payment" in rels:
                _note_address(evidence, _resolve(base, attributes.get("href", "")), ours, how)
        if tag == "meta" and attributes.get("name", "").lower() == "flattr:id":
            _note(evidence.how_by_flattr_id, attributes.get("content", "").lower(), META)
        if not has_script:
            continue
        if tag == "flattr-button" and _is_ours(attributes.get("url", ""), base, ours):
            _note_button(evidence, attributes, attributes.get("user", ""))
        if tag == "a" and "flattrbutton" in attributes.get("class", "").lower():
            told = _old_markup(attributes)
            if _is_ours(told.get("url") or attributes.get("href", ""), base, ours):
                words = {"title": attributes.get("title", ""), "lang": attributes.get("lang", "")}
                _note_button(evidence, words | told, name_in(told) or default_user)
    return evidence


def _read_text(text: str, urls: list[str]) -> Evidence:
    evidence = Evidence()
    ours = {without_fragment(url) for url in urls}
    for found in ADDRESS_IN_TEXT.findall(text):
        _note_address(evidence, _resolve(urls[0], found), ours, TEXT)
    return evidence


def _note_address(evidence: Evidence, address: str, ours: set[str], how: str) -> None:
    """Note whom an auto-submit address of this instance names, when it is for this page."""
    if not address or not _is_this_instance(address):
        return
    url = URL(address)
    if url.pathname not in SUBMIT_PATHS:
        return
    parameters = {name: values[0] for name, values in parse_qs(url.search[1:]).items()}
    if not _is_ours(parameters.get("url", ""), address, ours, must_be_named=True):
        return
    name = name_in(parameters)
    flattr_id = parameters.get("fid", "").lower()
    evidence.told_by_name.setdefault(name.lower() or flattr_id, parameters)
    _note(evidence.how_by_username, name, how)
    if not name:
        _note(evidence.how_by_flattr_id, flattr_id, how)


def _note_button(evidence: Evidence, told: Mapping[str, str], name: str) -> None:
    evidence.told_by_name.setdefault(name.strip().lower(), told)
    _note(evidence.how_by_username, name, BUTTON)


def _description(elements: list[Element]) -> str:
    """Return what the page says of itself to search engines, which its visitors need not see."""
    said = (
        attributes.get("content", "")
        for tag, attributes, _ in elements
        if tag == "meta" and attributes.get("name", "").lower() == "description"
    )
    return plain_text(next(said, ""), DESCRIPTION_LETTERS_MAX)


def _note(how_by_name: dict[str, str], name: str, how: str) -> None:
    """Note a name, if it can be one: what is unprintable cannot be asked for in the database."""
    name = name.strip()
    is_name = name.isprintable() and 0 < len(name) <= NAME_LETTERS_MAX
    if is_name and len(how_by_name) < PEOPLE_MAX:
        how_by_name.setdefault(name, how)


def _is_ours(address: str, base: str, ours: set[str], *, must_be_named: bool = False) -> bool:
    """Say whether a button is for this page; the ones of our scripts may leave out which."""
    if not address:
        return not must_be_named
    resolved = _resolve(base, address)
    try:
        return without_fragment(canonical_url(resolved)) in ours
    except UrlRefused:
        return False


def _is_this_instance(address: str) -> bool:
    return URL(address).origin == origin_of(settings.BASE_URL)


def _our_script(elements: list[Element], base: str) -> tuple[bool, str]:
    """Say whether the page loads a script of this instance, and the user it names for all.

    Without it, a custom element may be a button of another instance, with other users.
    """
    for tag, attributes, _ in elements:
        address = _resolve(base, attributes.get("src", "")) if tag == "script" else ""
        if address and _is_this_instance(address):
            return True, parse_qs(URL(address).search[1:]).get("uid", [""])[0]
    return False, ""


def _old_markup(attributes: Attributes) -> Attributes:
    """Read `rev="flattr;uid:bob;url:…"`, or `data-flattr-uid`, of an old button."""
    for name in ("rev", "rel"):
        value = attributes.get(name, "")
        if value.lower().startswith("flattr"):
            parts = (part.partition(":") for part in value[7:].split(";"))
            return {key.strip().lower(): told.strip() for key, _, told in parts}
    prefix = "data-flattr-"
    return {
        name.removeprefix(prefix): told
        for name, told in attributes.items()
        if name.startswith(prefix)
    }


def _canonical_link(elements: list[Element], base: str) -> str:
    links = (
        attributes.get("href", "")
        for tag, attributes, _ in elements
        if tag == "link" and "canonical" in attributes.get("rel", "").lower().split()
    )
    try:
        return canonical_url(_resolve(base, next(links, "")))
    except UrlRefused:
        return ""


def _first(elements: list[Element], tag: str, name: str) -> str:
    found: Iterable[str] = (
        attributes[name] for tag_, attributes, _ in elements if tag_ == tag and name in attributes
    )
    return next(iter(found), "")


def _resolve(base: str, address: str) -> str:
    """Return an absolute address, or nothing when there is none."""
    if not address:
        return ""
    try:
        return str(join_url(base, address))
    except ValueError:
        return ""
