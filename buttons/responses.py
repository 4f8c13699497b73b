"""Answers of the click window, which other sites open and so need headers of their own."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

View = Callable[..., HttpResponse]


def opened_by_other_sites(view: View) -> View:
    """Let the page that opened this window be told about the flattr, and nothing else.

    Elsewhere `Cross-Origin-Opener-Policy: same-origin` cuts the opener off. Framing stays
    forbidden, and what is shown to one person is kept in no cache.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cross-Origin-Opener-Policy"] = "unsafe-none"
        return response

    return never_cache(answer)
