"""What can be wrong only in production: `manage.py check --deploy` says it, with a hint."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

REVENUE_HOLD_DAYS_ADVISED = 30


def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what would hurt an instance that takes real money."""
    return [*_stripe(), *_address(), *_database(), *_rules()]


def _stripe() -> Iterator[CheckMessage]:
    if not settings.STRIPE_SECRET_KEY:
        yield Error(
            "No money can be added or withdrawn: STRIPE_SECRET_KEY is not set.",
            hint="Copy it from the Stripe dashboard, Developers, API keys.",
            id="flattr.E001",
        )
    for name in ("STRIPE_WEBHOOK_SECRET", "STRIPE_CONNECT_WEBHOOK_SECRET"):
        if not getattr(settings, name):
            yield Error(
                f"Payments would never be credited: {name} is not set.",
                hint="Create the two webhook endpoints of docs/hosting.md and copy their secrets.",
                id="flattr.E002",
            )
    if settings.STRIPE_SECRET_KEY.startswith(("sk_test_", "rk_test_")):
        yield Warning(
            "STRIPE_SECRET_KEY is a test key: nobody is charged and nobody is paid.",
            hint="Use the live key once the instance is open.",
            id="flattr.W001",
        )


def _address() -> Iterator[CheckMessage]:
    if not settings.IS_HTTPS:
        yield Error(
            "BASE_URL is not https: sessions would travel in the clear.",
            hint="Put a TLS proxy in front, as docker-compose.yml does, and set BASE_URL to it.",
            id="flattr.E003",
        )


def _database() -> Iterator[CheckMessage]:
    if settings.DATABASE_OWNER["USER"] == settings.DATABASE_APP_ROLE:
        yield Warning(
            "The site connects as the owner of its tables, and could change the ledger.",
            hint="Give DATABASE_URL a role that owns nothing and DATABASE_OWNER_URL the owner.",
            id="flattr.W002",
        )


def _rules() -> Iterator[CheckMessage]:
    if settings.REVENUE_HOLD_DAYS == 0:
        yield Warning(
            "Revenue can be withdrawn before a disputed card payment becomes known.",
            hint=f"Set REVENUE_HOLD_DAYS={REVENUE_HOLD_DAYS_ADVISED} on a public instance.",
            id="flattr.W003",
        )
