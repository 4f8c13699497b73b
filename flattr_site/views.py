"""Pages of the whole site."""

from email.utils import parseaddr

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.models import User
from flattr_site.dashboard import dashboard_of
from funds.money import MICROS_PER_CENT, cents_floor, fee_micros, format_micros

EXAMPLE_SHARE_MICROS = 50 * MICROS_PER_CENT  # EUR 6 shared among 12 clicks.


def short_amount(amount_micros: int) -> str:
    """Return an amount in the default currency, without decimals where there are none."""
    return format_micros(amount_micros, settings.DEFAULT_CURRENCY).removesuffix(".00")


def rules() -> dict[str, object]:
    """Return the rules of this instance as its pages print them."""
    fee = cents_floor(fee_micros(EXAMPLE_SHARE_MICROS, settings.FEE_BASIS_POINTS))
    return {
        "currency": settings.DEFAULT_CURRENCY,
        "example_fee_cents": fee,
        "example_net_cents": cents_floor(EXAMPLE_SHARE_MICROS) - fee,
        "budget_min": short_amount(settings.BUDGET_MIN_MICROS),
        "funds_max": short_amount(settings.FUNDS_MAX_MICROS),
        "WAITING_MONTHS": settings.WAITING_MONTHS,
        "GIVE_TO_RECEIVE": settings.GIVE_TO_RECEIVE,
        "contact_email": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
    }


def home(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("dashboard")
    return render(request, "home.html", rules())


def how_it_works(request: HttpRequest) -> HttpResponse:
    return render(request, "how_it_works.html", rules())


def privacy(request: HttpRequest) -> HttpResponse:
    return render(request, "privacy.html", rules())


@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    return render(request, "dashboard.html", {"home": dashboard_of(request.user), **rules()})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say why a form was refused; without any cookie, that is what has to change."""
    has_cookie = settings.CSRF_COOKIE_NAME in request.COOKIES
    response = render(request, "403_csrf.html", {"has_cookie": has_cookie}, status=403)
    if not has_cookie:
        # A window opened from a sandboxed frame shows no page that would cut it off.
        response["Cross-Origin-Opener-Policy"] = "unsafe-none"
    return response
