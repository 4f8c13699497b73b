"""Flattring a thing every month: asked for in the click window, listed and ended on its page."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.next_pages import safe_next
from buttons.flattrs import OwnThing
from buttons.limits import presses_limited
from buttons.models import Flattr, Subscription
from buttons.months import current_month
from buttons.nonces import NonceRefused, issue_nonce, spend_nonce
from buttons.presses import missing_of
from buttons.responses import opened_by_other_sites
from buttons.submissions import ContentNotSupported
from buttons.subscriptions import (
    MONTHS,
    cancel_subscription,
    choices_of,
    listed_subscriptions,
    subscribe,
    subscription_of,
)
from buttons.window import SUBSCRIBE

STANDING = (Flattr.State.MADE, Flattr.State.WAITING)


@dataclass(frozen=True)
class EveryMonth:
    """What the window says about flattring a thing every month: that it is so, or the offer."""

    subscription: Subscription | None
    form: forms.Form | None
    nonce: str


class SubscribeForm(forms.Form):
    months = forms.ChoiceField(required=False, initial=str(MONTHS[0]))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["months"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices_of(current_month())

    def months_wanted(self) -> int | None:
        return int(self.cleaned_data["months"]) if self.cleaned_data["months"] else None


def every_month(request: HttpRequest, flattr: Flattr) -> EveryMonth:
    """Offer to flattr this every month beside a flattr that stands, unless it is so already."""
    subscription = subscription_of(flattr.patron, flattr.thing)
    if subscription or flattr.state not in STANDING:
        return EveryMonth(subscription, None, "")
    return EveryMonth(None, SubscribeForm(), issue_nonce(request, _about(flattr)))


@login_required
@require_POST
@opened_by_other_sites
@presses_limited
def begin(request: HttpRequest, flattr_id: int) -> HttpResponse:
    """Flattr the thing of a flattr every month; the form is armed like the press itself."""
    assert isinstance(request.user, User), "the view asks for a sign-in"
    flattr = get_object_or_404(request.user.flattrs.select_related("thing"), pk=flattr_id)
    form = SubscribeForm(request.POST)
    try:
        spend_nonce(request, _about(flattr), request.POST.get("nonce", ""))
        if form.is_valid():
            subscribe(request.user, flattr.thing, form.months_wanted())
        else:
            messages.error(request, "Choose for how long.")
    except (NonceRefused, OwnThing) as refused:
        messages.error(request, refused.message)
    except ContentNotSupported:
        messages.error(request, "Nobody can receive what this would earn any more.")
    return redirect("buttons:flattred", flattr_id)


@login_required
@require_POST
@opened_by_other_sites
@presses_limited
def cancel(request: HttpRequest, subscription_id: int) -> HttpResponse:
    assert isinstance(request.user, User), "the view asks for a sign-in"
    try:
        cancelled = cancel_subscription(request.user, subscription_id)
    except Subscription.DoesNotExist as error:
        raise Http404 from error
    messages.success(request, f"{cancelled.thing} is not flattred every month any more.")
    return redirect(safe_next(request) or "buttons:subscriptions")


@login_required
@require_safe
def subscriptions(request: HttpRequest) -> HttpResponse:
    """Show what a patron flattrs every month, and what each of it does next."""
    assert isinstance(request.user, User), "the view asks for a sign-in"
    context = {
        "subscriptions": listed_subscriptions(request.user),
        "missing": missing_of(request.user),
        "month": current_month(),
        "tabs": flattr_tabs(),
    }
    return render(request, "buttons/subscriptions.html", context)


def flattr_tabs() -> list[tuple[str, str]]:
    """Return the pages about one's flattrs."""
    return [
        (reverse("buttons:flattrs"), "This month"),
        (reverse("buttons:subscriptions"), "Every month"),
    ]


def _about(flattr: Flattr) -> str:
    return f"{SUBSCRIBE} {flattr.thing.url}"
