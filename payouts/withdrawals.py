"""Withdrawals: a creator's revenue, reserved in the ledger, sent to Stripe, then posted or voided.

Each arrow is one transaction, and nothing is sent within one:

    request    checks, the row, the reserve, the request to Stripe     (or: waits for an admin)
    send       the outbox sends it, and reads first where the outcome is unknown
    apply      sent -> posted and paid; refused for good -> voided, the money is back
    return     what Stripe reverses later comes back as revenue

A crash between any two leaves a request that is due, and the tick goes on. Nothing is ever voided
because an answer did not come.
"""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from buttons.ownership import recheck_claims_of
from funds import ledger, outbox, stripe_gateway
from funds.hints import hint
from funds.models import LedgerAccount, StripeEvent, StripeRequest, Transfer
from funds.money import cents_floor, micros_of_cents
from funds.returns import uuid_of
from funds.stripe_gateway import Json
from payouts.models import ConnectedAccount, Withdrawal

REQUEST = "withdrawal"
SEND_TASK = "funds.tasks.send_due_requests"

# Counted in PostgreSQL, so that the limit holds while Redis is down.
REQUESTS_PER_HOUR = 5

State = Withdrawal.State
Code = Transfer.Code

# What a creator reads when Stripe refuses for good; the admin sees Stripe's own words.
CHECK_YOUR_ACCOUNT = (
    "Stripe does not accept money for your account at the moment. Check your details at Stripe, "
    "then try again."
)
FAILURES = {
    "insufficient_capabilities_for_transfer": CHECK_YOUR_ACCOUNT,
    "account_closed": CHECK_YOUR_ACCOUNT,
    "account_invalid": CHECK_YOUR_ACCOUNT,
    "resource_missing": CHECK_YOUR_ACCOUNT,
    "transfers_not_allowed": "Stripe cannot send money from here to the country of your account.",
}
OTHER_FAILURE = "Stripe refused this transfer. The people who run this site can see why."


class NotWholeCents(Exception):
    """Stripe moves whole cents only."""


class BelowMinimum(Exception):
    """Less than the smallest withdrawal."""


class NotOnboarded(Exception):
    """Stripe does not send money to this user yet."""


class TooManyWithdrawals(Exception):
    """More requests in an hour than anybody needs."""


class WithdrawalConflict(Exception):
    """The same request came before with another content, or from somebody else."""


class NotInReview(Exception):
    """The withdrawal does not wait for an admin (any more)."""


class OwnWithdrawal(Exception):
    """Nobody reviews their own withdrawal."""


def revenue_account(user: User, currency: str) -> LedgerAccount:
    return ledger.account_of(LedgerAccount.Code.REVENUE, currency=currency, user=user)


def withdrawable_micros(user: User, currency: str) -> int:
    """Return the whole cents that a user may withdraw now; the rest of a cent stays."""
    return micros_of_cents(cents_floor(revenue_account(user, currency).available_micros))


def request_withdrawal(
    user: User, amount_micros: int, currency: str, withdrawal_id: UUID
) -> Withdrawal:
    """Reserve an amount and have it sent; the same id again returns the first withdrawal.

    The id is made before the first attempt, so that a form sent twice asks once. Raises
    NotWholeCents, BelowMinimum, NotOnboarded, TooManyWithdrawals, WithdrawalConflict or
    ledger.InsufficientFunds, and then nothing has happened.
    """
    if micros_of_cents(cents_floor(amount_micros)) != amount_micros:
        raise NotWholeCents
    if amount_micros < settings.WITHDRAWAL_MIN_MICROS:
        raise BelowMinimum
    with transaction.atomic():
        # One request of a user at a time; the row is there before anybody may withdraw.
        account = ConnectedAccount.objects.select_for_update().filter(user=user).first()
        known = Withdrawal.objects.filter(pk=withdrawal_id).first()
        if known:
            return _same_withdrawal(known, user, amount_micros, currency)
        if account is None or not account.is_payouts_enabled or not user.is_active:
            raise NotOnboarded
        if _asked_within_an_hour(user) >= REQUESTS_PER_HOUR:
            raise TooManyWithdrawals
        withdrawal = Withdrawal.objects.create(
            pk=withdrawal_id,
            user=user,
            currency=currency,
            amount_micros=amount_micros,
            state=State.IN_REVIEW if needs_review(user) else State.SENDING,
        )
        ledger.pend(
            fact_of(withdrawal),
            Code.WITHDRAWAL,
            debit=revenue_account(user, currency),
            credit=_stripe_balance(withdrawal),
            amount_micros=amount_micros,
        )
        if withdrawal.state == State.SENDING:
            _write_request(withdrawal, account)
        if not user.withdrawals.exclude(pk=withdrawal.pk).exists():
            # Whoever decides about a first withdrawal sees whether the buttons are still there.
            recheck_claims_of(user)
    return withdrawal


