from django.apps import AppConfig


class PayoutsConfig(AppConfig):
    name = "payouts"

    def ready(self) -> None:
        # Here, because the verbs import models, which exist only once every app is loaded.
        from funds import outbox, webhooks
        from payouts import check_books, connect, withdrawals

        outbox.register(connect.REQUEST, connect.apply_account_request)
        outbox.register(withdrawals.REQUEST, withdrawals.apply_withdrawal_request)
        outbox.register_stop(check_books.is_stopped)
        for name in ("account.updated", "capability.updated"):
            webhooks.register(name, connect.handle_account_event)
        webhooks.register("account.application.deauthorized", connect.handle_deauthorized_event)
        for name in ("created", "updated", "reversed"):
            webhooks.register(f"transfer.{name}", withdrawals.handle_transfer_event)
