"""Whose button a page carries, read with an HTML parser.

Counted is what a visitor gets: a link to this instance's auto-submit address, the custom element,
the old `a.FlattrButton` markup, `rel=payment`, or `meta flattr:id`. Not counted is what strangers
may leave on a page: links marked `ugc` or `nofollow`, comments of the source, and markup inside
scripts, text fields and templates. A button for another page says nothing about this one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs

from ada_url import URL, join_url
from django.conf import settings

from buttons.canonical import UrlRefused, canonical_url, is_same_site, origin_of, without_fragment
from buttons.fetch import Page
from buttons.submissions import TITLE_LETTERS_MAX, USERNAME_PARAMETERS, plain_text

SUBMIT_PATHS = ("/submit/auto", "/submit/auto/")
# What strangers wrote is marked with these by blogs, forums and repositories.
STRANGERS_RELS = frozenset(("ugc", "nofollow", "sponsored"))
# Inside these a browser shows text or nothing, never a button.
NO_MARKUP_TAGS = frozenset(
    ("textarea", "title", "template", "xmp", "noembed", "noframes", "iframe")
)
BUTTON = "The button is on the page."
PAYMENT = "The page links to it with rel=payment."
META = "The page carries your flattr:id."
TEXT = "The button's address is in the text."
ADDRESS_IN_TEXT = re.compile(r"https?://[^\s<>\"')\]]+")

Attributes = dict[str, str]


@dataclass
class Evidence:
    """The people named on a page, and how; the page's own title."""

    how_by_username: dict[str, str] = field(default_factory=dict)
    how_by_flattr_id: dict[str, str] = field(default_factory=dict)
    title: str = ""


def read_evidence(page: Page, thing_url: str) -> Evidence:
    """Return whose buttons for this very thing are on its page.

    A page that lies on another site after its redirects proves nothing about the address.
    """
    try:
        page_url = canonical_url(page.url)
    except UrlRefused:
        return Evidence()
    if not is_same_site(page_url, thing_url):
        return Evidence()
    if page.content_type == "text/plain":
        return _read_text(page.text, [thing_url, page_url])
    reader = PageReader()
    reader.feed(page.text)
    reader.close()
    return _judge(reader, page_url, thing_url)


class PageReader(HTMLParser):
    """Collects the elements that can be buttons, with their attributes, and the title."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, Attributes]] = []
        self.title = ""
        self._silent_tag = ""
        self._reads_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent_tag:
            return
        if tag in NO_MARKUP_TAGS:
            self._silent_tag = tag
            # The first one is the page's; drawings may have titles of their own.
            self._reads_title = tag == "title" and not self.title
        elif tag in ("a", "link", "meta", "script", "base", "flattr-button"):
            attributes: Attributes = {}
            for name, value in attrs:
                attributes.setdefault(name, (value or "").strip())
            self.elements.append((tag, attributes))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # HTML knows no `<textarea/>`: the slash is ignored, as browsers do.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent_tag:
            self._silent_tag = ""

    def handle_data(self, data: str) -> None:
        if self._silent_tag == "title" and self._reads_title:
            self.title += data


def _judge(reader: PageReader, page_url: str, thing_url: str) -> Evidence:
    evidence = Evidence(title=plain_text(reader.title, TITLE_LETTERS_MAX).replace("\n", " "))
    base = _resolve(page_url, _first(reader, "base", "href")) or page_url
    ours = {without_fragment(url) for url in (thing_url, page_url)}
    canonical = _canonical_link(reader, base)
    if canonical and is_same_site(canonical, page_url):
        ours.add(without_fragment(canonical))
    has_script, default_user = _our_script(reader, base)
    for tag, attributes in reader.elements:
        rels = set(attributes.get("rel", "").lower().split())
        if tag in ("a", "link") and not rels & STRANGERS_RELS:
            how = PAYMENT if "payment" in rels else BUTTON
            if tag == "a" or "payment" in rels:
                _note_address(evidence, _resolve(base, attributes.get("href", "")), ours, how)
        if tag == "meta" and attributes.get("name", "").lower() == "flattr:id":
            evidence.how_by_flattr_id.setdefault(attributes.get("content", "").lower(), META)
        if not has_script:
            continue
        if tag == "flattr-button" and _is_ours(attributes.get("url", ""), base, ours):
            _note(evidence.how_by_username, attributes.get("user", ""), BUTTON)
        if tag == "a" and "flattrbutton" in attributes.get("class", "").lower():
            told = _old_markup(attributes)
            if _is_ours(told.get("url") or attributes.get("href", ""), base, ours):
                user = told.get("uid") or told.get("owner") or default_user
                _note(evidence.how_by_username, user, BUTTON)
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
    named = next((parameters[name] for name in USERNAME_PARAMETERS if name in parameters), "")
    _note(evidence.how_by_username, named, how)
    if not named:
        _note(evidence.how_by_flattr_id, parameters.get("fid", "").lower(), how)


def _note(how_by_name: dict[str, str], name: str, how: str) -> None:
    if name.strip():
        how_by_name.setdefault(name.strip(), how)


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


def _our_script(reader: PageReader, base: str) -> tuple[bool, str]:
    """Say whether the page loads a script of this instance, and the user it names for all.

    Without it, a custom element may be a button of another instance, with other users.
    """
    for tag, attributes in reader.elements:
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


def _canonical_link(reader: PageReader, base: str) -> str:
    links = (
        attributes.get("href", "")
        for tag, attributes in reader.elements
        if tag == "link" and "canonical" in attributes.get("rel", "").lower().split()
    )
    try:
        return canonical_url(_resolve(base, next(links, "")))
    except UrlRefused:
        return ""


def _first(reader: PageReader, tag: str, name: str) -> str:
    found: Iterable[str] = (
        attributes[name]
        for tag_, attributes in reader.elements
        if tag_ == tag and name in attributes
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
