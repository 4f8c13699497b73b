"""What Stripe tells: stored by its id and answered, then applied by a worker.

An event is a hint that an object changed. Its handler locks our row, fetches the object from Stripe
and applies what it finds, so that order and repeats do not matter.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from funds import stripe_gateway
from funds.hints import hint
from funds.models import StripeEvent
from funds.stripe_gateway import Json

logger = logging.getLogger(__name__)

State = StripeEvent.State
Handler = Callable[[StripeEvent], None]

ATTEMPTS_MAX = 8
LEASE = timedelta(minutes=2)
BACK_FILL = timedelta(days=7)
APPLY_TASK = "funds.tasks.apply_events"

_handlers: dict[str, Handler] = {}


class WrongMode(Exception):
    """An event of test money at an instance with real money, or the other way round."""


def register(event_type: str, handler: Handler) -> None:
    """Say who applies a type of event; called from an app's `ready`."""
    _handlers[event_type] = handler


def store_event(payload: bytes, signature: str, secret: str) -> StripeEvent | None:
    """Verify a webhook and store it; the second delivery of an event returns None.

    Raises BadSignature or WrongMode, and then stores nothing.
    """
    body = stripe_gateway.verified_event(payload, signature, secret)
    return store_body(body)


def store_body(body: Json) -> StripeEvent | None:
    """Store an event that is known to be Stripe's; types nobody handles are kept and counted."""
    if bool(body.get("livemode")) != stripe_gateway.is_live():
        raise WrongMode(body.get("id", ""))
    event = StripeEvent(
        stripe_event_id=body["id"],
        type=body["type"],
        stripe_account_id=body.get("account") or "",
        object_id=body["data"]["object"].get("id") or "",
        body=body,
        state=State.RECEIVED if body["type"] in _handlers else State.IGNORED,
        stripe_created_at=stripe_gateway.time_of(body["created"]),
        next_try_at=timezone.now(),
    )
    with transaction.atomic():
        is_known = StripeEvent.objects.filter(pk=body["id"]).exists()
        # Two deliveries at once are settled by the primary key: ON CONFLICT DO NOTHING.
        StripeEvent.objects.bulk_create([event], ignore_conflicts=True)
        if event.state == State.RECEIVED and not is_known:
            hint(APPLY_TASK)
    return None if is_known else event


def claim_events(types: Iterable[str] | None = None, limit: int = 100) -> list[str]:
    """Take the lease of received events, the oldest first, and return their ids.

    The attempt is counted before the event is applied, so that one that kills its worker ends too.
    """
    with transaction.atomic(durable=True):
        events = (
            StripeEvent.objects.select_for_update(skip_locked=True)
            .filter(
                state=State.RECEIVED,
                next_try_at__lte=timezone.now(),
                type__in=list(_handlers) if types is None else list(types),
            )
            .order_by("stripe_created_at", "stripe_event_id")[:limit]
        )
        for event in events:
            event.attempts += 1
            event.next_try_at = timezone.now() + LEASE
            if event.attempts > ATTEMPTS_MAX:
                event.state = State.NEEDS_ATTENTION
        StripeEvent.objects.bulk_update(events, ["attempts", "next_try_at", "state"])
        return [event.pk for event in events if event.state == State.RECEIVED]


def apply_event(event_id: str) -> bool:
    """Apply one event that was claimed; one that fails waits, and stays visible with its error."""
    try:
        with transaction.atomic(durable=True):
            event = (
                StripeEvent.objects.select_for_update(skip_locked=True)
                .filter(pk=event_id, state=State.RECEIVED)
                .first()
            )
            if event is None:
                return False
            _handlers[event.type](event)
            event.state, event.last_error = State.APPLIED, ""
            event.save(update_fields=["state", "last_error"])
    except Exception as error:
        logger.exception("Applying %s failed", event_id)
        _put_off(event_id, f"{type(error).__name__}: {error}")
        return False
    return True


def _put_off(event_id: str, error: str) -> None:
    """Write the failure down outside the transaction that it rolled back."""
    event = StripeEvent.objects.get(pk=event_id)
    is_over = event.attempts >= ATTEMPTS_MAX
    StripeEvent.objects.filter(pk=event_id, state=State.RECEIVED).update(
        state=State.NEEDS_ATTENTION if is_over else State.RECEIVED,
        next_try_at=timezone.now() + timedelta(minutes=2 ** max(event.attempts - 1, 0)),
        last_error=error[:500],
    )


def apply_events(types: Iterable[str] | None = None) -> int:
    """Apply what was received; return how many events were applied."""
    return sum(apply_event(event_id) for event_id in claim_events(types))


def try_again(event_id: str) -> bool:
    """Make an event that needs attention due again; for an admin who has looked."""
    changed = StripeEvent.objects.filter(pk=event_id, state=State.NEEDS_ATTENTION).update(
        state=State.RECEIVED, attempts=0, next_try_at=timezone.now()
    )
    return changed == 1


def back_fill() -> int:
    """Store the events of the last week that no endpoint of ours answered; return how many."""
    since = timezone.now() - BACK_FILL
    missed = stripe_gateway.undelivered_events(sorted(_handlers), since)
    return sum(store_body(body) is not None for body in missed)


def secret_of(endpoint: str) -> str:
    """Return the signing secret of one of the two endpoints, `account` or `connect`."""
    secrets = {
        "account": settings.STRIPE_WEBHOOK_SECRET,
        "connect": settings.STRIPE_CONNECT_WEBHOOK_SECRET,
    }
    return str(secrets[endpoint])
