"""The badge: a small drawing with a count, the same for everybody who asks for one page."""

import hashlib
from pathlib import Path

from django.core.cache import cache
from django.template import Context, Engine

from buttons.flattrs import SHOWN_STATES
from buttons.models import Flattr

CACHE_SECONDS = 60
LAYOUTS = ("flat", "compact", "large")
ART = Engine().from_string((Path(__file__).parent / "art" / "badge.svg").read_text())


def draw_badge(layout: str, count: int | None) -> str:
    """Return the SVG of a badge; without a count it only says Flattr.

    Every layout has one size whatever it counts, so no page shifts when a count grows.
    """
    layout = layout if layout in LAYOUTS else LAYOUTS[0]
    counted = "" if count is None else short(count)
    label = "Flattr this" if count is None else f"Flattr this ({count:,})"
    context = {"layout": layout, "count": counted, "label": label}
    return "".join(line.strip() for line in ART.render(Context(context)).splitlines())


def short(count: int) -> str:
    """Return a count in at most four letters, rounded down: 999, 1.2k, 34k, 5.6M."""
    for unit, suffix in ((1_000_000, "M"), (1_000, "k")):
        if count >= unit:
            tenths = count * 10 // unit
            decimal = "" if tenths >= 100 else f".{tenths % 10}"
            return f"{tenths // 10}{decimal}{suffix}"
    return str(count)


def count_at(url: str, seen: int = 0) -> int:
    """Return how often the thing at a canonical URL was flattred, at most a minute old.

    One query on two indexes, or none while Redis remembers. A page that was told of a newer count
    says how much it has `seen`, and is not shown an older one.
    """
    key = f"badge:{hashlib.sha256(url.encode()).hexdigest()}"
    remembered = cache.get(key)
    if remembered is not None and remembered >= seen:
        return int(remembered)
    count = Flattr.objects.filter(thing__url=url, state__in=SHOWN_STATES).count()
    cache.set(key, count, CACHE_SECONDS)
    return count
