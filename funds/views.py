"""Pages of the funds: statement, adding money, the monthly budget, and what Stripe posts here."""

import logging
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from accounts.next_pages import safe_next
from accounts.rate_limits import rate_limited, too_many
from funds import webhooks
from funds.budgets import (
    budget_micros,
    is_revenue_needed,
    is_revenue_reused,
    reuse_revenue,
    set_budget,
)
from funds.forms import AmountForm, BudgetForm, FirstForm, TopUpForm
from funds.ledger import account_of
from funds.models import LedgerAccount, TopUp
from funds.money import cents_floor, format_micros
from funds.returns import NothingToReturn, refund_top_up, returnable_micros
from funds.statement import LINES_PER_PAGE, StatementLines
from funds.stripe_gateway import BadSignature, StripeRefused, StripeUnreachable
from funds.top_ups import (
    FundsFull,
    TooManyTopUps,
    TopUpMismatch,
    checkout_url,
    close_checkout,
    has_begun,
    room_micros,
    start_top_up,
)

logger = logging.getLogger(__name__)

WEBHOOK_BYTES_MAX = 1_000_000
TOO_MANY_SECONDS = 3_600
UNREACHABLE = "Our payment partner cannot be reached right now. Nothing was charged. Please try again in a few minutes."  # noqa: E501


def user_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User), "The view asks for a signed-in user."
    return request.user


