"""The outbox: what is to be written at Stripe, written down here first.

A request is stored in the transaction of the row that it is about, with the exact parameters and
the idempotency key, and sent outside any transaction. Crash at any line, and the next tick goes on:

- before the row is committed: nothing was sent;
- after it, before or while sending: the row is due again when its lease ends, and as its outcome is
  unknown, Stripe is asked whether the object is there before anything is sent again;
- after the answer, before it is recorded: as above, and the object is found.

What the answer means is applied in the transaction that records it (`register`).
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from funds import stripe_gateway
from funds.models import StripeRequest
from funds.stripe_gateway import StripeRefused, StripeUnreachable

logger = logging.getLogger(__name__)

State = StripeRequest.State
Applier = Callable[[StripeRequest], None]

ATTEMPTS_MAX = 8
# Longer than Stripe's answer may take, so that nobody else sends meanwhile.
LEASE = timedelta(minutes=2)
# Refusals that pass by themselves: they stay due, under a new key.
PASSING = frozenset({"balance_insufficient", "lock_timeout", "rate_limit"})

# Money that leaves: it waits while the books are known to be wrong (`register_stop`).
OUTBOUND = frozenset({"refund", "withdrawal"})

_appliers: dict[str, Applier] = {}
_stops: list[Callable[[], bool]] = []


def register(kind: str, applier: Applier) -> None:
    """Say what the answer to a kind of request means; called from an app's `ready`.

    The applier runs in the transaction that records a request as done or refused.
    """
    _appliers[kind] = applier


def register_stop(is_stopped: Callable[[], bool]) -> None:
    """Say what keeps money from leaving; called from an app's `ready`."""
    _stops.append(is_stopped)


def is_outbound_stopped() -> bool:
    """Say whether withdrawals and refunds wait: they stay due, and go on by themselves later."""
    return any(is_stopped() for is_stopped in _stops)


def write_request(
    kind: str,
    subject_id: UUID,
    params: dict[str, Any],
    idempotency_key: str,
    next_try_at: datetime | None = None,
) -> StripeRequest:
    """Write a request down, in the transaction of the row that it is about.

    The same key again returns the first one. `next_try_at` keeps the tick away from a request that
    the caller sends at once.
    """
    assert connection.in_atomic_block, "A request is committed together with its subject."
    assert kind in _appliers, f"Nobody has said what an answer to {kind} means."
    request, _ = StripeRequest.objects.get_or_create(
        idempotency_key=idempotency_key,
        defaults={
            "kind": kind,
            "subject_id": subject_id,
            "params": params,
            "next_try_at": next_try_at or timezone.now(),
        },
    )
    return request


def due_requests(kinds: Iterable[str] | None = None, limit: int = 100) -> list[UUID]:
    """Return the ids of requests that are due, the longest waiting first."""
    wanted = set(_appliers if kinds is None else kinds)
    if is_outbound_stopped():
        wanted -= OUTBOUND
    requests = StripeRequest.objects.filter(
        state=State.DUE, next_try_at__lte=timezone.now(), kind__in=wanted
    )
    return list(requests.order_by("next_try_at").values_list("id", flat=True)[:limit])


def send_request(request_id: UUID, is_hurried: bool = False) -> StripeRequest:
    """Send a request once and record the answer; call it outside any transaction.

    Returns the row as it is afterwards: done, refused, due again, or in need of attention. One that
    another process is sending, or that is not due, is returned as it is. `is_hurried` does not wait
    for the next try: a person asks for it now.
    """
    request, was_unknown = _claim(request_id, is_hurried)
    if request is None:
        return StripeRequest.objects.get(pk=request_id)
    try:
        answer = _found(request) if was_unknown else None
        if answer is None:
            answer = stripe_gateway.create(request.kind, request.params, request.idempotency_key)
    except StripeRefused as refusal:
        if refusal.code in PASSING:
            return _put_off(request, str(refusal), is_outcome_unknown=False, is_new_key=True)
        return _record_refusal(request, refusal)
    except StripeUnreachable as error:
        return _put_off(request, str(error), is_outcome_unknown=True, is_new_key=error.is_answered)
    return _record_answer(request, answer)


