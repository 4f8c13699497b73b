"""The presses that a signed-out browser remembers until somebody signs in there."""

from typing import Any

from allauth.account.models import EmailAddress
from django.http import HttpRequest

from accounts.models import User
from buttons.models import Press
from buttons.presses import attach_presses, complete_presses

SESSION_KEY = "kept_presses"
REMEMBERED_MAX = 20


def remember_press(request: HttpRequest, kept: Press) -> None:
    remembered = [press_id for press_id in remembered_presses(request) if press_id != str(kept.pk)]
    request.session[SESSION_KEY] = [*remembered, str(kept.pk)][-REMEMBERED_MAX:]


def remembered_presses(request: HttpRequest) -> list[str]:
    return list(request.session.get(SESSION_KEY, []))


def attach_kept_presses(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Give this browser's presses to the person who signs in or up, and complete what can be."""
    press_ids = request.session.pop(SESSION_KEY, [])
    if press_ids:
        attach_presses(user, press_ids)
        complete_presses(user)


def complete_after_confirmation(
    request: HttpRequest, email_address: EmailAddress, **kwargs: Any
) -> None:
    """Complete a person's presses when they confirm their mail, on whatever device that is."""
    complete_presses(User.objects.get(pk=email_address.user_id))
