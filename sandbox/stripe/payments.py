"""Customers, checkout, payments, refunds and disputes: what happens to money coming in."""

from sandbox.stripe import objects
from sandbox.stripe.errors import Json, Refusal, card_declined, no_such
from sandbox.stripe.world import World

MIN_CENTS = 50
AUTHENTICATION_REQUIRED = "authentication_required"

# Stripe's documented test cards (docs.stripe.com/testing) and what each does.
CARDS = {
    "4242424242424242": "Succeeds",
    "4000000000000002": "Is declined",
    "4000000000009995": "Is declined: insufficient funds",
    "4000000000000069": "Is declined: expired",
    "4000002500003155": "The bank asks once, later charges succeed",
    "4000002760003184": "The bank asks every time",
    "4000000000000341": "Succeeds now, later charges are declined",
    "4000000000000259": "Succeeds, then the holder disputes it",
    "4000000000005126": "Succeeds, a refund fails later",
    "4000000000007726": "Succeeds, a refund takes a while",
}
DECLINES = {
    "4000000000000002": ("card_declined", "generic_decline", "Your card was declined."),
    "4000000000009995": (
        "card_declined",
        "insufficient_funds",
        "Your card has insufficient funds.",
    ),
    "4000000000000069": ("expired_card", "expired_card", "Your card has expired."),
}
TOKENS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_createDispute": "4000000000000259",
    "pm_card_refundFail": "4000000000005126",
}


def create_customer(world: World, params: Json) -> Json:
    return world.store.put(objects.customer(world.new_id("cus"), world.now(), params))


def create_session(world: World, params: Json) -> Json:
    """Open a Checkout Session with a hosted page; only payments in one currency are known."""
    if params.get("mode") != "payment":
        raise Refusal("This sandbox knows mode=payment only.", param="mode")
    for name in ("line_items", "success_url"):
        if not params.get(name):
            raise Refusal(f"Missing required param: {name}.", code="parameter_missing", param=name)
    if customer := params.get("customer"):
        world.must_get("customer", customer, "customer", 400)
    total = 0
    for index, item in enumerate(params["line_items"]):
        price = item.get("price_data") or {}
        where = f"line_items[{index}][price_data][product_data][name]"
        if not (price.get("product_data") or {}).get("name"):
            raise Refusal(
                f"Missing required param: {where}.", code="parameter_missing", param=where
            )
        total += price.get("unit_amount", 0) * item.get("quantity", 1)
    check_minimum(total)
    now = world.now()
    expires_at = params.get("expires_at", now + 86_400)
    if not now + 1_790 <= expires_at <= now + 86_410:
        raise Refusal(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout"
            " Session creation.",
            param="expires_at",
        )
    session_id = world.new_id("cs_test")
    url = f"{world.base_url}/c/pay/{session_id}"
    return world.store.put(objects.checkout_session(session_id, now, params, total, url))


def check_minimum(amount: int) -> None:
    if amount < MIN_CENTS:
        raise Refusal(
            "The total amount must be at least the smallest chargeable amount.",
            code="amount_too_small",
            param="amount",
        )
    if amount > 99_999_999:
        raise Refusal("Amount must be no more than 99999999.", code="amount_too_large")


def expire_session(world: World, session: Json) -> Json:
    if session["status"] != "open":
        raise Refusal(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
            f" Session has a status of `{session['status']}`."
        )
    session |= {"status": "expired", "url": None}
    world.store.put(session)
    world.emit("checkout.session.expired", session)
    return session


def expire_due_sessions(world: World) -> None:
    for session in world.store.all("checkout.session"):
        if session["status"] == "open" and session["expires_at"] <= world.now():
            expire_session(world, session)


