"""The page of totals and its files: no sign-in, the same for everybody, kept for five minutes."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from payouts.models import DayFigures, MonthFigures
from payouts.spreadsheet import csv_lines
from payouts.transparency import DAY_HEADER, FEWEST_PEOPLE, MONTH_HEADER, day_row, month_row

CACHE_SECONDS = 300
MONTHS_PER_PAGE = 12
DAYS_SHOWN = 14
# A year and a day, in a few currencies.
DAYS_MAX = 1_000

MONTHS = MonthFigures.objects.order_by("-month", "currency")
DAYS = DayFigures.objects.order_by("-day", "currency")


@require_safe
def transparency(request: HttpRequest) -> HttpResponse:
    months = Paginator(MONTHS.all(), MONTHS_PER_PAGE).get_page(request.GET.get("page"))
    days = list(DAYS.all()[:DAYS_SHOWN])
    context = {
        "page": months,
        "months": [(row.month_id, month_row(row)) for row in months],
        "days": [(row, day_row(row)) for row in days],
        "latest": [day_row(row) | {"at": row.taken_at} for row in days if row.day == days[0].day],
        "FEWEST_PEOPLE": FEWEST_PEOPLE,
    }
    response = render(request, "payouts/transparency.html", context)
    # The head of the page names who is signed in.
    is_private = request.user.is_authenticated
    patch_cache_control(
        response, max_age=CACHE_SECONDS, **{"private" if is_private else "public": True}
    )
    return response


@require_safe
@cache_control(public=True, max_age=CACHE_SECONDS)
def figures_json(request: HttpRequest) -> HttpResponse:
    return JsonResponse(
        {
            "fewest_people": FEWEST_PEOPLE,
            "months": [month_row(row) for row in MONTHS.all()],
            "days": [day_row(row) for row in DAYS.all()[:DAYS_MAX]],
        }
    )


@require_safe
@cache_control(public=True, max_age=CACHE_SECONDS)
def months_csv(request: HttpRequest) -> HttpResponse:
    return _csv(MONTH_HEADER, [month_row(row) for row in MONTHS.all()], "flattr-months.csv")


@require_safe
@cache_control(public=True, max_age=CACHE_SECONDS)
def days_csv(request: HttpRequest) -> HttpResponse:
    return _csv(DAY_HEADER, [day_row(row) for row in DAYS.all()], "flattr-days.csv")


def _csv(header: list[str], rows: list[dict[str, Any]], filename: str) -> HttpResponse:
    lines = csv_lines(header, (row.values() for row in rows))
    response = HttpResponse("".join(lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
