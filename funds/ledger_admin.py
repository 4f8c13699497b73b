"""The ledger in the admin: accounts and balances, transfers and where they came from."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import path
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from funds import ledger
from funds.audit_admin import AuditAdmin, link
from funds.correction_admin import correct
from funds.models import LedgerAccount, Transfer
from funds.money import format_micros
from funds.provenance import balances_of, sources_of

Code = LedgerAccount.Code
# What grows by debits: an admin expects it above zero.
DEBIT_CODES = (Code.STRIPE_BALANCE, Code.PROCESSOR_FEES, Code.DISPUTE_LOSSES)


class BalanceChangeList(ChangeList):
    """Sums the transfers of the instance's accounts on the page, in one statement."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        sums = balances_of([row.pk for row in rows if row.user_id is None])
        for row in rows:
            row.balance_micros = sums.get(row.pk, 0) if row.user_id is None else None
        self.result_list = rows


@admin.register(LedgerAccount)
class LedgerAccountAdmin(AuditAdmin):
    list_display = ["name", "whose", "currency", "balance", "reserved", "transfers"]
    list_filter = ["code", "currency"]
    list_select_related = ["user"]
    search_fields = ["=user__username", "=user__email"]
    search_help_text = "Username or e-mail address"
    ordering = ["-pk"]
    fields = ["code", "currency", "user", "month", "balance", "reserved", "transfers"]
    readonly_fields = ["balance", "reserved", "transfers"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BalanceChangeList

    @admin.display(description="account", ordering="code")
    def name(self, account: LedgerAccount) -> str:
        return account.get_code_display()

    @admin.display(description="of")
    def whose(self, account: LedgerAccount) -> str:
        if account.user:
            return account.user.username
        return f"{account.month:%Y-%m}" if account.month else "the instance"

    @admin.display(description="balance")
    def balance(self, account: LedgerAccount) -> str:
        """Credits less debits, what is reserved included; of assets and expenses the reverse."""
        if account.user_id:
            amount = account.credits_posted_micros - account.debits_posted_micros
        else:
            known = getattr(account, "balance_micros", None)
            amount = balances_of([account.pk]).get(account.pk, 0) if known is None else known
        return format_micros(-amount if account.code in DEBIT_CODES else amount, account.currency)

    @admin.display(description="reserved")
    def reserved(self, account: LedgerAccount) -> str:
        pending = account.debits_pending_micros
        return format_micros(pending, account.currency) if pending else "-"

    @admin.display(description="")
    def transfers(self, account: LedgerAccount) -> SafeString:
        return link("funds_transfer_changelist", "Transfers", query=f"?q=account:{account.pk}")


@admin.register(Transfer)
class TransferAdmin(AuditAdmin):
    change_list_template = "admin/funds/transfers.html"
    list_display = ["fact", "code", "phase", "amount", "source", "target", "created_at"]
    list_filter = ["code", "phase", "month"]
    list_select_related = ["debit_account__user", "credit_account__user"]
    search_help_text = "Username, e-mail address, a whole fact (top_up:...), or account:<number>"
    # The search is this class's own; Django asks for a field to show the box.
    search_fields = ["=fact"]
    ordering = ["-created_at"]
    fields = [
        "fact",
        "id",
        "code",
        "phase",
        "amount",
        "source",
        "target",
        "month",
        "pending",
        "reason",
        "created_at",
        "came_from",
    ]
    readonly_fields = ["id", "amount", "source", "target", "created_at", "came_from"]

    def get_urls(self) -> list[Any]:
        view = admin.site.admin_view(correct)
        return [path("correct/", view, name="funds_transfer_correct"), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by what has an index: a fact is its id, and a person is their accounts."""
        term = search_term.strip()
        return (queryset.filter(_wanted(term)) if term else queryset), False

    @admin.display(description="amount", ordering="amount_micros")
    def amount(self, transfer: Transfer) -> str:
        return format_micros(transfer.amount_micros, transfer.debit_account.currency)

    @admin.display(description="debit")
    def source(self, transfer: Transfer) -> SafeString:
        return _account_link(transfer.debit_account)

    @admin.display(description="credit")
    def target(self, transfer: Transfer) -> SafeString:
        return _account_link(transfer.credit_account)

    @admin.display(description="came from")
    def came_from(self, transfer: Transfer) -> SafeString | str:
        """List what came into the debited account and is spent by this transfer: first in first."""
        rows = (
            (
                format_micros(source.part_micros, transfer.debit_account.currency),
                link("funds_transfer_change", source.fact, source.transfer_id),
            )
            for source in sources_of(transfer)
        )
        return format_html_join("", "<p>{} of {}</p>", rows) or "-"


def _wanted(term: str) -> Q:
    if term.startswith("account:") and term[8:].isdigit():
        return _of_accounts([int(term[8:])])
    if people := User.objects.filter(Q(username__iexact=term) | Q(email=term.lower())):
        accounts = LedgerAccount.objects.filter(user__in=list(people))
        return _of_accounts(list(accounts.values_list("pk", flat=True)))
    try:
        return Q(pk=UUID(term))
    except ValueError:
        return Q(pk=ledger.transfer_id(term))


def _of_accounts(account_ids: list[int]) -> Q:
    return Q(debit_account__in=account_ids) | Q(credit_account__in=account_ids)


def _account_link(account: LedgerAccount) -> SafeString:
    whose = account.user or (f"{account.month:%Y-%m}" if account.month else "")
    return link("funds_ledgeraccount_change", f"{account.code} {whose}".strip(), account.pk)