def approve_withdrawal(withdrawal_id: UUID, admin: User) -> Withdrawal:
    """Have a withdrawal in review sent. Raises NotInReview or OwnWithdrawal."""
    with transaction.atomic():
        withdrawal = _claim_review(withdrawal_id, admin)
        account = ConnectedAccount.objects.get(user=withdrawal.user)
        withdrawal.state = State.SENDING
        withdrawal.save(update_fields=["state", "reviewed_by", "reviewed_at"])
        _write_request(withdrawal, account)
    return withdrawal


def refuse_withdrawal(withdrawal_id: UUID, admin: User, reason: str) -> Withdrawal:
    """Give the money of a withdrawal in review back, and tell the creator why.

    Raises NotInReview or OwnWithdrawal.
    """
    assert reason, "A refusal tells its reason."
    with transaction.atomic():
        withdrawal = _claim_review(withdrawal_id, admin)
        withdrawal.save(update_fields=["reviewed_by", "reviewed_at"])
        _refuse(withdrawal, reason)
    return withdrawal


def apply_withdrawal_request(request: StripeRequest) -> None:
    """Post what Stripe sent, or give back what it refused for good; a repeat does nothing.

    Runs in the transaction that records the answer.
    """
    withdrawal = Withdrawal.objects.select_for_update().get(pk=request.subject_id)
    if request.state == StripeRequest.State.DONE:
        assert request.response, "A request that is done has its answer."
        _apply_transfer(withdrawal, request.response)
    elif withdrawal.state == State.SENDING:
        _refuse(withdrawal, FAILURES.get(request.refusal_code, OTHER_FAILURE))
        hint("payouts.tasks.refresh_connected_account", withdrawal.user_id)


def handle_transfer_event(event: StripeEvent) -> None:
    """Fetch the transfer that an event is about, and book what was sent or came back.

    Transfers that are no withdrawals are the operator's own.
    """
    body = stripe_gateway.retrieve_transfer(event.object_id)
    kind, _, reference = str(body.get("transfer_group") or "").partition(":")
    withdrawal_id = uuid_of(reference)
    if kind != REQUEST or withdrawal_id is None:
        return
    withdrawal = Withdrawal.objects.select_for_update().filter(pk=withdrawal_id).first()
    if withdrawal:
        _apply_transfer(withdrawal, body)


def needs_review(user: User) -> bool:
    """Say whether the next withdrawal of a user waits for an admin: only until one was paid."""
    is_known = user.withdrawals.filter(state=State.PAID).exists()
    return bool(settings.REVIEW_FIRST_WITHDRAWAL) and not is_known


def fact_of(withdrawal: Withdrawal) -> str:
    return f"withdrawal:{withdrawal.pk}"


def returned_micros(withdrawal: Withdrawal) -> int:
    """Return how much of a withdrawal has come back as revenue."""
    back = Transfer.objects.filter(
        code=Code.WITHDRAWAL_RETURN,
        credit_account=revenue_account(withdrawal.user, withdrawal.currency),
        fact__startswith=f"withdrawal_return:{withdrawal.pk}:",
    )
    return sum(back.values_list("amount_micros", flat=True))


