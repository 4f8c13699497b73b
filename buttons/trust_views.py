"""One click on trusted sites: the click itself, choosing a site, and taking it back."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.rate_limits import rate_limited
from buttons.canonical import UrlRefused, origin_of
from buttons.flattrs import FlattrRefused
from buttons.limits import presses_limited
from buttons.nonces import NonceRefused, spend_nonce
from buttons.responses import opened_by_other_sites
from buttons.submissions import ContentNotSupported, read_submission
from buttons.trust import CannotTrust, NotTrusted, record_click, stop_trusting, trust_site
from buttons.window import CLICK, TRUST

NOT_OF_THE_THING = ("nonce", "csrfmiddlewaretoken")


@login_required
@require_POST
@opened_by_other_sites
@presses_limited
def click(request: HttpRequest) -> HttpResponse:
    """Record a flattr without a press; whatever is in the way leads back to the press.

    The form was shown to this session for this thing and this origin, and works once. That the
    page at this origin opened the window is what the window found out before it sent the form.
    """
    assert isinstance(request.user, User), "the view asks for a sign-in"
    try:
        submission = read_submission(request.POST)
        about = f"{CLICK} {origin_of(submission.url)} {submission.url}"
        spend_nonce(request, about, request.POST.get("nonce", ""), armed_after_ms=0)
        flattr = record_click(request.user, submission)
    except (UrlRefused, ContentNotSupported, FlattrRefused, NonceRefused, NotTrusted):
        told = {name: request.POST[name] for name in request.POST if name not in NOT_OF_THE_THING}
        address = urlencode({**told, "press": "1"})
        return redirect(f"{reverse('buttons:submit-auto')}?{address}")
    return redirect("buttons:flattred", flattr.pk)


@login_required
@require_POST
@opened_by_other_sites
@rate_limited("trust", "20/h")
def trust(request: HttpRequest, flattr_id: int) -> HttpResponse:
    """Let one click do on the site of a flattr, from now on; armed like the press itself."""
    assert isinstance(request.user, User), "the view asks for a sign-in"
    flattr = get_object_or_404(request.user.flattrs.select_related("thing"), pk=flattr_id)
    try:
        spend_nonce(request, f"{TRUST} {flattr.thing.url}", request.POST.get("nonce", ""))
        trust_site(request.user, flattr.thing)
    except (NonceRefused, CannotTrust) as refused:
        messages.error(request, refused.message)
    return redirect("buttons:flattred", flattr_id)


@login_required
@require_POST
def stop(request: HttpRequest, trusted_id: int) -> HttpResponse:
    assert isinstance(request.user, User), "the view asks for a sign-in"
    stop_trusting(request.user, trusted_id)
    return redirect("buttons:flattrs")