def _found(request: StripeRequest) -> dict[str, Any] | None:
    """Return what an earlier attempt made at Stripe, or None.

    A question that is refused says nothing about the write, and so raises StripeUnreachable.
    """
    try:
        return stripe_gateway.find(request.kind, request.params, request.created_at)
    except StripeRefused as refusal:
        raise StripeUnreachable(f"Looking for it was refused: {refusal.message}") from refusal


def _claim(request_id: UUID, is_hurried: bool) -> tuple[StripeRequest | None, bool]:
    """Take the lease of a request: until it ends, nobody else sends it.

    Also returns whether an earlier attempt may have been carried out. Durable, because the lease
    has to be committed before anything is sent.
    """
    now = timezone.now()
    states = [State.DUE, State.NEEDS_ATTENTION] if is_hurried else [State.DUE]
    with transaction.atomic(durable=True):
        request = (
            StripeRequest.objects.select_for_update(skip_locked=True)
            .filter(pk=request_id, state__in=states)
            .first()
        )
        if request is None or (request.kind in OUTBOUND and is_outbound_stopped()):
            return None, False
        # A first try may come before it is due: whoever wrote the request sends it.
        wait_until = request.next_try_at if request.attempts else None
        if is_hurried:
            wait_until = request.sending_until
        if wait_until and wait_until > now:
            return None, False
        was_unknown = request.is_outcome_unknown
        if request.state == State.NEEDS_ATTENTION:
            request.attempts = 0
        request.state = State.DUE
        request.attempts += 1
        request.is_outcome_unknown = True
        request.next_try_at = request.sending_until = now + LEASE
        request.save(
            update_fields=[
                "state",
                "attempts",
                "is_outcome_unknown",
                "next_try_at",
                "sending_until",
            ]
        )
    return request, was_unknown


def _record_answer(request: StripeRequest, answer: dict[str, Any]) -> StripeRequest:
    return _record(
        request,
        state=State.DONE,
        is_outcome_unknown=False,
        stripe_object_id=answer["id"],
        response=answer,
        last_error="",
        done_at=timezone.now(),
    )


def _record_refusal(request: StripeRequest, refusal: StripeRefused) -> StripeRequest:
    return _record(
        request,
        state=State.REFUSED,
        is_outcome_unknown=False,
        refusal_code=refusal.code,
        last_error=refusal.message[:500],
        done_at=timezone.now(),
    )


def _record(request: StripeRequest, **values: Any) -> StripeRequest:
    """Record the end of a request and apply it, both or neither; a second time does nothing."""
    with transaction.atomic(durable=True):
        changed = StripeRequest.objects.filter(pk=request.pk, state=State.DUE).update(
            sending_until=None, **values
        )
        request.refresh_from_db()
        if changed:
            _appliers[request.kind](request)
    return request


def _put_off(
    request: StripeRequest, error: str, *, is_outcome_unknown: bool, is_new_key: bool
) -> StripeRequest:
    """Make a request due later, twice as late each time; after the last attempt a person looks."""
    key = request.idempotency_key
    if is_new_key:
        # Stripe repeats its first answer for a key, so that the old one would fail for ever. The
        # next attempt reads first where the outcome is unknown.
        base, _, renewed = key.partition("~")
        key = f"{base}~{int(renewed or 0) + 1}"
    is_over = request.attempts >= ATTEMPTS_MAX
    logger.warning("Stripe: %s, attempt %s: %s", request, request.attempts, error)
    StripeRequest.objects.filter(pk=request.pk, state=State.DUE).update(
        state=State.NEEDS_ATTENTION if is_over else State.DUE,
        is_outcome_unknown=is_outcome_unknown,
        idempotency_key=key,
        next_try_at=timezone.now() + timedelta(minutes=2 ** (request.attempts - 1)),
        sending_until=None,
        last_error=error[:500],
    )
    request.refresh_from_db()
    return request


def try_again(request_id: UUID) -> bool:
    """Make a request that needs attention due again; for an admin who has looked."""
    changed = StripeRequest.objects.filter(pk=request_id, state=State.NEEDS_ATTENTION).update(
        state=State.DUE, attempts=0, next_try_at=timezone.now()
    )
    return changed == 1


def send_due_requests() -> int:
    """Send everything that is due, each on its own; return how many were tried."""
    ids = due_requests()
    for request_id in ids:
        try:
            send_request(request_id)
        except Exception:
            # One broken request must not keep the others; its lease makes it due again.
            logger.exception("Sending %s failed", request_id)
    return len(ids)
