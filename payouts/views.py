"""Pages of closed months: what a patron gave, and what a creator earned. Only one's own."""

from datetime import date

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts.models import User
from payouts import statements

ROWS_PER_PAGE = 50
MONTHS_PER_PAGE = 12
WAITING_SHOWN = 50
WITHDRAWALS_SHOWN = 3


@require_safe
@login_required
def patron_statements(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    months = Paginator(statements.patron_statements_of(request.user), MONTHS_PER_PAGE)
    context = {"page": months.get_page(request.GET.get("page"))}
    return render(request, "payouts/patron_statements.html", context)


@require_safe
@login_required
def patron_statement(request: HttpRequest, month: date) -> HttpResponse:
    assert isinstance(request.user, User)
    mine = statements.patron_statements_of(request.user)
    statement = get_object_or_404(mine, month=month)
    shares = Paginator(statements.shares_given(statement), ROWS_PER_PAGE)
    waiting = statements.flattrs_not_counted(statement)[:WAITING_SHOWN]
    context = {
        "statement": statement,
        "page": shares.get_page(request.GET.get("page")),
        "waiting": [(flattr, statements.why_waiting(flattr)) for flattr in waiting],
        "earlier": mine.filter(month__lt=month).first(),
        "later": mine.filter(month__gt=month).last(),
        "WAITING_MONTHS": settings.WAITING_MONTHS,
    }
    return render(request, "payouts/patron_statement.html", context)


@require_safe
@login_required
def revenue(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    months = Paginator(statements.creator_statements_of(request.user), MONTHS_PER_PAGE)
    context = {
        "balances": statements.balances_of(request.user),
        "page": months.get_page(request.GET.get("page")),
        "waiting": statements.flattrs_waiting_for(request.user),
        "withdrawals": request.user.withdrawals.order_by("-created_at")[:WITHDRAWALS_SHOWN],
    }
    return render(request, "payouts/revenue.html", context)


@require_safe
@login_required
def creator_statement(request: HttpRequest, month: date) -> HttpResponse:
    assert isinstance(request.user, User)
    mine = statements.creator_statements_of(request.user)
    of_month = list(mine.filter(month=month))
    if not of_month:
        raise Http404
    # All of them at once: counting the pages first would add up a creator's month twice.
    things = Paginator(list(statements.things_that_earned(request.user, month)), ROWS_PER_PAGE)
    page = things.get_page(request.GET.get("page"))
    page.object_list = statements.with_things(page.object_list)
    context = {
        "month": month,
        "statements": of_month,
        "page": page,
        "earlier": mine.filter(month__lt=month).first(),
        "later": mine.filter(month__gt=month).last(),
    }
    return render(request, "payouts/creator_statement.html", context)
