"""The mail that tells a patron or a creator of their closed month.

A statement without `mailed_at` in a closed month is due: it is marked in the transaction that sends
it, so a mail is lost by nothing, and doubled only by a crash between the two.
"""

import logging
from dataclasses import dataclass
from smtplib import SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import User
from buttons.models import Month
from payouts.models import CreatorStatement, PatronStatement

logger = logging.getLogger(__name__)

# As many as a minute's tick sends on their way; the next tick finds the rest.
BATCH = 500


@dataclass(frozen=True)
class Kind:
    """One kind of statement: its rows, whose it is, its page and its templates."""

    model: type[PatronStatement] | type[CreatorStatement]
    whose: str
    url_name: str
    template: str


KINDS = {
    "patron": Kind(
        PatronStatement, "patron", "payouts:patron-statement", "payouts/mail/patron_statement"
    ),
    "creator": Kind(
        CreatorStatement, "creator", "payouts:creator-statement", "payouts/mail/creator_statement"
    ),
}


def due_mails() -> list[tuple[str, int]]:
    """Return the kind and id of statements that were not mailed, earliest month first."""
    due = []
    for kind in KINDS:
        rows = (
            KINDS[kind]
            .model.objects.filter(mailed_at=None, month__state=Month.State.CLOSED)
            .order_by("month", "id")
        )
        due += [(kind, statement_id) for statement_id in rows.values_list("id", flat=True)[:BATCH]]
    return due


def mail_statement(kind_name: str, statement_id: int) -> bool:
    """Send one statement's mail; return False where it was sent or is being sent already.

    Nobody is written to who has left.
    """
    kind = KINDS[kind_name]
    with transaction.atomic():
        statement = (
            kind.model.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related(kind.whose)
            .filter(pk=statement_id, mailed_at=None, month__state=Month.State.CLOSED)
            .first()
        )
        if statement is None:
            return False
        kind.model.objects.filter(pk=statement_id).update(mailed_at=Now())
        if getattr(statement, kind.whose).is_active:
            try:
                _mail_of(kind, statement).send()
            except SMTPRecipientsRefused:
                # Trying again would be refused again; the statement stands on the site.
                logger.warning("no mailbox for the %s statement %s", kind_name, statement_id)
    return True


def _mail_of(kind: Kind, statement: PatronStatement | CreatorStatement) -> EmailMultiAlternatives:
    user: User = getattr(statement, kind.whose)
    context = {
        "statement": statement,
        "user": user,
        "BASE_URL": settings.BASE_URL,
        "WAITING_MONTHS": settings.WAITING_MONTHS,
        "link": settings.BASE_URL + reverse(kind.url_name, args=[statement.month_id]),
    }
    subject = render_to_string(f"{kind.template}_subject.txt", context)
    text = render_to_string(f"{kind.template}.txt", context)
    mail = EmailMultiAlternatives(" ".join(subject.split()), text, to=[user.email])
    mail.attach_alternative(render_to_string(f"{kind.template}.html", context), "text/html")
    return mail
