"""The audit of what months gave and what was paid out.

From any withdrawal or statement the money can be followed back: withdrawal -> the creator's months
-> shares -> the patrons' months -> top-ups. Nothing here changes money, but the review of a
creator's first withdrawal.
"""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from buttons.models import Month
from funds.audit_admin import AuditAdmin, link, money
from funds.money import format_micros
from payouts import audit_views
from payouts.audit import totals_of
from payouts.check_books import is_stopped
from payouts.models import (
    BooksCheck,
    ConnectedAccount,
    CreatorStatement,
    PatronStatement,
    Withdrawal,
)


def for_admins(view: Any) -> Any:
    """Wrap a view of the audit: staff only, who may see the rows it is about."""
    return admin.site.admin_view(view)


class TotalsChangeList(ChangeList):
    """Reads the totals of the months on the page, in one statement."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        totals = totals_of([row.pk for row in rows])
        for row in rows:
            row.totals = totals[row.pk]
        self.result_list = rows


@admin.register(Month)
class MonthAdmin(AuditAdmin):
    list_display = ["__str__", "state", "patrons", "flattrs", "given", "fees", "creators", "rows"]
    list_filter = ["state"]
    ordering = ["-month"]
    fields = ["month", "state", "opened_at", "closed_at", "totals", "rows"]
    readonly_fields = ["totals", "rows"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TotalsChangeList

    def get_urls(self) -> list[Any]:
        own = [
            path(
                "<str:month>/payouts.csv",
                for_admins(audit_views.payouts_csv),
                name="buttons_month_payouts",
            )
        ]
        return own + super().get_urls()

    @admin.display(description="patrons")
    def patrons(self, month: Any) -> int:
        return int(month.totals.patrons)

    @admin.display(description="flattrs")
    def flattrs(self, month: Any) -> int:
        return int(month.totals.flattrs)

    @admin.display(description="distributed")
    def given(self, month: Any) -> str:
        return ", ".join(format_micros(row.given, row.currency) for row in month.totals.amounts)

    @admin.display(description="fees")
    def fees(self, month: Any) -> str:
        return ", ".join(format_micros(row.fees, row.currency) for row in month.totals.amounts)

    @admin.display(description="creators")
    def creators(self, month: Any) -> int:
        return int(month.totals.creators)

    @admin.display(description="totals")
    def totals(self, month: Month) -> SafeString:
        found = totals_of([month.pk])[month.pk]
        rows = (
            (
                format_micros(row.given, row.currency),
                format_micros(row.fees, row.currency),
                format_micros(row.given - row.fees, row.currency),
            )
            for row in found.amounts
        )
        people = format_html(
            "<p>{} patrons, {} flattrs, {} creators</p>",
            found.patrons,
            found.flattrs,
            found.creators,
        )
        amounts = format_html_join("", "<p>{} distributed, {} fees, {} to creators</p>", rows)
        return people + amounts

    @admin.display(description="see")
    def rows(self, month: Month) -> SafeString:
        of_month = f"?month__month__exact={month.pk}"
        links = [
            (link("payouts_patronstatement_changelist", "Patrons", query=of_month),),
            (link("payouts_creatorstatement_changelist", "Creators", query=of_month),),
            (link("payouts_share_list", "Shares", query=f"?month={month}"),),
            (link("buttons_month_payouts", "Payouts as CSV", str(month)),),
        ]
        return format_html_join(" · ", "{}", links)


@admin.register(PatronStatement)
class PatronStatementAdmin(AuditAdmin):
    list_display = ["month", "patron", "flattrs", "given", "budget", "waiting_flattrs", "trail"]
    list_filter = ["month", "currency"]
    list_select_related = ["patron", "month"]
    search_fields = ["=patron__username", "=patron__email"]
    search_help_text = "Username or e-mail address"
    ordering = ["-month", "-given_micros", "-pk"]
    fields = [
        "month",
        "patron",
        "flattrs",
        "given",
        "budget",
        "waiting_flattrs",
        "created_at",
        "mailed_at",
        "trail",
        "paid_from",
    ]
    readonly_fields = ["given", "budget", "created_at", "trail", "paid_from"]
    given = money("given_micros", "given")
    budget = money("budget_micros", "budget")

    @admin.display(description="see")
    def trail(self, statement: PatronStatement) -> SafeString:
        query = f"?month={statement.month_id:%Y-%m}&patron={statement.patron_id}"
        return link("payouts_share_list", "Shares", query=query)

    @admin.display(description="paid from")
    def paid_from(self, statement: PatronStatement) -> SafeString | str:
        return audit_views.paid_from(statement)


@admin.register(CreatorStatement)
class CreatorStatementAdmin(AuditAdmin):
    list_display = ["month", "creator", "flattrs", "patrons", "gross", "fee", "net", "trail"]
    list_filter = ["month", "currency"]
    list_select_related = ["creator", "month"]
    search_fields = ["=creator__username", "=creator__email"]
    search_help_text = "Username or e-mail address"
    ordering = ["-month", "-gross_micros", "-pk"]
    fields = [
        "month",
        "creator",
        "flattrs",
        "patrons",
        "gross",
        "fee",
        "net",
        "created_at",
        "mailed_at",
        "trail",
    ]
    readonly_fields = ["gross", "fee", "net", "created_at", "trail"]
    gross = money("gross_micros", "gross")
    fee = money("fee_micros", "fee")
    net = money("net_micros", "net")

    @admin.display(description="see")
    def trail(self, statement: CreatorStatement) -> SafeString:
        query = f"?month={statement.month_id:%Y-%m}&creator={statement.creator_id}"
        return link("payouts_share_list", "Shares", query=query)


@admin.register(ConnectedAccount)
class ConnectedAccountAdmin(AuditAdmin):
    list_display = ["user", "is_payouts_enabled", "is_details_submitted", "stripe_account_id"]
    list_filter = ["is_payouts_enabled", "is_details_submitted"]
    list_select_related = ["user"]
    search_fields = ["=user__username", "=user__email", "=stripe_account_id"]
    search_help_text = "Username, e-mail address or Stripe's number"
    ordering = ["-pk"]


@admin.register(Withdrawal)
class WithdrawalAdmin(AuditAdmin):
    change_form_template = "admin/payouts/withdrawal.html"
    list_display = ["created_at", "user", "amount", "state", "failure", "stripe_transfer_id"]
    list_display_links = ["created_at", "amount"]
    list_filter = ["state", "currency", "created_at"]
    list_select_related = ["user"]
    search_fields = ["=id", "=user__username", "=user__email", "=stripe_transfer_id"]
    search_help_text = "Username, e-mail address, number, or Stripe's number"
    ordering = ["-created_at"]
    fields = [
        "id",
        "user",
        "amount",
        "state",
        "failure",
        "stripe_transfer_id",
        "created_at",
        "reviewed_by",
        "reviewed_at",
        "ended_at",
        "mailed_at",
        "request",
        "origin",
    ]
    readonly_fields = ["id", "amount", "created_at", "request", "origin"]
    amount = money("amount_micros", "amount")

    def get_urls(self) -> list[Any]:
        own = [
            path(
                f"<uuid:withdrawal_id>/{name}/",
                for_admins(view),
                name=f"payouts_withdrawal_{name}",
            )
            for name, view in (
                ("approve", audit_views.approve),
                ("refuse", audit_views.refuse),
                ("origin", audit_views.origin),
            )
        ]
        shares = path("shares/", for_admins(audit_views.shares), name="payouts_share_list")
        return [*own, shares, *super().get_urls()]

    @admin.display(description="at Stripe")
    def request(self, withdrawal: Withdrawal) -> str:
        return audit_views.request_text(withdrawal)

    @admin.display(description="where it came from")
    def origin(self, withdrawal: Withdrawal) -> SafeString:
        return link("payouts_withdrawal_origin", "Follow the money back", withdrawal.pk)


@admin.register(BooksCheck)
class BooksCheckAdmin(AuditAdmin):
    change_list_template = "admin/payouts/books_checks.html"
    list_display = ["started_at", "is_sound", "checks", "found", "cleared_by", "cleared_at"]
    list_filter = ["is_sound"]
    ordering = ["-started_at"]
    list_select_related = ["cleared_by"]
    fields = [
        "started_at",
        "ended_at",
        "is_sound",
        "checks",
        "found",
        "cleared_by",
        "cleared_at",
    ]
    readonly_fields = ["ended_at", "found"]

    def get_urls(self) -> list[Any]:
        own = [
            path("now/", for_admins(audit_views.check_now), name="payouts_bookscheck_now"),
            path("clear/", for_admins(audit_views.clear_broken), name="payouts_bookscheck_clear"),
        ]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(
            request, {**(extra_context or {}), "is_stopped": is_stopped()}
        )

    @admin.display(description="found")
    def found(self, check: BooksCheck) -> SafeString | str:
        rows = (
            (finding["name"], finding["rule"], ", ".join(finding["rows"]))
            for finding in check.findings
        )
        return format_html_join("", "<p><strong>{}</strong>: {} {}</p>", rows) or "Nothing"
