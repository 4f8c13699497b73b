"""Money that goes back: unspent funds to the method that paid them, never to anybody else.

A return reserves the amount (a pending transfer) before Stripe is asked, moves it when Stripe says
that the refund was made, and gives it back to funds when it was refused or came back.
"""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import User
from funds import outbox, stripe_gateway
from funds.ledger import (
    account_of,
    available_micros,
    lock_accounts,
    pend,
    post,
    post_pending,
    transfer_id,
    void_pending,
)
from funds.models import (
    LedgerAccount,
    StripeEvent,
    StripeRequest,
    TopUp,
    TopUpReturn,
    Transfer,
)
from funds.money import MICROS_PER_CENT, cents_floor
from funds.stripe_gateway import Json
from funds.top_ups import SENT_BY_CALLER

Code = LedgerAccount.Code
State = TopUpReturn.State

RETURN_DAYS = 14


class NothingToReturn(Exception):
    """The money of this top-up was given, was returned, or is older than the rule allows."""


class UnknownRefund(Exception):
    """A refund that was not started here: a person has to book it."""


def returnable_micros(top_up: TopUp) -> int:
    """Return the whole cents of a top-up that may go back now, zero after fourteen days.

    First in, first out: what is stored belongs to the latest payments. Otherwise a stolen card
    could pay, and an earlier payment be returned to the thief's own.
    """
    if top_up.state != TopUp.State.PAID or top_up.paid_at is None:
        return 0
    if top_up.paid_at < timezone.now() - timedelta(days=RETURN_DAYS):
        return 0
    others = TopUp.objects.filter(user=top_up.user_id, currency=top_up.currency).exclude(
        pk=top_up.pk
    )
    later = others.filter(state=TopUp.State.PAID, paid_at__gt=top_up.paid_at)
    stored = available_micros(_funds_of(top_up.user, top_up.currency))
    amount = min(_left_micros([top_up]), stored - _left_micros(later))
    return max(amount - amount % MICROS_PER_CENT, 0)


def _left_micros(top_ups: Iterable[TopUp]) -> int:
    """Return what has not gone back of these payments, and is not on its way back."""
    kept = sum(top_up.amount_micros - top_up.returned_micros for top_up in top_ups)
    going = TopUpReturn.objects.filter(top_up__in=top_ups, state=State.PENDING)
    return kept - sum(going.values_list("amount_micros", flat=True))


def refund_top_up(top_up: TopUp) -> TopUpReturn:
    """Return what is unspent of a top-up to the method that paid it.

    Raises NothingToReturn. While Stripe does not answer, the amount stays reserved and the outbox
    goes on.
    """
    with transaction.atomic(durable=True):
        top_up = TopUp.objects.select_for_update(of=("self",)).get(pk=top_up.pk)
        funds = _funds_of(top_up.user, top_up.currency)
        # The amount is computed from the balance, so the balance must stand still.
        lock_accounts([funds.pk])
        amount_micros = returnable_micros(top_up)
        if not amount_micros:
            raise NothingToReturn
        returned = TopUpReturn.objects.create(top_up=top_up, amount_micros=amount_micros)
        pend(
            _fact(returned),
            Transfer.Code.TOP_UP_REVERSAL,
            debit=funds,
            credit=account_of(Code.STRIPE_BALANCE, currency=top_up.currency),
            amount_micros=amount_micros,
        )
        request = outbox.write_request(
            kind="refund",
            subject_id=returned.pk,
            params={
                "payment_intent": top_up.stripe_payment_intent_id,
                "amount": cents_floor(amount_micros),
                "metadata": {"top_up_return_id": str(returned.pk)},
            },
            idempotency_key=f"refund:{returned.pk}",
            next_try_at=timezone.now() + SENT_BY_CALLER,
        )
    outbox.send_request(request.pk)
    returned.refresh_from_db()
    return returned


def _fact(returned: TopUpReturn) -> str:
    return f"top_up_reversal:{returned.pk}"


def _pending(returned: TopUpReturn) -> Transfer:
    return Transfer.objects.get(pk=transfer_id(_fact(returned)))


def _funds_of(user: User, currency: str) -> LedgerAccount:
    return account_of(Code.FUNDS, currency=currency, user=user)


def apply_refund_request(request: StripeRequest) -> None:
    """Apply Stripe's answer to a refund: made, on its way, or refused."""
    returned = TopUpReturn.objects.select_for_update().get(pk=request.subject_id)
    _lock_top_up(returned)
    if request.state == StripeRequest.State.REFUSED:
        _fail(returned, request.last_error)
    elif request.response is not None:
        _apply(returned, request.response)


def handle_refund_event(event: StripeEvent) -> None:
    """Apply `refund.*`: lock the return, ask Stripe how the refund stands, and do it, once."""
    reference = (event.body["data"]["object"].get("metadata") or {}).get("top_up_return_id", "")
    returned = (
        TopUpReturn.objects.select_for_update()
        .filter(Q(stripe_refund_id=event.object_id) | Q(pk=uuid_of(reference)))
        .first()
    )
    if returned is None:
        raise UnknownRefund(event.object_id)
    _lock_top_up(returned)
    _apply(returned, stripe_gateway.retrieve_refund(event.object_id))


def _lock_top_up(returned: TopUpReturn) -> None:
    """Lock the top-up before its ledger accounts, in the order in which a new return locks them."""
    TopUp.objects.select_for_update(of=("self",)).get(pk=returned.top_up_id)


def uuid_of(text: str) -> UUID | None:
    """Return the id that a reference at Stripe holds, or None where it is somebody else's."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _apply(returned: TopUpReturn, refund: Json) -> None:
    TopUpReturn.objects.filter(pk=returned.pk).update(stripe_refund_id=refund["id"])
    if refund["status"] == "succeeded":
        _finish(returned)
    elif refund["status"] in ("failed", "canceled"):
        _fail(returned, refund.get("failure_reason") or "The bank sent it back.")


def _finish(returned: TopUpReturn) -> None:
    """Move the reserved money; one that came back later is not moved a second time."""
    is_new = TopUpReturn.objects.filter(pk=returned.pk, state=State.PENDING).update(
        state=State.DONE
    )
    if is_new:
        post_pending(_pending(returned))
        _change_returned(returned, returned.amount_micros)


def _fail(returned: TopUpReturn, failure: str) -> None:
    """Give the money back to funds, whether it was reserved or had gone."""
    pending = _pending(returned)
    changed = TopUpReturn.objects.filter(pk=returned.pk).exclude(state=State.FAILED)
    if not changed.update(state=State.FAILED, failure=failure[:200]):
        return
    if returned.state == State.PENDING:
        void_pending(pending, reason="The refund was refused.")
        return
    post(
        f"{pending.fact}:failed",
        Transfer.Code.CORRECTION,
        debit=pending.credit_account,
        credit=pending.debit_account,
        amount_micros=returned.amount_micros,
        reason="The refund came back from the bank.",
    )
    _change_returned(returned, -returned.amount_micros)


def _change_returned(returned: TopUpReturn, amount_micros: int) -> None:
    top_ups = TopUp.objects.filter(pk=returned.top_up_id)
    top_ups.update(returned_micros=F("returned_micros") + amount_micros)
    top_ups.filter(returned_micros=F("amount_micros")).update(state=TopUp.State.RETURNED)
    top_ups.filter(returned_micros__lt=F("amount_micros"), state=TopUp.State.RETURNED).update(
        state=TopUp.State.PAID
    )
