"""Top-ups: from the first press to the credit.

The browser's way back changes nothing. Money is credited when Stripe says that it was paid: a
verified event, or the question to Stripe that makes up for a lost one.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urljoin
from uuid import NAMESPACE_URL, UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from funds import outbox, stripe_gateway
from funds.budgets import budget_micros, hint_means_gained
from funds.ledger import account_of, post
from funds.models import (
    LedgerAccount,
    StripeCustomer,
    StripeEvent,
    StripeRequest,
    TopUp,
    Transfer,
)
from funds.money import MICROS_PER_CENT, cents_floor, micros_of_cents
from funds.stripe_gateway import Json, StripeRefused, StripeUnreachable

logger = logging.getLogger(__name__)

Code = LedgerAccount.Code
State = TopUp.State

METHODS = ["card", "paypal"]
STARTS_PER_HOUR = 10
# Stripe's hosted page stays open this long; its smallest is half an hour.
SESSION_LIFE = timedelta(hours=1)
# The tick leaves a request alone that its caller is sending right now.
SENT_BY_CALLER = timedelta(minutes=2)
OPEN_STATES = (State.STARTED, State.PROCESSING)


class TopUpTooSmall(ValueError):
    """Less than the smallest top-up, or not whole cents."""


@dataclass
class FundsFull(Exception):
    """The top-up would lift the stored funds above the most an instance keeps for one person."""

    room_micros: int


class TooManyTopUps(Exception):
    """More top-ups were started in an hour than a person needs."""


class TopUpMismatch(Exception):
    """Stripe names another amount, currency or user than the top-up: a person has to look."""


def start_top_up(user: User, amount_micros: int, return_to: str = "") -> TopUp:
    """Start a top-up and return it; `checkout_url` leads to the hosted page.

    `return_to` is a path of this site. An earlier checkout that is still open is closed first, so
    that a person has one at a time. Raises TopUpTooSmall, FundsFull, TooManyTopUps,
    StripeUnreachable (no money moved, it can be tried again) or StripeRefused.
    """
    if amount_micros < settings.TOP_UP_MIN_MICROS or amount_micros % MICROS_PER_CENT:
        raise TopUpTooSmall(amount_micros)
    # Before anything is asked of Stripe; an open checkout takes no room, as it is closed next.
    _check_room(user, amount_micros, (State.PROCESSING,))
    customer_id = ensure_customer(user)
    for earlier in TopUp.objects.filter(user=user, state=State.STARTED):
        try:
            close_checkout(earlier)
        except (TopUpMismatch, StripeRefused):
            # It waits for an admin, and takes its room meanwhile; this one is another payment.
            logger.exception("%s could not be closed", earlier)
    with transaction.atomic(durable=True):
        # One start of a user at a time, so that two cannot share the room that is left.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        _check_room(user, amount_micros, OPEN_STATES)
        top_up = TopUp.objects.create(
            user=user, currency=user.currency, amount_micros=amount_micros, return_to=return_to
        )
        request = outbox.write_request(
            kind="checkout_session",
            subject_id=top_up.pk,
            params=session_params(top_up, customer_id),
            idempotency_key=f"checkout_session:{top_up.pk}",
            next_try_at=timezone.now() + SENT_BY_CALLER,
        )
    _raise_unless_done(outbox.send_request(request.pk))
    top_up.refresh_from_db()
    return top_up


def has_begun(user: User) -> bool:
    """Say whether a user set a monthly budget and paid once: before that, both are asked in one."""
    paid = TopUp.objects.filter(user=user, paid_at__isnull=False)
    funds = account_of(Code.FUNDS, currency=user.currency, user=user)
    return budget_micros(user) > 0 and (funds.available_micros > 0 or paid.exists())


def room_micros(user: User, counted_states: tuple[str, ...] = OPEN_STATES) -> int:
    """Return how much more may be stored, with what is on its way counted as if it were here."""
    stored = account_of(Code.FUNDS, currency=user.currency, user=user).available_micros
    coming = TopUp.objects.filter(user=user, state__in=counted_states)
    on_its_way = coming.aggregate(sum=Sum("amount_micros"))["sum"] or 0
    return int(max(settings.FUNDS_MAX_MICROS - stored - on_its_way, 0))


def _check_room(user: User, amount_micros: int, counted_states: tuple[str, ...]) -> None:
    an_hour_ago = timezone.now() - timedelta(hours=1)
    if TopUp.objects.filter(user=user, created_at__gt=an_hour_ago).count() >= STARTS_PER_HOUR:
        raise TooManyTopUps
    room = room_micros(user, counted_states)
    if amount_micros > room:
        raise FundsFull(room)


def session_params(top_up: TopUp, customer_id: str) -> Json:
    """Return the exact request of the hosted page; it is stored, and never computed again."""
    here = urljoin(settings.BASE_URL, reverse("funds:top-up", args=[top_up.pk]))
    metadata = {"top_up_id": str(top_up.pk)}
    return {
        "mode": "payment",
        "customer": customer_id,
        "client_reference_id": str(top_up.pk),
        "metadata": metadata,
        "allowed_payment_method_types": METHODS,
        "payment_intent_data": {"setup_future_usage": "off_session", "metadata": metadata},
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": top_up.currency.lower(),
                    "unit_amount": cents_floor(top_up.amount_micros),
                    "product_data": {"name": "Flattr funds"},
                },
            }
        ],
        "expires_at": int((timezone.now() + SESSION_LIFE).timestamp()),
        "success_url": f"{here}?back=paid",
        "cancel_url": f"{here}?back=unpaid",
    }


def ensure_customer(user: User) -> str:
    """Return the id of the user's customer at Stripe, making it if need be."""
    found = StripeCustomer.objects.filter(user=user).first()
    if found:
        return found.stripe_customer_id
    subject_id = _customer_subject(user)
    with transaction.atomic(durable=True):
        request = outbox.write_request(
            kind="customer",
            subject_id=subject_id,
            params={"email": user.email, "metadata": {"user_id": str(user.pk)}},
            idempotency_key=f"customer:{subject_id}:{_refused(subject_id) + 1}",
            next_try_at=timezone.now() + SENT_BY_CALLER,
        )
    # The request may be an old one that failed; the person who is here now does not wait for it.
    _raise_unless_done(outbox.send_request(request.pk, is_hurried=True))
    return StripeCustomer.objects.get(user=user).stripe_customer_id


