"""What people paste into their pages, filled in for a person, a page and a look."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.html import escape
from django.utils.http import urlencode

from accounts.models import User
from buttons.canonical import UrlRefused, canonical_url
from buttons.embed.badge import SIZES, THEMES, Look
from buttons.embed.script import checksum_of, version_of
from buttons.platforms import Platform, Snippet

NAME_PLACEHOLDER = "your-name"
ID_PLACEHOLDER = "abc123"
URL_PLACEHOLDER = "https://your-site.example/this-page"

LAYOUTS = tuple(SIZES)

MARKER = re.compile(r"@([A-Z]+(?:_[A-Z]+)?)")


@dataclass(frozen=True)
class Wish:
    """What a person asks the page of snippets for; `refused` says why an address cannot be."""

    person: User | None
    url: str = ""
    refused: str = ""
    layout: str = "flat"
    theme: str = ""

    @classmethod
    def of(cls, person: User | None, parameters: Mapping[str, str]) -> "Wish":
        """Read the form. Nonsense for a look is the usual one, as it is for badges."""
        layout, theme = parameters.get("layout", ""), parameters.get("theme", "")
        url, refused = parameters.get("url", "").strip(), ""
        try:
            shown = canonical_url(url) if url else ""
        except UrlRefused as error:
            shown, refused = url, str(error)
        return cls(
            person=person,
            url=shown,
            refused=refused,
            layout=layout if layout in SIZES else "flat",
            theme=theme if theme in THEMES else "",
        )

    @property
    def page(self) -> str:
        return URL_PLACEHOLDER if self.refused or not self.url else self.url

    @property
    def look(self) -> str:
        """Name the look in the words that badges and buttons know; nothing for the usual one."""
        words = [self.layout, self.theme]
        return "" if words == ["flat", ""] else " ".join(word for word in words if word)

    @property
    def size(self) -> tuple[str, str]:
        return Look.of(self.layout, theme=self.theme).shown_size

    @property
    def submit(self) -> str:
        return f"{self.submit_start}{self.query}"

    @property
    def submit_start(self) -> str:
        """Return the window's address up to the page's own, which comes last."""
        name = self.person.username if self.person else NAME_PLACEHOLDER
        return f"{settings.BASE_URL}/submit/auto?{urlencode({'user_id': name})}&url="

    @property
    def badge_start(self) -> str:
        look = f"{urlencode({'layout': self.look})}&" if self.look else ""
        return f"{settings.BASE_URL}/badge.svg?{look}url="

    @property
    def badge(self) -> str:
        return f"{self.badge_start}{self.query}"

    @property
    def query(self) -> str:
        return urlencode({"": self.page})[1:]


def snippets_of(platform: Platform, wish: Wish) -> list[Snippet]:
    """Return what to paste on a platform, ready to paste."""
    told = _told(wish)
    return [
        replace(snippet, code=MARKER.sub(lambda marker: told[marker[1]], snippet.code))
        for snippet in platform.snippets
    ]


def payment_line(wish: Wish) -> str:
    """Return the line for the head of a page that proves whose it is, and shows nothing."""
    return f'<link rel="payment" href="{escape(wish.submit)}">'


def _told(wish: Wish) -> dict[str, str]:
    """Return what each marker stands for."""
    base, person = settings.BASE_URL, wish.person
    page = urlsplit(wish.page)
    width, height = wish.size
    return {
        "BASE": base,
        "USER": person.username if person else NAME_PLACEHOLDER,
        "ID": person.flattr_id if person else ID_PLACEHOLDER,
        "ADDRESS": escape(wish.page),
        "ORIGIN": f"{page.scheme}://{page.netloc}",
        "QUERY": wish.query,
        "SUBMIT": escape(wish.submit_start),
        "BADGE": escape(wish.badge_start),
        "TEXT_SUBMIT": wish.submit_start,
        "TEXT_BADGE": wish.badge_start,
        "SIZE": f'width="{width}" height="{height}"',
        "LAYOUT": f' layout="{wish.look}"' if wish.look else "",
        "VERSION": version_of(base),
        "CHECKSUM": checksum_of(base),
    }
