"""Keeps cookies away from what foreign pages load, and answers the same badge again at once."""

import hashlib
import re
from collections.abc import Callable

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

EMBED_PATHS = (
    "/badge.svg",
    "/button.js",
    "/button-",
    "/button/",
    "/view",
    "/js/0.",
    "/flattr-badge-",
    "/_img/",
    "/thing/qr/",
)
# Files of totals are public too; their page names who is signed in.
PUBLIC_FILES = ("/transparency/figures.json", "/transparency/months.csv", "/transparency/days.csv")


def without_cookies(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Drop the cookies of a request for what is public, before anything looks at them."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith((*EMBED_PATHS, *PUBLIC_FILES)):
            request.META.pop("HTTP_COOKIE", None)
        return get_response(request)

    return answer


BADGE_PATH = "/badge.svg"
# Redis remembers a count for the rest of the minute that a count may be old.
REMEMBERED_SECONDS = 10
TOLD = re.compile(r"[ &]seen=\d")


def remembered_badges(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Answer a badge that this process drew a moment ago, before anything else looks at it.

    A page that many people read asks for one badge again and again. The host belongs to the key, so
    that one that is not allowed is refused as everywhere; only what was drawn well is remembered.
    Who was told of a newer count is not answered from memory.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        if request.method != "GET" or request.path_info != BADGE_PATH:
            return get_response(request)
        asked = f"{request.META.get('HTTP_HOST', '')} {request.META['QUERY_STRING']}"
        if TOLD.search(asked):
            return get_response(request)
        key = hashlib.sha256(asked.encode()).hexdigest()
        remembered = caches["process"].get(key)
        if remembered is None:
            # Drawn whole, whatever the browser has, so that there is something to remember.
            condition = request.META.pop("HTTP_IF_NONE_MATCH", "")
            response = get_response(request)
            if response.status_code != 200:
                return response
            kept = (response.content, dict(response.items()))
            caches["process"].set(key, kept, REMEMBERED_SECONDS)
            if not condition:
                return response
            request.META["HTTP_IF_NONE_MATCH"] = condition
        else:
            content, headers = remembered
            response = HttpResponse(content, headers=headers)
        return get_conditional_response(request, response["ETag"], None, response) or response

    return answer
