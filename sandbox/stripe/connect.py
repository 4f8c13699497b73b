"""Connected accounts, their onboarding, and transfers: what happens to money going out."""

import secrets

from sandbox.stripe import objects
from sandbox.stripe.errors import Json, Refusal
from sandbox.stripe.payments import book
from sandbox.stripe.world import World

LINK_SECONDS = 300
# Where a European platform may transfer to without the cross-border agreement.
REGION = frozenset(
    {
        *("AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GI", "GR", "HU"),
        *("IE", "IT", "LV", "LI", "LT", "LU", "MT", "NL", "NO", "PL", "PT", "RO", "SK", "SI"),
        *("ES", "SE", "CH", "GB"),
    }
)
DUE = ["external_account", "individual.verification.document", "tos_acceptance.date"]


# What each state says: submitted, still due, why disabled, and the capabilities' status.
STATES: dict[str, tuple[bool, list[str], str | None, str]] = {
    "approved": (True, [], None, "active"),
    "pending": (True, [], "requirements.pending_verification", "pending"),
    "restricted": (True, DUE[1:2], "requirements.past_due", "inactive"),
    "rejected": (True, [], "rejected.fraud", "inactive"),
}


def create_account(world: World, params: Json) -> Json:
    """Create an Express account, by type or by the controller's properties that mean the same."""
    controller = params.get("controller")
    if params.get("type") not in (None, "express") or not (params.get("type") or controller):
        raise Refusal("This sandbox knows Express accounts only.", param="type")
    if params.get("type") and controller:
        raise Refusal("You may only provide one of `type` or `controller`.", param="type")
    body = objects.account(world.new_id("acct"), world.now(), params, DUE)
    return world.store.put(body)


def create_account_link(world: World, params: Json) -> Json:
    """Make an address that works once and for five minutes."""
    world.must_get("account", params["account"], "account", 400)
    for name in ("refresh_url", "return_url"):
        if not params.get(name):
            raise Refusal(f"Missing required param: {name}.", code="parameter_missing", param=name)
    token = secrets.token_urlsafe(16)
    link = {
        "object": "account_link",
        "created": world.now(),
        "expires_at": world.now() + LINK_SECONDS,
        "url": f"{world.base_url}/setup/e/{params['account']}/{token}",
    }
    world.store.put(
        {
            "id": token,
            "object": "_link",
            "account": params["account"],
            "refresh_url": params["refresh_url"],
            "return_url": params["return_url"],
            "expires_at": link["expires_at"],
            "state": "new",
        }
    )
    return link


def set_account_state(world: World, body: Json, state: str) -> Json:
    """Approve, restrict or reject an account, and tell the platform."""
    if state not in STATES:
        raise Refusal(f"state must be one of {', '.join(STATES)}")
    is_submitted, due, disabled_reason, status = STATES[state]
    is_active = status == "active"
    pending = DUE[1:2] if status == "pending" else []
    body |= {
        "details_submitted": is_submitted,
        "charges_enabled": is_active,
        "payouts_enabled": is_active,
        "requirements": objects.requirements(due, disabled_reason, pending),
        "capabilities": dict.fromkeys(body["capabilities"], status),
    }
    world.store.put(body)
    world.emit("account.updated", body, account=body["id"])
    return body


def create_transfer(world: World, params: Json) -> Json:
    """Move available money to a connected account; refuse what the real one refuses."""
    amount, currency = params.get("amount", 0), params["currency"].lower()
    if amount < 1:
        raise Refusal(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    destination = world.must_get("account", params["destination"], "destination", 400)
    if destination["country"] not in REGION:
        raise Refusal(
            "Funds can't be sent to accounts located in"
            f" {destination['country']} because of the platform's region.",
            code="transfers_not_allowed",
        )
    if destination["capabilities"].get("transfers") != "active":
        raise Refusal(
            "Your destination account needs to have at least one of the following capabilities"
            " enabled: transfers, crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
        )
    available, _ = world.store.sum_net(currency, world.now())
    if amount > available:
        raise Refusal(
            "You have insufficient available funds in your Stripe account.",
            code="balance_insufficient",
        )
    body = objects.transfer(world.new_id("tr"), world.now(), params)
    booked = book(world, "transfer", -amount, 0, currency, body["id"])
    body["balance_transaction"] = booked["id"]
    world.store.put(body)
    world.emit("transfer.created", body)
    return body


def account_balance(world: World, account_id: str, currency: str) -> int:
    """Return what transfers left on a connected account, less its payouts."""
    moved = sum(
        body["amount"] - body["amount_reversed"]
        for body in world.store.all("transfer")
        if body["destination"] == account_id and body["currency"] == currency
    )
    paid = sum(
        body["amount"]
        for body in world.store.all("payout", account_id)
        if body["currency"] == currency and body["status"] != "failed"
    )
    return int(moved - paid)


def create_reversal(world: World, sent: Json, params: Json) -> Json:
    """Take a transfer back, as far as the connected account still has the money."""
    left = sent["amount"] - sent["amount_reversed"]
    amount = params.get("amount", left)
    if amount < 1 or amount > left:
        raise Refusal(
            f"Reversal amount ({amount}) is greater than unreversed amount ({left})",
            param="amount",
        )
    if amount > account_balance(world, sent["destination"], sent["currency"]):
        raise Refusal("Insufficient funds in the destination account.", code="balance_insufficient")
    body = objects.transfer_reversal(world.new_id("trr"), world.now(), sent, amount, params)
    booked = book(world, "transfer_refund", amount, 0, sent["currency"], body["id"])
    body["balance_transaction"] = booked["id"]
    world.store.put(body)
    sent["amount_reversed"] += amount
    sent["reversed"] = sent["amount_reversed"] == sent["amount"]
    sent["reversals"]["data"].insert(0, body)
    world.store.put(sent)
    world.emit("transfer.reversed", sent)
    return body


def pay_out(world: World, account_id: str, currency: str) -> Json:
    """Send a connected account's balance to its bank, as Stripe does by itself each day."""
    amount = account_balance(world, account_id, currency)
    if amount < 1:
        raise Refusal("There is nothing to pay out.")
    body = objects.payout(world.new_id("po"), world.now(), amount, currency)
    world.store.put(body, account_id)
    world.emit("payout.created", body, account=account_id)
    body["status"] = "paid"
    world.store.put(body, account_id)
    world.emit("payout.paid", body, account=account_id)
    return body


def fail_payout(world: World, body: Json, account_id: str) -> Json:
    """Let the bank send a payout back, which may happen after it was paid."""
    body |= {
        "status": "failed",
        "failure_code": "account_closed",
        "failure_message": "The bank account has been closed.",
    }
    world.store.put(body, account_id)
    world.emit("payout.failed", body, account=account_id)
    return body
