"""Proving a whole site: a creator starts it, pastes a line, and has it looked at."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.rate_limits import person_and_path, rate_limited
from buttons.canonical import UrlRefused
from buttons.models import Claim
from buttons.ownership import check_site, start_site
from buttons.sites import SharedHost


@login_required
@require_POST
@rate_limited("start-site", "20/h")
def start(request: HttpRequest) -> HttpResponse:
    """Give a creator the line that proves a whole site, which appears on the page of things."""
    assert isinstance(request.user, User), "the view asks for a sign-in"
    try:
        start_site(request.user, request.POST.get("address", "").strip())
    except (UrlRefused, SharedHost) as refused:
        messages.error(request, str(refused))
    return redirect("buttons:things")


@login_required
@require_POST
@rate_limited("check-site-one", "1/10s", key=person_and_path)
@rate_limited("check-claim", "6/m")
def check_now(request: HttpRequest, site_id: int) -> HttpResponse:
    """Look at the creator's site now, instead of at the next tick."""
    assert isinstance(request.user, User), "the view asks for a sign-in"
    site = check_site(get_object_or_404(request.user.sites, pk=site_id))
    tell = messages.success if site.state == Claim.State.PROVEN else messages.warning
    tell(request, f"{site.get_state_display()}. {site.how}")
    return redirect("buttons:things")
