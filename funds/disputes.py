"""Disputed top-ups: who bears the money that a bank takes back, step by step.

First the patron's own funds, as far as they are there, then the instance (`dispute_losses`).
What a closed month gave to creators is not touched.
"""

from django.db import transaction

from funds import stripe_gateway
from funds.ledger import account_of, available_micros, lock_accounts, post, transfer_id
from funds.models import LedgerAccount, StripeEvent, TopUp, Transfer
from funds.money import micros_of_cents
from funds.stripe_gateway import Json

Code = LedgerAccount.Code


class UnknownCharge(Exception):
    """A dispute of a charge that is no top-up: a person has to look."""


def handle_dispute_event(event: StripeEvent) -> None:
    """Apply `charge.dispute.*`: book each line that the dispute has in Stripe's books, once."""
    charge_id = event.body["data"]["object"]["charge"]
    with transaction.atomic():
        top_up = (
            TopUp.objects.select_for_update(of=("self",))
            .select_related("user")
            .filter(stripe_charge_id=charge_id)
            .first()
        )
        if top_up is None:
            raise UnknownCharge(charge_id)
        dispute = stripe_gateway.retrieve_dispute(event.object_id)
        # An inquiry has no lines: no money has moved yet.
        for line in dispute["balance_transactions"]:
            if line["amount"] < 0:
                _take(top_up, dispute["id"], line)
            else:
                _give_back(top_up, dispute["id"], line)
            _book_fee(top_up, line)


def _take(top_up: TopUp, dispute_id: str, line: Json) -> None:
    """Book what the bank took: from the patron what is there, the rest is the instance's loss."""
    facts = [f"dispute:{line['id']}", f"dispute_loss:{line['id']}"]
    if Transfer.objects.filter(pk__in=[transfer_id(fact) for fact in facts]).exists():
        return
    funds = account_of(Code.FUNDS, currency=top_up.currency, user=top_up.user)
    lock_accounts([funds.pk])
    amount_micros = micros_of_cents(-line["amount"])
    from_funds = min(available_micros(funds), amount_micros)
    at_stripe = account_of(Code.STRIPE_BALANCE, currency=top_up.currency)
    losses = account_of(Code.DISPUTE_LOSSES, currency=top_up.currency)
    if from_funds:
        post(
            facts[0],
            Transfer.Code.DISPUTE,
            debit=funds,
            credit=at_stripe,
            amount_micros=from_funds,
            reason=dispute_id,
        )
    if amount_micros > from_funds:
        post(
            facts[1],
            Transfer.Code.DISPUTE_LOSS,
            debit=losses,
            credit=at_stripe,
            amount_micros=amount_micros - from_funds,
            reason=dispute_id,
        )


def _give_back(top_up: TopUp, dispute_id: str, line: Json) -> None:
    """Book what a won dispute brings back: to the patron what was theirs, the rest to the loss."""
    taken = Transfer.objects.filter(code=Transfer.Code.DISPUTE, reason=dispute_id).first()
    amount_micros = micros_of_cents(line["amount"])
    to_funds = min(taken.amount_micros if taken else 0, amount_micros)
    at_stripe = account_of(Code.STRIPE_BALANCE, currency=top_up.currency)
    shares = [
        ("funds", account_of(Code.FUNDS, currency=top_up.currency, user=top_up.user), to_funds),
        (
            "losses",
            account_of(Code.DISPUTE_LOSSES, currency=top_up.currency),
            amount_micros - to_funds,
        ),
    ]
    for name, account, share_micros in shares:
        if share_micros:
            post(
                f"dispute_won:{line['id']}:{name}",
                Transfer.Code.DISPUTE_WON,
                debit=at_stripe,
                credit=account,
                amount_micros=share_micros,
                reason=dispute_id,
            )


def _book_fee(top_up: TopUp, line: Json) -> None:
    """Book the dispute's fee, or its return, which the instance bears either way."""
    fee_micros = micros_of_cents(abs(line["fee"]))
    if not fee_micros:
        return
    fees = account_of(Code.PROCESSOR_FEES, currency=top_up.currency)
    at_stripe = account_of(Code.STRIPE_BALANCE, currency=top_up.currency)
    if line["fee"] > 0:
        post(
            f"processor_fee:{line['id']}",
            Transfer.Code.PROCESSOR_FEE,
            debit=fees,
            credit=at_stripe,
            amount_micros=fee_micros,
        )
    else:
        post(
            f"processor_fee:{line['id']}:returned",
            Transfer.Code.CORRECTION,
            debit=at_stripe,
            credit=fees,
            amount_micros=fee_micros,
            reason="The fee of a won dispute was returned.",
        )
