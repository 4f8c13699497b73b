"""Keeps cookies away from what foreign pages load, so that it is the same for everybody."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

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
