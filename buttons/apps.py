from allauth.account.signals import email_confirmed, user_logged_in, user_signed_up
from django.apps import AppConfig


class ButtonsConfig(AppConfig):
    name = "buttons"

    def ready(self) -> None:
        # Here, because the receivers import models, which exist only once every app is loaded.
        from buttons import sessions

        user_signed_up.connect(sessions.attach_kept_presses)
        user_logged_in.connect(sessions.attach_kept_presses)
        email_confirmed.connect(sessions.complete_after_confirmation)
