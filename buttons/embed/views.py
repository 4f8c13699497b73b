"""Badges and the button's script: cacheable, the same for everybody, without cookie or session."""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from buttons.canonical import UrlRefused, canonical_url
from buttons.embed.badge import count_at, draw_badge
from buttons.embed.script import button_script, version_of

View = Callable[..., HttpResponse]

BADGE_CACHE = "public, max-age=60, stale-while-revalidate=600"
SCRIPT_CACHE = "public, max-age=3600, stale-while-revalidate=86400"
# A drawing needs the style that it carries to be dark where the reader's screen is.
DRAWING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
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
    """Draw the badge of one page; an address that cannot be a thing gets one without a count."""
    seen = request.GET.get("seen", "")
    count, status = None, 200
    try:
        url = canonical_url(request.GET.get("url", ""))
        count = count_at(url, int(seen) if seen.isdecimal() and len(seen) < 10 else 0)
    except UrlRefused:
        status = 400
    drawing = draw_badge(request.GET.get("layout", ""), count)
    response = HttpResponse(drawing, content_type="image/svg+xml; charset=utf-8", status=status)
    response["Cache-Control"] = BADGE_CACHE
    response["Content-Security-Policy"] = DRAWING_POLICY
    return response


@require_safe
@loaded_by_other_sites
def button_js(request: HttpRequest, version: str = "") -> HttpResponse:
    """Serve the script; the address that names its version may be kept for ever."""
    if version and version != version_of(settings.BASE_URL):
        return redirect("buttons:button-js")
    script = button_script(settings.BASE_URL)
    response = HttpResponse(script, content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = VERSION_CACHE if version else SCRIPT_CACHE
    return response
