"""The frames that pages made for Flattr carry: a badge, or a small box around it.

A frame is one answer: its style, its script and its badge are in it. It knows no visitor; the press
opens the click window, where the session is valid.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.template import Context, Engine
from django.utils.http import urlencode
from django.utils.safestring import mark_safe

from buttons.canonical import UrlRefused, canonical_url, host_of
from buttons.embed.badge import Look, counts_at, draw_badge
from buttons.embed.script import script
from buttons.submissions import TITLE_LETTERS_MAX, plain_text

# What the address of a frame may say; more is ignored.
PARAMETERS = (
    "uid",
    "owner",
    "fid",
    "user_id",
    "url",
    "title",
    "description",
    "language",
    "category",
    "tags",
    "hidden",
    "revsharekey",
)
ART = Path(__file__).parent / "art"
PAGE = Engine().from_string((ART / "frame.html").read_text())
STYLE = (ART / "frame.css").read_text().replace("\n", "")


def frame_policy() -> str:
    """Return the policy of a frame: it loads nothing, and any page may show it."""
    digest = hashlib.sha256(script("frame.js", settings.BASE_URL).encode()).digest()
    return (
        f"default-src 'none'; script-src 'sha256-{base64.b64encode(digest).decode()}'; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors *"
    )


def draw_frame(parameters: Mapping[str, str], seen: int, *, is_popout: bool) -> str:
    """Return the page of a frame; an address that cannot be a thing has no count."""
    told = {name: parameters[name] for name in PARAMETERS if parameters.get(name)}
    look = _look(parameters, is_popout=is_popout)
    try:
        url = canonical_url(told.get("url", ""))
        host, count = host_of(url), counts_at([url], seen)[url]
    except UrlRefused:
        host, count = "", None
    context = {
        "address": f"{settings.BASE_URL}/submit/auto?{urlencode(told)}",
        "is_popout": is_popout,
        "look": look,
        "lang": told.get("language", "en").replace("_", "-")[:10],
        "title": plain_text(told.get("title", ""), TITLE_LETTERS_MAX) or host,
        "host": host,
        # Drawn here, from numbers and our own files: nothing of the request is in them.
        "badge": mark_safe(draw_badge(look, count)),  # noqa: S308
        "script": mark_safe(script("frame.js", settings.BASE_URL)),  # noqa: S308
        "style": mark_safe(STYLE),  # noqa: S308
    }
    return PAGE.render(Context(context))


def _look(parameters: Mapping[str, str], *, is_popout: bool) -> Look:
    """Return the badge of a frame: large where nothing is said, as it was in every generation."""
    layout = "compact" if is_popout else parameters.get("button") or "large"
    known = layout if layout in ("compact", "flat", "icon") else "large"
    return Look.of(known, lang=parameters.get("language", ""))
