from django.apps import AppConfig


class FundsConfig(AppConfig):
    name = "funds"

    def ready(self) -> None:
        # Here, because the verbs import models, which exist only once every app is loaded.
        from funds import disputes, outbox, returns, top_ups, webhooks

        outbox.register("customer", top_ups.apply_customer)
        outbox.register("checkout_session", top_ups.apply_session_request)
        outbox.register("refund", returns.apply_refund_request)
        for name in ("completed", "async_payment_succeeded", "async_payment_failed", "expired"):
            webhooks.register(f"checkout.session.{name}", top_ups.handle_session_event)
        webhooks.register("charge.updated", top_ups.handle_charge_event)
        for name in ("created", "updated", "failed"):
            webhooks.register(f"refund.{name}", returns.handle_refund_event)
        for name in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated"):
            webhooks.register(f"charge.dispute.{name}", disputes.handle_dispute_event)