def _customer_subject(user: User) -> UUID:
    return uuid5(NAMESPACE_URL, f"{settings.BASE_URL}/users/{user.pk}")


def _refused(subject_id: UUID) -> int:
    """Count refusals, so that a person who corrects their address is asked for anew."""
    refused = StripeRequest.State.REFUSED
    return StripeRequest.objects.filter(subject_id=subject_id, state=refused).count()


def _raise_unless_done(request: StripeRequest) -> None:
    if request.state == StripeRequest.State.REFUSED:
        raise StripeRefused(request.last_error, request.refusal_code)
    if request.state != StripeRequest.State.DONE:
        raise StripeUnreachable(request.last_error)


def apply_customer(request: StripeRequest) -> None:
    """Keep the customer that Stripe made; a refusal leaves nothing to keep."""
    if request.state == StripeRequest.State.DONE:
        StripeCustomer.objects.bulk_create(
            [
                StripeCustomer(
                    user_id=int(request.params["metadata"]["user_id"]),
                    stripe_customer_id=request.stripe_object_id,
                )
            ],
            ignore_conflicts=True,
        )


def apply_session_request(request: StripeRequest) -> None:
    """Keep the hosted page that Stripe opened, or that it refused to."""
    started = TopUp.objects.filter(pk=request.subject_id, state=State.STARTED)
    if request.state == StripeRequest.State.DONE:
        started.update(stripe_checkout_session_id=request.stripe_object_id)
    else:
        started.update(state=State.FAILED, failure=request.last_error[:200])


def checkout_url(top_up: TopUp) -> str:
    """Return the address of the hosted page, empty once it is closed or before it is open."""
    if top_up.state != State.STARTED or not top_up.stripe_checkout_session_id:
        return ""
    request = StripeRequest.objects.filter(
        subject_id=top_up.pk, kind="checkout_session", state=StripeRequest.State.DONE
    ).first()
    return str((request and request.response and request.response.get("url")) or "")


def close_checkout(top_up: TopUp) -> None:
    """Close the hosted page of a top-up that nobody finished, and apply what became of it.

    One whose page was never confirmed is given up: nobody has learnt its address. Raises
    StripeUnreachable, StripeRefused or TopUpMismatch, and then it stays as it is.
    """
    never_opened = TopUp.objects.filter(pk=top_up.pk, stripe_checkout_session_id=None)
    if never_opened.filter(state__in=OPEN_STATES).update(state=State.EXPIRED):
        return
    # It may have opened since it was read, and then somebody knows its address.
    top_up.refresh_from_db()
    session_id = top_up.stripe_checkout_session_id
    if not session_id:
        return
    # A refusal says that it is not open any more: paid in another tab, or expired. What it is
    # the next line finds out.
    with suppress(StripeRefused):
        stripe_gateway.expire_session(session_id)
    apply_session(top_up.pk, session_id)


def handle_session_event(event: StripeEvent) -> None:
    """Apply `checkout.session.*`; a session that is not of a top-up is none of ours."""
    reference = event.body["data"]["object"].get("client_reference_id") or ""
    top_up_id = _uuid(reference)
    if top_up_id:
        apply_session(top_up_id, event.object_id)


