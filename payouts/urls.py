"""The addresses of statements, revenue and withdrawals."""

from datetime import date

from django.urls import path, register_converter

from payouts import views, withdrawal_views


class MonthConverter:
    """A month in an address: `2026-10` is the first of October."""

    regex = r"[1-9][0-9]{3}-(?:0[1-9]|1[0-2])"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(f"{value}-01")

    def to_url(self, value: date | str) -> str:
        return value if isinstance(value, str) else f"{value:%Y-%m}"


register_converter(MonthConverter, "month")

app_name = "payouts"
urlpatterns = [
    path("statements/<month:month>/", views.patron_statement, name="patron-statement"),
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
]
