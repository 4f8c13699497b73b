"""Exit with 1 unless the named parts are at work: a container's health check."""

import http.client
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from flattr_site.health import is_database_up, is_redis_up, is_worker_alive

WEB_PORT = 8000
WEB_SECONDS = 5


def is_web_up() -> bool:
    """Tell whether the server of this container answers, whatever it says of the other parts."""
    connection = http.client.HTTPConnection("127.0.0.1", WEB_PORT, timeout=WEB_SECONDS)
    try:
        connection.request("GET", "/healthz", headers={"Host": urlsplit(settings.BASE_URL).netloc})
        return connection.getresponse().status in (200, 503)
    except OSError:
        return False
    finally:
        connection.close()


PARTS: dict[str, Callable[[], bool]] = {
    "web": is_web_up,
    "database": is_database_up,
    "redis": is_redis_up,
    "worker": is_worker_alive,
}


class Command(BaseCommand):
    help = "Exit with 1 unless the named parts of this instance are at work."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("parts", nargs="+", choices=PARTS)

    def handle(self, *args: Any, **options: Any) -> None:
        failing = [name for name in options["parts"] if not PARTS[name]()]
        if failing:
            raise CommandError(f"failing: {', '.join(failing)}")
        self.stdout.write("ok")
