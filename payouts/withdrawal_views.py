"""Pages of money that goes out: onboarding at Stripe, a withdrawal, and all of them."""

import time
from typing import Any
from uuid import UUID

from allauth.account import app_settings
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.login import get_authentication_records
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.rate_limits import View, rate_limited, too_many
from funds.ledger import InsufficientFunds
from funds.models import LedgerAccount
from funds.stripe_gateway import StripeRefused, StripeUnreachable
from payouts import connect, withdrawals
from payouts.forms import WithdrawalForm
from payouts.models import Withdrawal

ROWS_PER_PAGE = 25
HOUR_SECONDS = 3_600
CONFLICTS = {
    InsufficientFunds: "Not enough is left: something else was withdrawn or given meanwhile.",
    withdrawals.NotOnboarded: "Stripe does not send money to your account yet.",
    withdrawals.WithdrawalConflict: "This form was used before. Please look at your withdrawals.",
}


def is_sign_in_old(request: HttpRequest) -> bool:
    """Say whether the password was last entered in this session longer ago than is recent.

    A sign-in counts as much as being asked again; allauth's own check counts only the latter.
    """
    records = get_authentication_records(request, request.user)
    latest = max((record["at"] for record in records), default=0)
    return bool(time.time() - latest > app_settings.REAUTHENTICATION_TIMEOUT)


# Money leaves, and where it goes is decided: a session left open in a library must not be enough.
def recently_signed_in(view: View) -> View:
    asked: View = reauthentication_required(view, enabled=is_sign_in_old)
    return asked


def user_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User), "The view asks for a signed-in user."
    return request.user


@login_required
@recently_signed_in
@never_cache
@rate_limited("withdraw", "20/h", key="user")
@require_http_methods(["GET", "POST"])
def withdraw(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    currency = _currency(request, user)
    available_micros = withdrawals.withdrawable_micros(user, currency)
    form = WithdrawalForm(available_micros, currency, request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _request(request, form)
    return _withdraw_page(request, form, status=400 if form.errors else 200)


def _currency(request: HttpRequest, user: User) -> str:
    """Return the currency asked for, where the user earned any of it; otherwise their own."""
    wanted = request.POST.get("currency") or request.GET.get("currency") or ""
    earned = user.ledger_accounts.filter(code=LedgerAccount.Code.REVENUE)
    # Compared here, since what was typed may be text that the database does not take.
    currencies = set(earned.values_list("currency", flat=True))
    return wanted if wanted in currencies else user.currency


def _request(request: HttpRequest, form: WithdrawalForm) -> HttpResponse:
    """Ask for the withdrawal, and show it; or say what stands in its way."""
    user, data = user_of(request), form.cleaned_data
    try:
        made = withdrawals.request_withdrawal(user, data["amount"], form.currency, data["token"])
    except withdrawals.TooManyWithdrawals:
        return too_many(request, wait_seconds=HOUR_SECONDS)
    except tuple(CONFLICTS) as error:
        form.add_error(None, CONFLICTS[type(error)])
        return _withdraw_page(request, form, status=409)
    return redirect("payouts:withdrawal", made.pk)


def _withdraw_page(request: HttpRequest, form: WithdrawalForm, status: int) -> HttpResponse:
    user = user_of(request)
    context: dict[str, Any] = {
        "form": form,
        "account": connect.connected_account_of(user),
        "currency": form.currency,
        "available_micros": form.available_micros,
        "latest": user.withdrawals.order_by("-created_at")[:3],
        "needs_review": withdrawals.needs_review(user),
    }
    return render(request, "payouts/withdraw.html", context, status=status)


@login_required
@require_safe
def withdrawal_list(request: HttpRequest) -> HttpResponse:
    rows = Paginator(user_of(request).withdrawals.order_by("-created_at", "pk"), ROWS_PER_PAGE)
    page = rows.get_page(request.GET.get("page"))
    return render(request, "payouts/withdrawals.html", {"page": page})


@login_required
@never_cache
@require_safe
def withdrawal(request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
    """Show how a withdrawal stands; it refreshes itself while Stripe's word is awaited."""
    found = get_object_or_404(user_of(request).withdrawals, pk=withdrawal_id)
    context = {
        "withdrawal": found,
        "is_waiting": found.state == Withdrawal.State.SENDING,
        "returned_micros": withdrawals.returned_micros(found),
    }
    return render(request, "payouts/withdrawal.html", context)


@login_required
@recently_signed_in
@never_cache
@rate_limited("onboard", "20/h", key="user")
@require_POST
def onboard(request: HttpRequest) -> HttpResponse:
    return _to_stripe(request)


@login_required
@recently_signed_in
@never_cache
@rate_limited("onboard-refresh", "20/h", key="user", method="GET")
@require_safe
def onboard_refresh(request: HttpRequest) -> HttpResponse:
    """Lead back to Stripe by a fresh address: the last one was used or too old."""
    return _to_stripe(request)


def _to_stripe(request: HttpRequest) -> HttpResponse:
    try:
        return redirect(connect.begin_onboarding(user_of(request)))
    except connect.OnboardingUnavailable as error:
        context = {"message": str(error)}
        return render(request, "payouts/onboarding_unavailable.html", context, status=503)


@login_required
@never_cache
@rate_limited("onboard-return", "60/h", key="user", method="GET")
@require_safe
def onboard_return(request: HttpRequest) -> HttpResponse:
    """Ask Stripe how far the account is: coming back here proves nothing."""
    try:
        account = connect.refresh_account(user_of(request))
    except (StripeRefused, StripeUnreachable):
        messages.info(request, "Stripe does not answer right now. This page will know soon.")
        return redirect("payouts:withdraw")
    if account and account.is_payouts_enabled:
        messages.success(request, "Stripe is ready to pay you.")
    elif account and account.is_details_submitted:
        messages.info(request, "Stripe is checking your details. That may take a few minutes.")
    else:
        messages.info(request, "Stripe still needs something from you.")
    return redirect("payouts:withdraw")
