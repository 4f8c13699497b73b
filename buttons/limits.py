"""How often a patron may press in a minute, counted in the database that records the press.

A visit to Redis took a tenth of a press. So `buttons_record_usual` counts what it records, and
what it leaves to the rules is counted here, in the same row: nobody has two limits, and the one
holds while Redis is down. Who is not signed in has no row, and is counted by address, in Redis.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from accounts.rate_limits import rate_limited, too_many

View = Callable[..., HttpResponse]

# `buttons_record_usual` knows it too, and the minute.
PRESSES_A_MINUTE = 60
# A minute begins with its first press. Returns the presses in it, and its seconds that are left.
COUNT = """
INSERT INTO buttons_presscount AS c (patron_id, began_at, presses)
VALUES (%s, statement_timestamp(), 1)
ON CONFLICT (patron_id) DO UPDATE SET (began_at, presses) = (
    SELECT CASE WHEN goes_on THEN c.began_at ELSE excluded.began_at END,
        CASE WHEN goes_on THEN c.presses + 1 ELSE 1 END
    FROM (SELECT c.began_at > excluded.began_at - interval '1 minute' AS goes_on) AS minute
)
RETURNING presses,
    ceil(extract(epoch FROM began_at + interval '1 minute' - statement_timestamp()))::integer
"""


def presses_limited(view: View) -> View:
    """Limit what records, takes back and repeats flattrs, all of it together; for POST only."""
    by_address = rate_limited("flattr", f"{PRESSES_A_MINUTE}/m", key="ip")(view)

    @wraps(view)
    def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not isinstance(request.user, User):
            return by_address(request, *args, **kwargs)
        presses, seconds_left = count_press(request.user)
        if presses > PRESSES_A_MINUTE:
            return too_many(request, wait_seconds=max(seconds_left, 1))
        return view(request, *args, **kwargs)

    return limited


def count_press(patron: User) -> tuple[int, int]:
    """Count one more; return how many there are this minute, and how many seconds it lasts yet."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [patron.pk])
        presses, seconds_left = cursor.fetchone()
    return presses, seconds_left
