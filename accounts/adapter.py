"""Where allauth asks this site: names, words, and where a confirmed person goes on."""

from urllib.parse import urlencode

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailConfirmation
from allauth.account.utils import get_next_redirect_url
from django.http import HttpRequest
from django.urls import reverse

from accounts.usernames import validate_not_reserved


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    # One sentence for a wrong address and a wrong password, so that neither is told.
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "This address and password do not belong together.",
        "account_inactive": "This account is closed.",
        "too_many_login_attempts": "Too many wrong tries. Wait five minutes, then try again.",
        "username_taken": "This username is taken.",
    }

    def clean_username(self, username: str, shallow: bool = False) -> str:
        validate_not_reserved(username)
        return str(super().clean_username(username, shallow=shallow))

    def get_email_confirmation_url(
        self, request: HttpRequest, emailconfirmation: EmailConfirmation
    ) -> str:
        """Return the address in the mail, which carries where the person was going.

        The mail may be opened on another device, where no session knows it.
        """
        url = str(super().get_email_confirmation_url(request, emailconfirmation))
        going_to = get_next_redirect_url(request)
        return f"{url}?{urlencode({'next': going_to})}" if going_to else url

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:profile")

    def format_email_subject(self, subject: str) -> str:
        return str(subject)
