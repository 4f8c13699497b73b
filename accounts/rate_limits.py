"""How often one person, or one address of the network, may ask for something.

The counts lie in Redis. While Redis is down nothing is limited and everything works: what protects
money are the ledger's own rules, not these limits.
"""

from collections.abc import Callable
from functools import wraps
from math import ceil
from typing import Any

from allauth.account.adapter import get_adapter
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_ratelimit import UNSAFE
from django_ratelimit.core import get_usage

View = Callable[..., HttpResponse]

# The limits of allauth are sliding; most are over in this time.
WAIT_SECONDS = 300


def client_ip(request: HttpRequest) -> str:
    """Return the address of the client, as allauth sees it behind the trusted proxies."""
    return str(get_adapter(request).get_client_ip(request))


def wait_text(seconds: int) -> str:
    """Return how long to wait, rounded up to what a person would say."""
    if seconds <= 60:
        return "a minute"
    if seconds <= 3_600:
        return f"{ceil(seconds / 60)} minutes"
    hours = ceil(seconds / 3_600)
    return "an hour" if hours == 1 else f"{hours} hours"


def too_many(
    request: HttpRequest, exception: Exception | None = None, wait_seconds: int = WAIT_SECONDS
) -> HttpResponse:
    """Answer 429 with a page that says when to try again; also the handler that allauth calls."""
    response = render(request, "429.html", {"wait": wait_text(wait_seconds)}, status=429)
    response["Retry-After"] = str(wait_seconds)
    return response


def person_and_path(group: str, request: HttpRequest) -> str:
    """Count what one person asks of one page, so that nobody uses up another's tries."""
    return f"{request.user.pk} {request.path}"


def rate_limited(
    group: str,
    rate: str,
    *,
    key: str | Callable[[str, HttpRequest], str] = "user_or_ip",
    method: str | list[str] | tuple[str | None, ...] = UNSAFE,
) -> Callable[[View], View]:
    """Limit a view to `rate`, such as `10/m`, for each `key`: `ip`, `user` or `user_or_ip`.

    Counts what changes something (POST); pass `method="GET"` for costly pages. Several limits on
    one view need several groups.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            usage = get_usage(
                request, group=group, key=key, rate=rate, method=method, increment=True
            )
            if usage and usage["should_limit"]:
                return too_many(request, wait_seconds=max(usage["time_left"], 1))
            return view(request, *args, **kwargs)

        return limited

    return decorate
