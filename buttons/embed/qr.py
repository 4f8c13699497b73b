"""The button for paper: a QR code that leads to the same window as a badge on the web."""

from io import BytesIO

import segno
from django.conf import settings
from django.utils.http import urlencode

from buttons.models import Thing

# Beyond this a code becomes so fine that a telephone no longer reads it from a printed page.
ADDRESS_LETTERS_MAX = 300
CONTENT_TYPES = {"svg": "image/svg+xml; charset=utf-8", "png": "image/png"}
# The width of the empty border, in modules: what the standard demands.
BORDER = 4


def address_on_paper(thing: Thing) -> str:
    """Return the address of a thing's window, or of its page here where that would be too long."""
    address = f"{settings.BASE_URL}/submit/auto?{urlencode({'url': thing.url})}"
    is_short = len(address) <= ADDRESS_LETTERS_MAX
    return address if is_short else f"{settings.BASE_URL}{thing.get_absolute_url()}"


def draw_qr(thing: Thing, kind: str) -> bytes:
    """Return a QR code as SVG or PNG, dark on white, readable with an eighth of it dirty."""
    code = segno.make(address_on_paper(thing), error="m", micro=False)
    drawing = BytesIO()
    if kind == "png":
        code.save(drawing, kind="png", scale=8, border=BORDER)
    else:
        title = f"Flattr {thing.host}"
        code.save(drawing, kind="svg", scale=4, border=BORDER, light="#fff", title=title)
    return drawing.getvalue()
