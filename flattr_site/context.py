"""What every template may show."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """Return the facts of this instance that pages and mails print."""
    return {
        "BASE_URL": settings.BASE_URL,
        "SOURCE_URL": settings.SOURCE_URL,
        "IS_SANDBOX": settings.SANDBOX,
        "FEE_PERCENT": settings.FEE_BASIS_POINTS // 100,
    }
