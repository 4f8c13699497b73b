"""What the beat asks for. PostgreSQL knows what is due: a lost or doubled message does no harm."""

import logging
import time
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from accounts.models import User
from funds.stripe_gateway import StripeRefused, StripeUnreachable
from payouts import close, connect, readers, transparency
from payouts.check_books import record_check
from payouts.models import BooksCheck
from payouts.statement_mails import due_mails, mail_statement
from payouts.withdrawal_mail import mail_ended_withdrawals, tell_admins

logger = logging.getLogger(__name__)

# As many as might be idle: one too many finds nothing to claim.
HELPERS = 8

# Less than the minute between two ticks, which send new helpers as long as a month is unclosed.
HELP = timedelta(seconds=50)

# Who finds nothing to claim for this long leaves: other work waits for hands too.
IDLE = timedelta(seconds=5)


@shared_task
def close_due_months() -> None:
    """Call for help where a month is over and not closed."""
    if close.due_months():
        for _ in range(HELPERS):
            help_close.apply_async(expires=HELP.total_seconds())


@shared_task
def help_close() -> None:
    """Work on the months that are due, in their order, until none is or time is up."""
    begun = idle_since = timezone.now()
    while months := close.due_months()[:1]:
        close.open_month(months[0])
        if close.help_close(months[0], stop_at=begun + HELP):
            idle_since = timezone.now()
        if timezone.now() > min(begun + HELP, idle_since + IDLE):
            return
        time.sleep(close.POLL.total_seconds())
    close.record_subscribed_now(stop_at=begun + HELP)


@shared_task
def flattr_subscriptions() -> None:
    """Record the flattrs that subscriptions lack in the open month."""
    close.record_subscribed_now(stop_at=timezone.now() + HELP)


@shared_task
def follow_up_closes() -> None:
    """Do what follows a close and is due."""
    close.follow_up_closes()


@shared_task
def mail_statements() -> None:
    """Send the mails of closed months on their way, one task each, so that none holds up others."""
    for kind, statement_id in due_mails():
        mail_statement_of.delay(kind, statement_id)


@shared_task(rate_limit="600/m")
def mail_statement_of(kind: str, statement_id: int) -> None:
    mail_statement(kind, statement_id)


@shared_task
def refresh_connected_account(user_id: int) -> None:
    """Ask Stripe how far an account is, after it refused money for it."""
    try:
        connect.refresh_account(User.objects.get(pk=user_id))
    except (StripeUnreachable, StripeRefused):
        # The next event about the account, or the owner's next visit at Stripe, brings it.
        logger.warning("The account of user %s could not be asked for", user_id)


@shared_task
def mail_withdrawals() -> None:
    """Tell creators how their withdrawals ended, and the admins which ones need them."""
    mail_ended_withdrawals()
    tell_admins()


@shared_task
def check_books() -> None:
    """Check the books once an hour, keep the result, and say loudly what is broken."""
    if BooksCheck.objects.filter(started_at__gt=timezone.now() - timedelta(hours=1)).exists():
        return
    for finding in record_check().findings:
        logger.error("The books are broken: %s (%s)", finding["rule"], finding["rows"])


@shared_task
def publish_figures() -> None:
    """Publish months that were closed, and once a day what is owed and what lies at Stripe.

    Badges learn how many readers have paid.
    """
    transparency.publish_months()
    readers.publish_readers()
    try:
        transparency.publish_day()
    except (StripeUnreachable, StripeRefused) as error:
        # The next tick asks again.
        logger.warning("The figures of today wait for Stripe: %s", error)
