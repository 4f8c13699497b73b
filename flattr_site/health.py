"""`/healthz`: is each part of this instance at work, answered within a few seconds."""

from datetime import timedelta

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from flattr_site.models import Heartbeat
from payouts.check_books import is_stopped, last_check_is_sound

HEARTBEAT_MAX = timedelta(minutes=2)
REDIS_SECONDS = 1


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200 when all parts are at work, else 503 with the failing ones named.

    `books` says how the last hourly check ended. Broken books are "failing" too, but answer 200: an
    instance that is taken away or started anew cannot mend them, and people may go on reading.

    `worker` is proven by its work: a process that is up but stuck writes no heartbeat. Without a
    database nobody can tell, and asking twice would only take longer.
    """
    has_database = is_database_up()
    is_ok = {
        "database": has_database,
        "redis": is_redis_up(),
        "worker": has_database and is_worker_alive(),
    }
    is_sound = are_books_sound() if has_database else None
    status = "ok" if all(is_ok.values()) and is_sound is not False else "failing"
    parts = {name: "ok" if is_up else "failing" for name, is_up in is_ok.items()}
    parts["books"] = {True: "ok", False: "failing", None: "unknown"}[is_sound]
    return JsonResponse({"status": status, **parts}, status=200 if all(is_ok.values()) else 503)


def is_database_up() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def are_books_sound() -> bool | None:
    """Return how the last check of the books ended, None where nobody knows."""
    try:
        return False if is_stopped() else last_check_is_sound()
    except DatabaseError:
        return None


def is_redis_up() -> bool:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=REDIS_SECONDS, socket_timeout=REDIS_SECONDS
    )
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def is_worker_alive() -> bool:
    """Tell whether a worker's child finished a heartbeat within the last two minutes."""
    recent = Heartbeat.objects.filter(name=Heartbeat.WORKER, beat_at__gt=Now() - HEARTBEAT_MAX)
    try:
        return recent.exists()
    except DatabaseError:
        return False
