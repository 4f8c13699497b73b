"""Badges, scripts, frames and images: cacheable, the same for everybody, without any cookie."""

import hashlib
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from buttons.canonical import UrlRefused, canonical_url
from buttons.embed.badge import BADGES_MAX, READERS, Look, Shown, counts_at, draw_badge, kept_at
from buttons.embed.frames import draw_frame, frame_policy
from buttons.embed.qr import CONTENT_TYPES, draw_qr
from buttons.embed.script import ART, button_script, button_scripts, script
from buttons.models import Thing

IMAGES = ART / "images"

View = Callable[..., HttpResponse]

BADGE_CACHE = "public, max-age=60, stale-while-revalidate=600"
SCRIPT_CACHE = "public, max-age=3600, stale-while-revalidate=86400"
# A drawing needs the style that it carries to be dark where the reader's screen is.
DRAWING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
IMAGE_CACHE = "public, max-age=604800, stale-while-revalidate=2592000"
QR_CACHE = "public, max-age=86400, stale-while-revalidate=604800"
VERSION_CACHE = "public, max-age=31536000, immutable"


def loaded_by_other_sites(view: View) -> View:
    """Let any page load the answer, and answer 304 to a browser that has it already."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Access-Control-Allow-Origin"] = "*"
        response["Cross-Origin-Resource-Policy"] = "cross-origin"
        if response.status_code != 200:
            return response
        etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
        response["ETag"] = etag
        return get_conditional_response(request, etag=etag, response=response) or response

    return answer


@require_safe
@loaded_by_other_sites
def badge(request: HttpRequest) -> HttpResponse:
    """Draw the badge of each page that is named, all in one picture.

    An address that cannot be a thing gets a badge without a count, and alone the status 400.
    """
    urls = [_canonical(url) for url in request.GET.getlist("url")[:BADGES_MAX] or [""]]
    named = [url for url in urls if url]
    words = {name: request.GET.get(name, "") for name in ("layout", "size", "theme", "lang")}
    look = Look.of(**words)
    counts: Mapping[str, Shown]
    counts = kept_at(named) if look.layout == READERS else counts_at(named, _seen(request))
    drawing = draw_badge(look, *[counts.get(url) for url in urls])
    response = HttpResponse(
        drawing, content_type="image/svg+xml; charset=utf-8", status=200 if named else 400
    )
    response["Cache-Control"] = BADGE_CACHE
    response["Content-Security-Policy"] = DRAWING_POLICY
    return response


@require_safe
@loaded_by_other_sites
def button_js(request: HttpRequest, version: str = "") -> HttpResponse:
    """Serve the script; the address that names its version may be kept for ever."""
    code = button_script(settings.BASE_URL)
    if version:
        if version not in button_scripts(settings.BASE_URL):
            return redirect("buttons:button-js")
        code = button_scripts(settings.BASE_URL)[version]
    response = HttpResponse(code, content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = VERSION_CACHE if version else SCRIPT_CACHE
    return response


@require_safe
@loaded_by_other_sites
def load_js(request: HttpRequest) -> HttpResponse:
    """Serve the loader of pages made for Flattr; it reads the parameters of its own address."""
    code = script("load.js", settings.BASE_URL)
    response = HttpResponse(code, content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = SCRIPT_CACHE
    return response


@require_safe
@loaded_by_other_sites
def frame(request: HttpRequest, *, is_popout: bool) -> HttpResponse:
    """Show a button inside a foreign page, which may be one that isolates itself (COEP)."""
    page = draw_frame(request.GET.dict(), _seen(request), is_popout=is_popout)
    response = HttpResponse(page)
    response.xframe_options_exempt = True
    response["Cache-Control"] = BADGE_CACHE
    response["Content-Security-Policy"] = frame_policy()
    response["Cross-Origin-Embedder-Policy"] = "require-corp"
    # A window that a press opens is this site's own, and tells the frame about its count.
    response["Cross-Origin-Opener-Policy"] = "unsafe-none"
    return response


@require_safe
@loaded_by_other_sites
def image(request: HttpRequest, name: str) -> HttpResponse:
    """Serve a badge without a count, as READMEs carry it: ours, in the size of the original."""
    response = HttpResponse((IMAGES / f"{name}.png").read_bytes(), content_type="image/png")
    response["Cache-Control"] = IMAGE_CACHE
    return response


@require_safe
@loaded_by_other_sites
def qr(request: HttpRequest, thing_id: str, kind: str = "svg") -> HttpResponse:
    """Draw the button of a thing for paper."""
    thing = get_object_or_404(Thing, pk=thing_id)
    response = HttpResponse(draw_qr(thing, kind), content_type=CONTENT_TYPES[kind])
    response["Cache-Control"] = QR_CACHE
    response["Content-Security-Policy"] = DRAWING_POLICY
    return response


def _seen(request: HttpRequest) -> int:
    seen = request.GET.get("seen", "")
    return int(seen) if seen.isdecimal() and len(seen) < 10 else 0


def _canonical(url: str) -> str:
    try:
        return canonical_url(url)
    except UrlRefused:
        return ""