def pay_session(world: World, session: Json, how: Json, answer: str = "") -> str:
    """Pay at the hosted page: return "paid", "pending" or "asks"; raises `Refusal` when declined.

    `answer` is what the person told the bank: "" when not asked yet, "yes" or "no".
    """
    if session["status"] != "open":
        raise Refusal("This Checkout Session is not open any more.")
    intent = _intent_of(world, session)
    method = objects.payment_method(world.new_id("pm"), world.now(), session["customer"], how)
    try:
        outcome = _confirm(world, intent, method, is_on_session=True, answer=answer)
    except Refusal:
        world.store.put(session)
        raise
    if outcome == "asks":
        world.store.put(session)
        return outcome
    session |= {
        "status": "complete",
        "payment_status": "paid" if outcome == "paid" else "unpaid",
        "customer_details": {
            "address": objects.NO_ADDRESS,
            "business_name": None,
            "email": how.get("email"),
            "individual_name": None,
            "name": None,
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
        "url": None,
    }
    world.store.put(session)
    world.emit("checkout.session.completed", session)
    return outcome


def _intent_of(world: World, session: Json) -> Json:
    if session["payment_intent"]:
        return world.must_get("payment_intent", session["payment_intent"])
    data = session["_payment_intent_data"]
    params = {
        "amount": session["amount_total"],
        "currency": session["currency"],
        "customer": session["customer"],
        "allowed_payment_method_types": session["payment_method_types"],
        **data,
    }
    intent = objects.payment_intent(world.new_id("pi"), world.now(), params)
    session["payment_intent"] = intent["id"]
    return world.store.put(intent)


def create_intent(world: World, params: Json) -> Json:
    """Create a payment, and with `confirm` charge it at once, the payer being away or not."""
    check_minimum(params["amount"])
    if customer := params.get("customer"):
        world.must_get("customer", customer, "customer", 400)
    if not params.get("confirm"):
        raise Refusal("This sandbox knows payments with confirm=true only.", param="confirm")
    method = _method_of(world, params)
    intent = objects.payment_intent(world.new_id("pi"), world.now(), params)
    _confirm(world, intent, method, is_on_session=not params.get("off_session"), answer="")
    return intent


def _method_of(world: World, params: Json) -> Json:
    name = params.get("payment_method")
    if not name:
        raise Refusal(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
        )
    if name in TOKENS:
        how = {"type": "card", "number": TOKENS[name]}
        return objects.payment_method(world.new_id("pm"), world.now(), params.get("customer"), how)
    method = world.store.get(name, "payment_method")
    if method is None:
        raise no_such("PaymentMethod", name, "payment_method", 400)
    if method["customer"] != params.get("customer"):
        raise Refusal(
            "The customer does not have a payment method with the ID"
            f" {name}. The payment method must be attached to the customer.",
            code="payment_method_customer_decline",
            param="payment_method",
        )
    return method


def _confirm(world: World, intent: Json, method: Json, *, is_on_session: bool, answer: str) -> str:
    """Charge, ask or decline; a decline is stored before `Refusal` is raised for it."""
    number = method["_number"]
    intent["payment_method"] = method["id"]
    if method["type"] == "paypal":
        return _charge(world, intent, method, is_pending=answer == "later")
    if number not in CARDS:
        reason = ("card_declined", "test_mode_live_card", "Your card was declined. Your request was"
                  " in test mode, but used a non test card.")  # fmt: skip
        raise _decline(world, intent, method, reason)
    if number in DECLINES:
        raise _decline(world, intent, method, DECLINES[number])
    if number == "4000000000000341" and not is_on_session:
        raise _decline(world, intent, method, DECLINES["4000000000000002"])
    asks = number == "4000002760003184" or (
        number == "4000002500003155" and not method["_is_set_up"]
    )
    if asks and answer != "yes":
        if is_on_session and answer == "":
            intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk"}}
            world.store.put(intent)
            world.emit("payment_intent.requires_action", intent)
            return "asks"
        if is_on_session:
            message = "We are unable to authenticate your payment method. Please choose a different payment method and try again."  # noqa: E501
            reason = ("payment_intent_authentication_failure", "", message)
        else:
            message = "Your card was declined. This transaction requires authentication."
            reason = (AUTHENTICATION_REQUIRED, AUTHENTICATION_REQUIRED, message)
        raise _decline(world, intent, method, reason)
    return _charge(world, intent, method, is_pending=False)


def _decline(world: World, intent: Json, method: Json, reason: tuple[str, str, str]) -> Refusal:
    code, decline_code, message = reason
    failed = objects.charge(world.new_id("ch"), world.now(), intent, method, "failed")
    failed |= {"failure_code": code, "failure_message": message}
    world.store.put(failed)
    error: Json = {"code": code, "message": message, "type": "card_error", "charge": failed["id"]}
    if decline_code:
        error["decline_code"] = decline_code
    intent |= {
        "status": "requires_payment_method",
        "last_payment_error": error,
        "latest_charge": failed["id"],
        "next_action": None,
        "payment_method": None,
    }
    world.store.put(intent)
    world.emit("charge.failed", failed)
    world.emit("payment_intent.payment_failed", intent)
    return card_declined(
        code, decline_code, message, charge=failed["id"], payment_intent=intent.copy()
    )


def _charge(world: World, intent: Json, method: Json, *, is_pending: bool) -> str:
    if intent["setup_future_usage"] == "off_session" and intent["customer"]:
        method["_is_set_up"] = True
    world.store.put(method)
    status = "pending" if is_pending else "succeeded"
    made = objects.charge(world.new_id("ch"), world.now(), intent, method, status)
    intent |= {"latest_charge": made["id"], "next_action": None, "last_payment_error": None}
    if is_pending:
        world.store.put(made)
        intent["status"] = "processing"
        world.store.put(intent)
        world.emit("charge.pending", made)
        world.emit("payment_intent.processing", intent)
        return "pending"
    _succeed(world, intent, made)
    if method["_number"] == "4000000000000259":
        open_dispute(world, made)
    return "paid"


def _succeed(world: World, intent: Json, made: Json) -> None:
    is_card = made["payment_method_details"]["type"] == "card"
    basis_points, fixed = (150, 25) if is_card else (299, 35)
    fee = (made["amount"] * basis_points + 5_000) // 10_000 + fixed
    booked = book(world, "charge", made["amount"], fee, made["currency"], made["id"])
    made |= {
        "balance_transaction": booked["id"],
        "status": "succeeded",
        "paid": True,
        "captured": True,
        "amount_captured": made["amount"],
    }
    world.store.put(made)
    intent |= {"status": "succeeded", "amount_received": made["amount"], "processing": None}
    world.store.put(intent)
    world.emit("charge.succeeded", made)
    world.emit("payment_intent.succeeded", intent)


def book(
    world: World,
    kind: str,
    amount: int,
    fee: int,
    currency: str,
    source: str,
    category: str = "",
) -> Json:
    """Write a line of Stripe's books; money in is available after the set delay (0 seconds)."""
    wait = int(world.store.setting("pending_seconds", 0)) if amount > 0 else 0
    return world.store.put(
        objects.balance_transaction(
            world.new_id("txn"),
            world.now(),
            kind,
            amount,
            fee,
            currency=currency,
            source=source,
            available_on=world.now() + wait,
            category=category or kind,
        )
    )


def finish_pending(world: World, session: Json, *, is_paid: bool) -> None:
    """Let a payment that was pending at PayPal succeed or fail."""
    intent = world.must_get("payment_intent", session["payment_intent"])
    if intent["status"] != "processing":
        raise Refusal("This payment is not pending.")
    made = world.must_get("charge", intent["latest_charge"])
    if is_paid:
        _succeed(world, intent, made)
        session["payment_status"] = "paid"
        world.store.put(session)
        world.emit("checkout.session.async_payment_succeeded", session)
        return
    made |= {"status": "failed", "failure_code": "processing_error"}
    world.store.put(made)
    error = {"code": "processing_error", "message": "PayPal did not confirm.", "type": "api_error"}
    intent |= {"status": "requires_payment_method", "last_payment_error": error}
    world.store.put(intent)
    world.emit("payment_intent.payment_failed", intent)
    world.emit("checkout.session.async_payment_failed", session)


def charge_of(world: World, params: Json) -> Json:
    if params.get("charge"):
        return world.must_get("charge", params["charge"], "charge")
    if not params.get("payment_intent"):
        raise Refusal(
            "One of the following params should be provided for this request: payment_intent or"
            " charge.",
            code="parameter_missing",
        )
    intent = world.must_get("payment_intent", params["payment_intent"], "payment_intent")
    if intent["status"] != "succeeded":
        raise Refusal(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
        )
    return world.must_get("charge", intent["latest_charge"], "charge")


def create_refund(world: World, params: Json) -> Json:
    """Give a charge back, whole or in part; two test cards make it late or fail."""
    paid = charge_of(world, params)
    left = paid["amount"] - paid["amount_refunded"]
    amount = params.get("amount", left)
    if paid["disputed"]:
        raise Refusal(f"Charge {paid['id']} has been charged back.", code="charge_disputed")
    if left == 0:
        raise Refusal(
            f"Charge {paid['id']} has already been refunded.", code="charge_already_refunded"
        )
    if amount < 1 or amount > left:
        raise Refusal(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            param="amount",
        )
    made = objects.refund(world.new_id("re"), world.now(), paid, amount, params)
    booked = book(world, "refund", -amount, 0, paid["currency"], made["id"])
    made["balance_transaction"] = booked["id"]
    number = _number_of(world, paid)
    if number == "4000000000007726":
        made |= {"status": "pending", "pending_reason": "processing"}
    world.store.put(made)
    paid["amount_refunded"] += amount
    paid["refunded"] = paid["amount_refunded"] == paid["amount"]
    world.store.put(paid)
    world.emit("refund.created", made)
    world.emit("charge.refunded", paid)
    if number == "4000000000005126":
        fail_refund(world, made)
    return made


def _number_of(world: World, paid: Json) -> str:
    method = world.store.get(paid["payment_method"]) or {}
    return str(method.get("_number", ""))


def fail_refund(world: World, made: Json) -> None:
    """Let a refund come back, as banks do with closed accounts."""
    if made["status"] in ("failed", "canceled"):
        raise Refusal("This refund has failed already.")
    booked = book(
        world, "refund_failure", made["amount"], 0, made["currency"], made["id"], "refund_failure"
    )
    failed = made | {
        "status": "failed",
        "failure_reason": "lost_or_stolen_card",
        "failure_balance_transaction": booked["id"],
    }
    failed.pop("pending_reason", None)
    world.store.put(failed)
    paid = world.must_get("charge", made["charge"])
    paid["amount_refunded"] -= made["amount"]
    paid["refunded"] = False
    world.store.put(paid)
    world.emit("refund.updated", failed)
    world.emit("refund.failed", failed)


def finish_refund(world: World, made: Json) -> None:
    done = made | {"status": "succeeded"}
    done.pop("pending_reason", None)
    world.store.put(done)
    world.emit("refund.updated", done)


def open_dispute(world: World, paid: Json, reason: str = "fraudulent") -> Json:
    """Let the card's holder dispute a charge: its amount and a fee of 20.00 leave the balance."""
    if paid["disputed"] or paid["status"] != "succeeded":
        raise Refusal("This charge cannot be disputed.")
    amount = paid["amount"] - paid["amount_refunded"]
    made = objects.dispute(world.new_id("du"), world.now(), paid, amount, reason)
    booked = book(world, "adjustment", -amount, 2_000, paid["currency"], made["id"], "dispute")
    made["balance_transactions"] = [booked]
    world.store.put(made)
    paid["disputed"] = True
    world.store.put(paid)
    world.emit("charge.dispute.created", made)
    world.emit("charge.dispute.funds_withdrawn", made)
    return made


def close_dispute(world: World, made: Json, *, is_won: bool) -> Json:
    if made["status"] in ("won", "lost"):
        raise Refusal("This dispute is closed.")
    made["status"] = "won" if is_won else "lost"
    if is_won:
        booked = book(
            world, "adjustment", made["amount"], -2_000, made["currency"], made["id"],
            "dispute_reversal",
        )  # fmt: skip
        made["balance_transactions"].append(booked)
    world.store.put(made)
    if is_won:
        world.emit("charge.dispute.funds_reinstated", made)
    world.emit("charge.dispute.closed", made)
    return made