@login_required
@require_GET
def statement(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    account = account_of(LedgerAccount.Code.FUNDS, currency=user.currency, user=user)
    lines = Paginator(StatementLines(account), LINES_PER_PAGE)  # type: ignore[arg-type, var-annotated]
    context = {
        "page": lines.get_page(request.GET.get("page")),
        "account": account,
        "budget_micros": budget_micros(user),
        "funds_max_micros": settings.FUNDS_MAX_MICROS,
        "top_ups": user.top_ups.order_by("-created_at")[:5],
    }
    return render(request, "funds/statement.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    # What was sent says which form it was: a budget may have been set since it was shown.
    is_first = "months" in request.POST if request.POST else not has_begun(user)
    form: AmountForm = (
        FirstForm(user, budget_micros(user), request.POST or None)
        if is_first
        else TopUpForm(user, request.POST or None, initial={"amount": "1000"})
    )
    is_valid = request.method == "POST" and form.is_valid()
    if is_valid and (answer := _start(request, form, is_first)):
        return answer
    return render_form(request, form, is_first, status=400 if form.errors else 200)


def _start(request: HttpRequest, form: AmountForm, is_first: bool) -> HttpResponse | None:
    """Start the payment, set a first-timer's budget, and lead to Stripe; None shows the form."""
    user = user_of(request)
    amount_micros = form.cleaned_data["payment_micros" if is_first else "amount_micros"]
    try:
        top_up = start_top_up(user, amount_micros, safe_next(request))
    except TooManyTopUps:
        return too_many(request, wait_seconds=TOO_MANY_SECONDS)
    except FundsFull as full:
        room = format_micros(full.room_micros, user.currency)
        form.add_error(None, f"There is room for {room} more. Nothing was charged.")
    except StripeUnreachable:
        logger.warning("A top-up of %s could not be started", user.pk)
        form.add_error(None, UNREACHABLE)
        return render_form(request, form, is_first, status=503)
    except StripeRefused as refusal:
        form.add_error(None, f"The payment could not be started: {refusal.message}")
    else:
        if is_first:
            set_budget(user, form.cleaned_data["amount_micros"])
        return redirect(checkout_url(top_up) or top_up_page(top_up))
    return None


def render_form(
    request: HttpRequest, form: AmountForm, is_first: bool, status: int
) -> HttpResponse:
    context = {
        "form": form,
        "is_first": is_first,
        "next": safe_next(request),
        "room_micros": room_micros(user_of(request), (TopUp.State.PROCESSING,)),
        "top_up_min_micros": settings.TOP_UP_MIN_MICROS,
    }
    return render(request, "funds/add.html", context, status=status)


def top_up_page(top_up: TopUp) -> str:
    return top_up.get_absolute_url()


@login_required
@require_http_methods(["GET", "POST"])
def budget(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    current = budget_micros(user)
    initial = {"amount": str(cents_floor(current))}
    form = BudgetForm(user, current, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        saved = set_budget(user, form.cleaned_data["amount_micros"])
        amount = format_micros(saved.amount_micros, user.currency)
        done = f"You give {amount} a month." if saved.amount_micros else "Giving is paused."
        messages.success(request, done)
        return redirect(safe_next(request) or "funds:statement")
    context = {
        "form": form,
        "current_micros": current,
        "next": safe_next(request),
        "is_revenue_needed": is_revenue_needed(user),
        "is_revenue_reused": is_revenue_reused(user),
    }
    return render(request, "funds/budget.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def reuse(request: HttpRequest) -> HttpResponse:
    """Keep a creator's choice whether revenue fills up the smallest budget."""
    is_reused = request.POST.get("is_reused") == "1"
    reuse_revenue(user_of(request), is_reused=is_reused)
    kept = "Revenue fills up your budget." if is_reused else "Your revenue stays untouched."
    messages.success(request, kept)
    return redirect("funds:budget")


@login_required
@never_cache
@require_GET
def top_up(request: HttpRequest, top_up_id: UUID) -> HttpResponse:
    """Show how a payment stands; it refreshes itself while Stripe's word is awaited."""
    found = get_object_or_404(user_of(request).top_ups, pk=top_up_id)
    is_open = found.state in (TopUp.State.STARTED, TopUp.State.PROCESSING)
    back = request.GET.get("back")
    context = {
        "top_up": found,
        "is_waiting": is_open and (back == "paid" or found.state == TopUp.State.PROCESSING),
        "checkout_url": checkout_url(found),
        "returnable_micros": returnable_micros(found),
        "returns": found.returns.order_by("-created_at"),
    }
    return render(request, "funds/top_up.html", context)


@login_required
@require_POST
@rate_limited("close-top-up", "10/m")
def close_top_up(request: HttpRequest, top_up_id: UUID) -> HttpResponse:
    found = get_object_or_404(user_of(request).top_ups, pk=top_up_id)
    try:
        close_checkout(found)
    except StripeUnreachable:
        messages.error(request, UNREACHABLE)
    except (StripeRefused, TopUpMismatch):
        logger.exception("%s could not be closed", found)
        messages.error(request, "This payment could not be closed. We can see why, and will look.")
    return redirect(top_up_page(found))


@login_required
@require_POST
def return_top_up(request: HttpRequest, top_up_id: UUID) -> HttpResponse:
    found = get_object_or_404(user_of(request).top_ups, pk=top_up_id)
    try:
        returned = refund_top_up(found)
    except NothingToReturn:
        messages.error(request, "Nothing of this payment can be returned any more.")
    else:
        amount = format_micros(returned.amount_micros, found.currency)
        messages.success(request, f"{amount} goes back to where it came from.")
    return redirect(top_up_page(found))


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, endpoint: str) -> HttpResponse:
    """Store what Stripe posts and answer at once; a worker applies it."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > WEBHOOK_BYTES_MAX:
        return HttpResponse("The body is too large.", status=413, content_type="text/plain")
    signature = request.headers.get("Stripe-Signature", "")
    try:
        webhooks.store_event(request.body, signature, webhooks.secret_of(endpoint))
    except BadSignature as error:
        logger.warning("Webhook refused: %s", error)
        return HttpResponse("The signature is not valid.", status=400, content_type="text/plain")
    except webhooks.WrongMode as error:
        logger.error("Webhook of the other mode: %s", error)
        return HttpResponse("Wrong mode.", status=400, content_type="text/plain")
    return HttpResponse("Stored.", content_type="text/plain")
