"""Downloads of the rows behind one's own statements; somebody else's are not found."""

from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.models import User
from payouts import exports
from payouts.models import CreatorStatement
from payouts.spreadsheet import csv_lines, download, json_lines
from payouts.statements import creator_statements_of, patron_statements_of


@require_safe
@login_required
def patron_rows(request: HttpRequest, month: date, kind: str) -> HttpResponseBase:
    assert isinstance(request.user, User)
    statement = get_object_or_404(patron_statements_of(request.user), month=month)
    rows = exports.patron_rows(statement)
    if kind == "json":
        lines = json_lines(exports.facts_of_patron(statement), rows)
    else:
        lines = csv_lines(exports.PATRON_HEADER, (row.values() for row in rows))
    return download(lines, f"flattr-given-{month:%Y-%m}.{kind}")


@require_safe
@login_required
def creator_rows(request: HttpRequest, month: date, kind: str) -> HttpResponseBase:
    statements = _creator_statements(request, month)
    rows = exports.creator_rows(statements)
    if kind == "json":
        lines = json_lines(exports.facts_of_creator(statements), rows)
    else:
        lines = csv_lines(exports.CREATOR_HEADER, (row.values() for row in rows))
    return download(lines, f"flattr-earned-{month:%Y-%m}.{kind}")


@require_safe
@login_required
def revenue_csv(request: HttpRequest, month: date) -> HttpResponseBase:
    """Answer with the format of Flattr's own export, which holds one currency."""
    assert isinstance(request.user, User)
    currencies = [statement.currency for statement in _creator_statements(request, month)]
    usual = request.user.currency if request.user.currency in currencies else currencies[0]
    currency = request.GET.get("currency", usual)
    if currency not in currencies:
        raise Http404
    lines = exports.revenue_lines(request.user, month, currency)
    return download(lines, f"flattr-revenue-{month:%Y%m}.csv")


def _creator_statements(request: HttpRequest, month: date) -> list[CreatorStatement]:
    assert isinstance(request.user, User)
    statements = list(creator_statements_of(request.user).filter(month=month))
    if not statements:
        raise Http404
    return statements
