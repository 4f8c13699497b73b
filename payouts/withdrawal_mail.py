"""Mails about withdrawals: to the creator when one ended, to the admins when one needs them.

What is unmailed is asked of PostgreSQL by the tick, and marked in the transaction that sends it: a
mail is lost by nothing, and doubled only by a crash between the two.
"""

import logging
from collections.abc import Callable
from smtplib import SMTPRecipientsRefused
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from funds.models import StripeRequest
from payouts.models import Withdrawal

logger = logging.getLogger(__name__)

BATCH = 200
State = Withdrawal.State
SUBJECTS = {
    State.PAID.value: "Your withdrawal is on its way to your bank",
    State.REFUSED.value: "Your withdrawal was not sent",
    State.RETURNED.value: "Your withdrawal came back",
}


def mail_ended_withdrawals() -> int:
    """Tell creators how their withdrawals ended; return how many mails were sent."""
    ended = Withdrawal.objects.filter(state__in=SUBJECTS, ended_at__isnull=False, mailed_at=None)
    return sum(_once(ended, pk, "mailed_at", _mail_creator) for pk in _first(ended))


def tell_admins() -> int:
    """Tell the superusers, once each, of withdrawals that wait for them or for money at Stripe."""
    failed = StripeRequest.objects.filter(subject_id=OuterRef("pk")).exclude(last_error="")
    needs_them = Q(state=State.IN_REVIEW) | Q(Exists(failed), state=State.SENDING)
    stuck = Withdrawal.objects.filter(needs_them, admins_told_at=None)
    return sum(_once(stuck, pk, "admins_told_at", _mail_admins) for pk in _first(stuck))


def _first(due: QuerySet[Withdrawal]) -> list[UUID]:
    return list(due.order_by("created_at").values_list("pk", flat=True)[:BATCH])


def _once(
    due: QuerySet[Withdrawal], pk: UUID, mark: str, send: Callable[[Withdrawal], None]
) -> bool:
    """Send one mail and mark it sent; return False where another process is at it."""
    with transaction.atomic():
        withdrawal = due.select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
        if withdrawal is None:
            return False
        Withdrawal.objects.filter(pk=pk).update(**{mark: timezone.now()})
        try:
            send(withdrawal)
        except SMTPRecipientsRefused:
            # Trying again would be refused again; the page says the same.
            logger.warning("no mailbox for %s", withdrawal)
    return True


def _mail_creator(withdrawal: Withdrawal) -> None:
    """Write to the creator, unless they have left."""
    if withdrawal.user.is_active:
        link = settings.BASE_URL + withdrawal.get_absolute_url()
        subject = SUBJECTS[withdrawal.state]
        _mail("withdrawal", subject, withdrawal, link, [withdrawal.user.email])


def _mail_admins(withdrawal: Withdrawal) -> None:
    admins = User.objects.filter(is_superuser=True, is_active=True)
    link = settings.BASE_URL + reverse("admin:payouts_withdrawal_change", args=[withdrawal.pk])
    for email in admins.values_list("email", flat=True):
        _mail("withdrawal_admin", "A withdrawal needs you", withdrawal, link, [email])


def _mail(name: str, subject: str, withdrawal: Withdrawal, link: str, to: list[str]) -> None:
    request = StripeRequest.objects.filter(subject_id=withdrawal.pk).first()
    context = {
        "withdrawal": withdrawal,
        "error": request.last_error if request else "",
        "link": link,
        "BASE_URL": settings.BASE_URL,
    }
    text = render_to_string(f"payouts/mail/{name}.txt", context)
    mail = EmailMultiAlternatives(subject, text, to=to)
    html = render_to_string(f"payouts/mail/{name}.html", context)
    mail.attach_alternative(html, "text/html")
    mail.send()
