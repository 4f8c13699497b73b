"""The addresses of statements, revenue and withdrawals."""

from datetime import date

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from payouts import export_views, transparency_views, views, withdrawal_views


class MonthConverter:
    """A month in an address: `2026-10` is the first of October."""

    regex = r"[1-9][0-9]{3}-(?:0[1-9]|1[0-2])"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(f"{value}-01")

    def to_url(self, value: date | str) -> str:
        return value if isinstance(value, str) else f"{value:%Y-%m}"


class FormatConverter(StringConverter):
    """What a file of rows is written in."""

    regex = "csv|json"


register_converter(MonthConverter, "month")
register_converter(FormatConverter, "format")

app_name = "payouts"
urlpatterns = [
    path("transparency/", transparency_views.transparency, name="transparency"),
    path("transparency/figures.json", transparency_views.figures_json, name="figures-json"),
    path("transparency/months.csv", transparency_views.months_csv, name="months-csv"),
    path("transparency/days.csv", transparency_views.days_csv, name="days-csv"),
    path("statements/", views.patron_statements, name="patron-statements"),
    path("statements/<month:month>/", views.patron_statement, name="patron-statement"),
    path(
        "statements/<month:month>/rows.<format:kind>", export_views.patron_rows, name="patron-rows"
    ),
    path("revenue/", views.revenue, name="revenue"),
    path("revenue/withdraw/", withdrawal_views.withdraw, name="withdraw"),
    path("revenue/withdrawals/", withdrawal_views.withdrawal_list, name="withdrawals"),
    path(
        "revenue/withdrawals/<uuid:withdrawal_id>/", withdrawal_views.withdrawal, name="withdrawal"
    ),
    path("revenue/onboard/", withdrawal_views.onboard, name="onboard"),
    path("revenue/onboard/return/", withdrawal_views.onboard_return, name="onboard-return"),
    path("revenue/onboard/refresh/", withdrawal_views.onboard_refresh, name="onboard-refresh"),
    path("revenue/<month:month>/", views.creator_statement, name="creator-statement"),
    path(
        "revenue/<month:month>/rows.<format:kind>", export_views.creator_rows, name="creator-rows"
    ),
    path("revenue/<month:month>/flattr-revenue.csv", export_views.revenue_csv, name="revenue-csv"),
]
