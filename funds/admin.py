"""What an admin may see and do about money: everything is read, little is pressed."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from funds import ledger_admin, outbox, webhooks
from funds.audit_admin import AuditAdmin, money
from funds.models import (
    MonthlyBudget,
    StripeCustomer,
    StripeEvent,
    StripeRequest,
    TopUp,
    TopUpReturn,
)
from funds.money import format_micros

# Importing it registers the ledger's own pages.
__all__ = ["ledger_admin"]


@admin.register(TopUp)
class TopUpAdmin(AuditAdmin):
    list_display = ["id", "user", "amount", "state", "created_at", "paid_at"]
    list_filter = ["state", "currency", "created_at"]
    list_select_related = ["user"]
    search_fields = [
        "=id",
        "user__email",
        "user__username",
        "=stripe_checkout_session_id",
        "=stripe_payment_intent_id",
        "=stripe_charge_id",
    ]
    ordering = ["-created_at"]
    exclude = ["amount_micros", "returned_micros", "processor_fee_micros"]
    readonly_fields = ["amount", "returned", "processor_fee"]
    amount = money("amount_micros", "amount")
    returned = money("returned_micros", "returned")
    processor_fee = money("processor_fee_micros", "processor fee")


@admin.register(TopUpReturn)
class TopUpReturnAdmin(AuditAdmin):
    list_display = ["id", "top_up", "amount", "state", "created_at"]
    list_filter = ["state", "created_at"]
    list_select_related = ["top_up"]
    search_fields = ["=id", "=top_up__id", "top_up__user__email", "=stripe_refund_id"]
    ordering = ["-created_at"]
    exclude = ["amount_micros"]
    readonly_fields = ["amount"]

    @admin.display(ordering="amount_micros")
    def amount(self, returned: TopUpReturn) -> str:
        return format_micros(returned.amount_micros, returned.top_up.currency)


@admin.register(MonthlyBudget)
class MonthlyBudgetAdmin(AuditAdmin):
    list_display = ["user", "amount", "is_revenue_reused", "updated_at"]
    list_filter = ["is_revenue_reused"]
    list_select_related = ["user"]
    search_fields = ["user__email", "user__username"]

    @admin.display(ordering="amount_micros")
    def amount(self, budget: MonthlyBudget) -> str:
        return format_micros(budget.amount_micros, budget.user.currency)


@admin.register(StripeCustomer)
class StripeCustomerAdmin(AuditAdmin):
    list_display = ["user", "stripe_customer_id"]
    list_select_related = ["user"]
    search_fields = ["user__email", "=stripe_customer_id"]


@admin.register(StripeRequest)
class StripeRequestAdmin(AuditAdmin):
    """The outbox: what needs attention is first looked at, then sent again."""

    list_display = ["id", "kind", "state", "attempts", "created_at", "last_error"]
    list_filter = ["state", "kind", "created_at"]
    ordering = ["-created_at"]
    search_fields = ["=id", "=subject_id", "=stripe_object_id", "=idempotency_key"]
    actions = ["send_again"]

    def has_repeat_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("funds.change_striperequest")

    @admin.action(description="Send again what needs attention", permissions=["repeat"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[StripeRequest]) -> None:
        count = sum(outbox.try_again(row.pk) for row in chosen)
        messages.success(request, f"{count} will be sent again within a minute.")


@admin.register(StripeEvent)
class StripeEventAdmin(AuditAdmin):
    """What Stripe told: what needs attention is first looked at, then applied again."""

    list_display = ["stripe_event_id", "type", "state", "attempts", "received_at", "last_error"]
    list_filter = ["state", "type", "received_at"]
    ordering = ["-received_at"]
    search_fields = ["=stripe_event_id", "=object_id", "=stripe_account_id"]
    actions = ["apply_again"]

    def has_repeat_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("funds.change_stripeevent")

    @admin.action(description="Apply again what needs attention", permissions=["repeat"])
    def apply_again(self, request: HttpRequest, chosen: QuerySet[StripeEvent]) -> None:
        count = sum(webhooks.try_again(row.pk) for row in chosen)
        messages.success(request, f"{count} will be applied again within a minute.")
