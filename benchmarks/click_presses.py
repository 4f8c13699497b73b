"""Sign in the patrons of a benchmark, and show each of them a window: `benchmarks.click_presses`.

A process of its own, in the environment of the database that is being measured. Cookies, tokens and
nonces are those of the site, made without a request for each.
"""

import argparse
import json
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402 - After setup.
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402
from buttons.models import Thing  # noqa: E402
from buttons.nonces import issue_nonce  # noqa: E402

CSRF = "c" * 32


def signed_in(patron: User) -> SessionStore:
    session = SessionStore()
    session.create()
    session[SESSION_KEY] = str(patron.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = patron.get_session_auth_hash()
    session.save()
    return session


def presses_of(count: int, things: int) -> list[dict[str, str]]:
    patrons = User.objects.filter(monthly_budget__isnull=False).order_by("pk")[:count]
    urls = list(Thing.objects.order_by("pk").values_list("url", flat=True)[:things])
    found = []
    for place, patron in enumerate(patrons):
        request = RequestFactory().get("/")
        request.session = signed_in(patron)
        request.META["CSRF_COOKIE"] = CSRF
        url = urls[place % len(urls)]
        found.append(
            {
                "url": url,
                "cookie": f"{settings.SESSION_COOKIE_NAME}={request.session.session_key}; "
                f"{settings.CSRF_COOKIE_NAME}={CSRF}",
                "csrf": CSRF,
                "nonce": issue_nonce(request, url),
            }
        )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.click_presses", description=__doc__)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--things", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    options = parser.parse_args()
    begun = timezone.now()
    options.file.write_text(json.dumps(presses_of(options.count, options.things)))
    # The forms are old enough to be armed once this has ended.
    assert (timezone.now() - begun).total_seconds() > 0.6