def handle_charge_event(event: StripeEvent) -> None:
    """Apply `charge.updated`: Stripe may book the fee after the session was completed."""
    top_up = TopUp.objects.filter(stripe_charge_id=event.object_id).first()
    if top_up and top_up.stripe_checkout_session_id:
        apply_session(top_up.pk, top_up.stripe_checkout_session_id)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def apply_session(top_up_id: UUID, session_id: str) -> None:
    """Lock a top-up, ask Stripe how its session stands, and do what follows from it, once.

    Called for each event, in any order, any number of times; also instead of a lost one.
    """
    with transaction.atomic():
        top_up = TopUp.objects.select_for_update().filter(pk=top_up_id).first()
        if top_up is None:
            return
        session = stripe_gateway.retrieve_session(session_id)
        if session["client_reference_id"] != str(top_up.pk):
            raise TopUpMismatch(f"{session_id} is not of top-up {top_up.pk}")
        intent = session["payment_intent"] or {}
        if session["status"] == "complete" and session["payment_status"] == "paid":
            _credit(top_up, session, intent)
        elif session["status"] == "complete":
            is_processing = intent.get("status") == "processing"
            _move_on(
                top_up,
                State.PROCESSING if is_processing else State.FAILED,
                session_id,
                "" if is_processing else _failure(intent),
            )
        elif session["status"] == "expired":
            _move_on(top_up, State.EXPIRED, session_id, "")


def _failure(intent: Json) -> str:
    error = intent.get("last_payment_error") or {}
    return str(error.get("message") or "The payment was not confirmed.")[:200]


def _move_on(top_up: TopUp, state: str, session_id: str | None, failure: str) -> None:
    """Record what became of an unpaid top-up; one that is paid stays paid."""
    TopUp.objects.filter(pk=top_up.pk, state__in=OPEN_STATES).update(
        state=state, stripe_checkout_session_id=session_id, failure=failure
    )


def _credit(top_up: TopUp, session: Json, intent: Json) -> None:
    """Credit a paid top-up and book what Stripe kept of it; both at most once."""
    charge = intent["latest_charge"]
    cents = cents_floor(top_up.amount_micros)
    if (session["amount_total"], session["currency"].upper()) != (cents, top_up.currency):
        raise TopUpMismatch(f"{session['id']} is of another amount than top-up {top_up.pk}")
    at_stripe = account_of(Code.STRIPE_BALANCE, currency=top_up.currency)
    post(
        f"top_up:{top_up.pk}",
        Transfer.Code.TOP_UP,
        debit=at_stripe,
        credit=account_of(Code.FUNDS, currency=top_up.currency, user=top_up.user),
        amount_micros=top_up.amount_micros,
    )
    # A top-up that failed or expired and is paid after all is paid; one that went back stays back.
    is_new = (
        TopUp.objects.filter(pk=top_up.pk)
        .exclude(state__in=[State.PAID, State.RETURNED])
        .update(
            state=State.PAID,
            failure="",
            paid_at=timezone.now(),
            stripe_checkout_session_id=session["id"],
            stripe_payment_intent_id=intent["id"],
            stripe_charge_id=charge["id"],
        )
    )
    _book_fee(top_up, charge["balance_transaction"])
    if is_new:
        hint_means_gained(top_up.user)


def _book_fee(top_up: TopUp, booked: Json | None) -> None:
    """Book the processor's fee of a charge, which the instance bears."""
    if booked is None:
        return
    if booked["currency"].upper() != top_up.currency:
        raise TopUpMismatch(f"top-up {top_up.pk} was settled in {booked['currency']}")
    fee_micros = micros_of_cents(booked["fee"])
    if fee_micros:
        post(
            f"processor_fee:{booked['id']}",
            Transfer.Code.PROCESSOR_FEE,
            debit=account_of(Code.PROCESSOR_FEES, currency=top_up.currency),
            credit=account_of(Code.STRIPE_BALANCE, currency=top_up.currency),
            amount_micros=fee_micros,
        )
    TopUp.objects.filter(pk=top_up.pk).update(processor_fee_micros=fee_micros)


def stale_top_ups() -> list[TopUp]:
    """Return the top-ups whose news may have been lost: open for long, or without their fee."""
    return list(
        TopUp.objects.filter(stripe_checkout_session_id__isnull=False)
        .filter(
            Q(state=State.STARTED, created_at__lt=timezone.now() - SESSION_LIFE * 2)
            | Q(state=State.PROCESSING, created_at__lt=timezone.now() - timedelta(days=1))
            | Q(
                state=State.PAID,
                processor_fee_micros=None,
                paid_at__lt=timezone.now() - timedelta(hours=1),
            )
        )
        .order_by("created_at")[:100]
    )