def _stripe_balance(withdrawal: Withdrawal) -> LedgerAccount:
    return ledger.account_of(LedgerAccount.Code.STRIPE_BALANCE, currency=withdrawal.currency)


def _pending(withdrawal: Withdrawal) -> Transfer:
    transfers = Transfer.objects.select_related("debit_account", "credit_account")
    return transfers.get(pk=ledger.transfer_id(fact_of(withdrawal)))


def _same_withdrawal(
    known: Withdrawal, user: User, amount_micros: int, currency: str
) -> Withdrawal:
    found = (known.user_id, known.amount_micros, known.currency)
    if found != (user.pk, amount_micros, currency):
        raise WithdrawalConflict
    return known


def _asked_within_an_hour(user: User) -> int:
    return user.withdrawals.filter(created_at__gt=timezone.now() - timedelta(hours=1)).count()


def _write_request(withdrawal: Withdrawal, account: ConnectedAccount) -> None:
    """Write down what Stripe is to do; `transfer_group` is how it is found again."""
    params = {
        "amount": cents_floor(withdrawal.amount_micros),
        "currency": withdrawal.currency.lower(),
        "destination": account.stripe_account_id,
        "transfer_group": fact_of(withdrawal),
        "metadata": {"withdrawal": str(withdrawal.pk)},
    }
    outbox.write_request(REQUEST, withdrawal.pk, params, idempotency_key=fact_of(withdrawal))
    hint(SEND_TASK)


def _claim_review(withdrawal_id: UUID, admin: User) -> Withdrawal:
    # Only its own row: the reviewer's column may be empty, and outer joins cannot be locked.
    withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal_id)
    if withdrawal.state != State.IN_REVIEW:
        raise NotInReview
    if withdrawal.user_id == admin.pk:
        raise OwnWithdrawal
    withdrawal.reviewed_by, withdrawal.reviewed_at = admin, timezone.now()
    return withdrawal


def _refuse(withdrawal: Withdrawal, failure: str) -> None:
    ledger.void_pending(_pending(withdrawal))
    withdrawal.state, withdrawal.failure = State.REFUSED, failure
    withdrawal.ended_at = timezone.now()
    withdrawal.save(update_fields=["state", "failure", "ended_at"])


def _apply_transfer(withdrawal: Withdrawal, body: Json) -> None:
    """Book what Stripe's transfer says: sent, and how much of it has been reversed since."""
    assert withdrawal.state != State.IN_REVIEW, "Nothing is sent before it is approved."
    if withdrawal.state == State.SENDING:
        ledger.post_pending(_pending(withdrawal))
        withdrawal.state, withdrawal.stripe_transfer_id = State.PAID, body["id"]
        withdrawal.ended_at = timezone.now()
        withdrawal.save(update_fields=["state", "stripe_transfer_id", "ended_at"])
    assert withdrawal.stripe_transfer_id == body["id"], "One withdrawal is one transfer."
    _book_return(withdrawal, micros_of_cents(body["amount_reversed"]))


def _book_return(withdrawal: Withdrawal, reversed_micros: int) -> None:
    """Book what came back since the last time; Stripe says how much in all."""
    missing = reversed_micros - returned_micros(withdrawal)
    if missing <= 0:
        return
    ledger.post(
        f"withdrawal_return:{withdrawal.pk}:{reversed_micros}",
        Code.WITHDRAWAL_RETURN,
        debit=_stripe_balance(withdrawal),
        credit=revenue_account(withdrawal.user, withdrawal.currency),
        amount_micros=missing,
    )
    is_all = reversed_micros == withdrawal.amount_micros
    withdrawal.state = State.RETURNED if is_all else withdrawal.state
    withdrawal.failure = (
        "It came back from Stripe and is part of your revenue again."
        if is_all
        else "A part of it came back from Stripe and is part of your revenue again."
    )
    withdrawal.ended_at, withdrawal.mailed_at = timezone.now(), None
    withdrawal.save(update_fields=["state", "failure", "ended_at", "mailed_at"])
