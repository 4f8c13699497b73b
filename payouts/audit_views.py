"""Pages of the audit that are no plain list of rows; all are for staff (`payouts/admin.py`)."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from funds.audit_admin import CappedPaginator, link
from funds.models import StripeRequest
from funds.money import format_micros
from funds.provenance import Source
from payouts import withdrawals
from payouts.audit import (
    PAYOUTS_HEADER,
    budget_sources,
    origin_of,
    payouts_of,
    shares_of,
)
from payouts.check_books import clear_checks, record_check
from payouts.forms import RefusalForm
from payouts.models import PatronStatement, Withdrawal
from payouts.spreadsheet import csv_lines, download

SHARES_PER_PAGE = 100
PK_DIGITS = 19


def _must_see(request: HttpRequest) -> User:
    """Let only those through who may see withdrawals; staff without that right may not."""
    if not request.user.has_perm("payouts.view_withdrawal"):
        raise PermissionDenied
    assert isinstance(request.user, User), "The admin asks for a signed-in user."
    return request.user


def _page(request: HttpRequest, title: str, **more: Any) -> dict[str, Any]:
    return {**admin.site.each_context(request), "title": title, **more}


@require_safe
def payouts_csv(request: HttpRequest, month: str) -> HttpResponseBase:
    """Stream a month's payouts, one line for each creator and currency."""
    _must_see(request)
    found = _month(month)
    return download(csv_lines(PAYOUTS_HEADER, payouts_of(found)), f"payouts-{month}.csv")


@require_safe
def shares(request: HttpRequest) -> HttpResponse:
    """List a month's shares: of all, of one patron, of one creator, or of both."""
    _must_see(request)
    month = _month(request.GET.get("month", ""))
    patron, creator = _user(request, "patron"), _user(request, "creator")
    rows = shares_of(month, patron, creator)
    page = CappedPaginator(rows, SHARES_PER_PAGE).get_page(request.GET.get("page"))
    statements = PatronStatement.objects.filter(
        month=month, patron__in={share.patron_id for share in page}
    )
    by_patron = dict(statements.values_list("patron_id", "pk"))
    context = _page(
        request,
        f"Shares of {month:%B %Y}",
        month=month,
        page=page,
        rows=[(share, by_patron.get(share.patron_id)) for share in page],
        patron=patron,
        creator=creator,
    )
    return render(request, "admin/payouts/shares.html", context)


@require_safe
def origin(request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
    """Show which months a withdrawal was made of; each leads on to its shares."""
    _must_see(request)
    found = get_object_or_404(Withdrawal.objects.select_related("user"), pk=withdrawal_id)
    context = _page(request, "Where it came from", withdrawal=found, parts=origin_of(found))
    return render(request, "admin/payouts/origin.html", context)


@require_POST
def approve(request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
    """Have a withdrawal in review sent."""
    user = _reviewer(request)
    return _reviewed(
        request,
        withdrawal_id,
        lambda: withdrawals.approve_withdrawal(withdrawal_id, user),
        "Approved: it is on its way.",
    )


@require_http_methods(["GET", "POST"])
def refuse(request: HttpRequest, withdrawal_id: UUID) -> HttpResponse:
    """Ask for a reason, and give the money of a withdrawal in review back."""
    user = _reviewer(request)
    found = get_object_or_404(Withdrawal.objects.select_related("user"), pk=withdrawal_id)
    form = RefusalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        return _reviewed(
            request,
            withdrawal_id,
            lambda: withdrawals.refuse_withdrawal(withdrawal_id, user, reason),
            "Refused: the money is the creator's revenue again.",
        )
    context = _page(request, "Refuse this withdrawal", withdrawal=found, form=form)
    status = 400 if form.errors else 200
    return render(request, "admin/payouts/refuse.html", context, status=status)


@require_POST
def check_now(request: HttpRequest) -> HttpResponse:
    """Check the books now, and show what was found."""
    _must_see(request)
    check = record_check()
    return redirect("admin:payouts_bookscheck_change", check.pk)


@require_POST
def clear_broken(request: HttpRequest) -> HttpResponse:
    """Let withdrawals and refunds go on, by an admin who has looked at what is broken."""
    admin_user = _must_see(request)
    if not admin_user.has_perm("payouts.change_bookscheck"):
        raise PermissionDenied
    count = clear_checks(admin_user)
    messages.success(request, f"Cleared {count} checks: withdrawals and refunds go on.")
    return redirect("admin:payouts_bookscheck_changelist")


def paid_from(statement: PatronStatement) -> SafeString | str:
    """List what a patron's month was paid from: a top-up leads to its payment."""
    rows = (
        (format_micros(source.part_micros, statement.currency), _source_link(source))
        for source in budget_sources(statement)
    )
    return format_html_join("", "<p>{} of {}</p>", rows) or "-"


def request_text(withdrawal: Withdrawal) -> str:
    """Say how far Stripe is, in its own words where it refused."""
    request = StripeRequest.objects.filter(subject_id=withdrawal.pk).first()
    if request is None:
        return "Not asked for yet"
    words = f"{request.get_state_display()}, {request.attempts} attempts"
    return f"{words}: {request.last_error}" if request.last_error else words


def _source_link(source: Source) -> SafeString:
    kind, _, subject = source.fact.partition(":")
    if kind == "top_up":
        return link("funds_topup_change", f"top-up {subject}", subject)
    return link("funds_transfer_change", source.fact, source.transfer_id)


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise Http404("No such month.") from error


def _user(request: HttpRequest, name: str) -> User | None:
    text = request.GET.get(name, "")
    is_number = text.isascii() and text.isdecimal() and len(text) < PK_DIGITS
    return get_object_or_404(User, pk=text) if is_number else None


def _reviewer(request: HttpRequest) -> User:
    """Let only those through who may decide: whoever may change withdrawals."""
    user = _must_see(request)
    if not user.has_perm("payouts.change_withdrawal"):
        raise PermissionDenied
    return user


def _reviewed(
    request: HttpRequest, withdrawal_id: UUID, decide: Callable[[], object], done: str
) -> HttpResponse:
    try:
        decide()
    except withdrawals.NotInReview:
        messages.error(request, "It does not wait for a decision any more.")
    except withdrawals.OwnWithdrawal:
        messages.error(request, "Nobody decides about their own withdrawal.")
    else:
        messages.success(request, done)
    return redirect("admin:payouts_withdrawal_change", withdrawal_id)
