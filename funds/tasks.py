"""What the tick asks of the funds: send what is due, apply what came, look for what was lost."""

import logging

from celery import shared_task
from django.core.cache import cache

from funds import outbox, webhooks
from funds.reconcile import compare_balances
from funds.stripe_gateway import StripeRefused, StripeUnreachable
from funds.top_ups import TopUpMismatch, apply_session, stale_top_ups

logger = logging.getLogger(__name__)

HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400


@shared_task
def send_due_requests() -> int:
    """Send the outbox rows that are due."""
    return outbox.send_due_requests()


@shared_task
def apply_events() -> int:
    """Apply the events that were received."""
    return webhooks.apply_events()


@shared_task
def find_lost_news() -> int:
    """Once an hour, fetch events that never arrived, and ask after top-ups open for too long."""
    if not cache.add("funds:find_lost_news", 1, HOUR_SECONDS):
        return 0
    try:
        found = webhooks.back_fill()
    except StripeUnreachable as error:
        logger.warning("Stripe could not be asked for lost events: %s", error)
        return 0
    for top_up in stale_top_ups():
        try:
            apply_session(top_up.pk, str(top_up.stripe_checkout_session_id))
        except (StripeUnreachable, StripeRefused, TopUpMismatch):
            # The others are asked for all the same; this one again in an hour.
            logger.exception("%s could not be brought up to date", top_up)
    return found


@shared_task
def reconcile() -> int:
    """Once a day, compare the ledger with Stripe's balance, and say loudly where they differ."""
    if not cache.add("funds:reconcile", 1, DAY_SECONDS):
        return 0
    try:
        differences = compare_balances()
    except StripeUnreachable as error:
        logger.warning("Stripe could not be asked for its balance: %s", error)
        return 0
    for difference in differences:
        logger.error("Reconciliation: %s", difference)
    return len(differences)
