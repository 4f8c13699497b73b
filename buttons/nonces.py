"""The nonce of the click window's form: who may press, what, from when on, and once.

It is signed and not stored until it is spent, so looking at a window writes nothing.
"""

import hashlib
import secrets
import time
from datetime import timedelta

from django.core import signing
from django.db import connection
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils import timezone

from buttons.models import SpentNonce

SALT = "buttons.nonces"
ARMED_AFTER_MS = 600
GOOD_FOR_MS = 3_600_000
# Of two at once, the later waits for the transaction of the earlier.
SPEND = """
INSERT INTO buttons_spentnonce (digest, spent_at) VALUES (%s, statement_timestamp())
ON CONFLICT DO NOTHING
"""


class NonceRefused(Exception):
    message = "This form is not the one that was shown to you. Please press again."


class PressedTooSoon(NonceRefused):
    message = "That was faster than anybody reads. Please look, and press again."


class NonceSpent(NonceRefused):
    message = "This form was sent already. Please press again if you mean it."


class NonceStale(NonceRefused):
    message = "This page was open for a long time. Please press again."


def issue_nonce(request: HttpRequest, url: str) -> str:
    """Return a nonce bound to the browser's session, the thing and this moment."""
    about = [_about(request, url), _now_ms(), secrets.token_urlsafe(9)]
    return signing.dumps(about, salt=SALT)


def spend_nonce(
    request: HttpRequest, url: str, nonce: str, *, armed_after_ms: int = ARMED_AFTER_MS
) -> None:
    """Accept a nonce once, no sooner than the button was armed; or raise a NonceRefused.

    It is spent with the transaction it is spent in, and not by one that is rolled back.
    """
    digest = read_nonce(request, url, nonce, armed_after_ms=armed_after_ms)
    with connection.cursor() as cursor:
        cursor.execute(SPEND, [digest])
        if cursor.rowcount == 0:
            raise NonceSpent


def read_nonce(
    request: HttpRequest, url: str, nonce: str, *, armed_after_ms: int = ARMED_AFTER_MS
) -> bytes:
    """Return what is kept of a nonce that may be spent now, whether or not it was; or raise."""
    try:
        about, issued_ms, _ = signing.loads(nonce, salt=SALT)
    except (signing.BadSignature, ValueError) as error:
        raise NonceRefused from error
    if about != _about(request, url):
        raise NonceRefused
    age_ms = _now_ms() - issued_ms
    if age_ms < armed_after_ms:
        raise PressedTooSoon
    if age_ms > GOOD_FOR_MS:
        raise NonceStale
    return hashlib.sha256(nonce.encode()).digest()


def forget_nonces() -> int:
    """Drop the nonces whose form would be refused for its age anyway."""
    old = timezone.now() - timedelta(milliseconds=2 * GOOD_FOR_MS)
    return SpentNonce.objects.filter(spent_at__lt=old).delete()[0]


def _about(request: HttpRequest, url: str) -> str:
    """Return what a nonce is bound to; without a session, the browser's CSRF secret stands in."""
    browser = request.session.session_key
    if not browser:
        # Makes the secret where there is none yet.
        get_token(request)
        browser = request.META["CSRF_COOKIE"]
    return hashlib.sha256(f"{browser} {url}".encode()).hexdigest()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
