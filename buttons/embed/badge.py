"""The badge: a small drawing with a count, the same for everybody who asks for one page.

A page with many buttons asks for one drawing of all of them, and shows a part of it in each.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.core.cache import cache
from django.db.models import Count, F, QuerySet
from django.template import Context, Engine

from buttons.embed.middleware import REMEMBERED_SECONDS
from buttons.flattrs import SHOWN_STATES
from buttons.models import Flattr, Readers
from funds.money import format_micros_floor

ASK_AGAIN_SECONDS = 1
# With the seconds that a process remembers a whole badge, a count is at most a minute old.
CACHE_SECONDS = 60 - REMEMBERED_SECONDS
BADGES_MAX = 50
ART = Engine().from_string((Path(__file__).parent / "art" / "badge.svg").read_text())

# Width and height in the drawing's own units; an icon is drawn in the size that is asked for.
SIZES = {"flat": (110, 20), "compact": (110, 20), "large": (55, 62), "icon": (24, 24)}
ICON_SIZES = ("16", "20", "24")
# Wide, so it is for the owner to place, and none of the layouts that any button may choose.
READERS = "readers"
SHOWN_SIZES = {**SIZES, READERS: (300, 20)}
PAID_LETTERS_MAX = 13
THEMES = ("light", "dark")
RIGHT_TO_LEFT = re.compile(
    r"(?:ar|arc|ckb|dv|fa|he|iw|nqo|ps|sd|syr|ug|ur|yi)(?:[-_]|$)|[a-z]+[-_](?:arab|hebr)(?:[-_]|$)"
)


@dataclass(frozen=True)
class Look:
    """How a badge looks. Whatever a page asks for, there is a badge: nonsense is the usual one.

    The layout may carry the theme and the size of an icon as further words: `icon dark 24`.
    """

    layout: str = "flat"
    size: str = "20"
    theme: str = ""
    is_right_to_left: bool = False

    @classmethod
    def of(cls, layout: str = "", size: str = "", theme: str = "", lang: str = "") -> "Look":
        words = [*layout.split(), size, theme]
        return cls(
            layout=next((word for word in words if word in SHOWN_SIZES), "flat"),
            size=next((word for word in words if word in ICON_SIZES), "20"),
            theme=next((word for word in words if word in THEMES), ""),
            is_right_to_left=RIGHT_TO_LEFT.match(lang.strip().lower()) is not None,
        )

    @property
    def shown_size(self) -> tuple[str, str]:
        width, height = SHOWN_SIZES[self.layout]
        return (self.size, self.size) if self.layout == "icon" else (str(width), str(height))


@dataclass(frozen=True)
class Kept:
    """How many readers paid for a page, and how much, which may be nothing that is published."""

    readers: int
    paid: str = ""

    def sentence(self, readers: str) -> str:
        return f"Kept free by {readers} reader{'' if self.readers == 1 else 's'}"

    @property
    def label(self) -> str:
        paid = f", {self.paid}" if self.paid else ""
        return f"{self.sentence(f'{self.readers:,}')}{paid}"


Shown = int | Kept | None


@lru_cache(maxsize=1_024)
def draw_badge(look: Look, *counts: Shown) -> str:
    """Return the SVG of a badge for each count; without a count it only says Flattr.

    Every layout has one size whatever it counts, so no page shifts when a count grows. Of several
    badges each is shown by the fragment that is its place: `#0`, `#1`, … Most badges of an instance
    show one of a few small counts, so drawings are remembered.
    """
    width, height = SHOWN_SIZES[look.layout]
    context = {
        "layout": look.layout,
        "theme": look.theme,
        "rtl": look.is_right_to_left,
        "width": look.shown_size[0],
        "height": look.shown_size[1],
        "box": f"{width} {height}",
        "label": _label(counts),
        "rows": [
            {
                **_texts(count),
                "y": place * height,
                "is_one_of_many": len(counts) > 1,
            }
            for place, count in enumerate(counts)
        ],
    }
    return "".join(line.strip() for line in ART.render(Context(context)).splitlines())


def _label(counts: Sequence[Shown]) -> str:
    count = counts[0] if len(counts) == 1 else None
    if isinstance(count, Kept):
        return count.label
    return "Flattr this" if count is None else f"Flattr this ({count:,})"


def _texts(count: Shown) -> dict[str, str]:
    if isinstance(count, Kept):
        return {"sentence": count.sentence(short(count.readers)), "paid": count.paid}
    return {"count": "" if count is None else short(count)}


def short(count: int) -> str:
    """Return a count in at most four letters, rounded down: 999, 1.2k, 34k, 5.6M."""
    for unit, suffix in ((1_000_000, "M"), (1_000, "k")):
        if count >= unit:
            tenths = count * 10 // unit
            decimal = "" if tenths >= 100 else f".{tenths % 10}"
            return f"{tenths // 10}{decimal}{suffix}"
    return str(count)


def counts_at(urls: Sequence[str], seen: int = 0) -> dict[str, int]:
    """Return how often the things at canonical URLs were flattred, at most a minute old.

    One query on two indexes however many there are, or none while Redis remembers. A page that was
    told of a newer count says how much it has `seen`, and is not shown an older one; since anybody
    may claim to have seen more, this asks the database once in a second for each thing at most.
    """
    keys = {url: f"badge:{hashlib.sha256(url.encode()).hexdigest()}" for url in urls}
    remembered = cache.get_many(keys.values())
    counts = {
        url: int(remembered[key])
        for url, key in keys.items()
        if key in remembered and (remembered[key] >= seen or not _may_ask_again(key))
    }
    if unknown := [url for url in keys if url not in counts]:
        shown = Flattr.objects.filter(thing__url__in=unknown, state__in=SHOWN_STATES)
        found = dict(shown.values_list("thing__url").annotate(shown=Count("*")).order_by())
        fresh = {url: found.get(url, 0) for url in unknown}
        cache.set_many({keys[url]: count for url, count in fresh.items()}, CACHE_SECONDS)
        counts |= fresh
    return counts


def _may_ask_again(key: str) -> bool:
    return bool(cache.add(f"{key}:asked", 1, ASK_AGAIN_SECONDS))


def kept_at(urls: Sequence[str]) -> dict[str, Kept]:
    """Return who paid for the things at canonical URLs, where their owners show it.

    One query, or none while Redis remembers; what changes is seen a minute later.
    """
    keys = {url: f"kept:{hashlib.sha256(url.encode()).hexdigest()}" for url in urls}
    remembered = cache.get_many(keys.values())
    told: dict[str, list[tuple[int, str]]] = {
        url: remembered[key] for url, key in keys.items() if key in remembered
    }
    if unknown := [url for url in keys if url not in told]:
        fresh: dict[str, list[tuple[int, str]]] = {url: [] for url in unknown}
        for row in _shown_readers(unknown):
            is_told = row.amount_micros is not None and row.owner.publishes_income
            paid = _short_sum(row.amount_micros or 0, row.currency) if is_told else ""
            fresh[row.thing.url].append((row.readers, paid))
        cache.set_many({keys[url]: rows for url, rows in fresh.items()}, CACHE_SECONDS)
        told |= fresh
    return {url: Kept(*rows[0]) for url, rows in told.items() if rows}


def _short_sum(amount_micros: int, currency: str) -> str:
    """Return an amount that fits the badge: rounded down to cents, a large one to whole units."""
    amount = format_micros_floor(amount_micros, currency)
    return amount if len(amount) <= PAID_LETTERS_MAX else amount.partition(".")[0]


def _shown_readers(urls: Sequence[str]) -> QuerySet[Readers]:
    """Return the figures that are of the thing's owner of today, who wants them shown."""
    shown = Readers.objects.filter(
        thing__url__in=urls, thing__shows_readers=True, thing__owner=F("owner"), readers__gt=0
    )
    return shown.select_related("thing", "owner")
