"""The only importer of `stripe`: small typed calls, and errors that say what is known.

One client, pinned to the API version that this SDK was made for. It never repeats a call by
itself: whether a write may be sent again is decided by the outbox, which reads first.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast

import stripe
from django.conf import settings
from stripe import StripeObject

Json = dict[str, Any]

API_VERSION = "2026-10-28.endive"
# To connect, and to wait for an answer; below the patience of the web server.
TIMEOUT_SECONDS = (5, 20)
TOLERANCE_SECONDS = 300
SESSION_PARTS = ["payment_intent.latest_charge.balance_transaction"]


class StripeUnreachable(Exception):
    """No answer, or one that says nothing: what was asked may have been done, or not.

    `is_answered` where Stripe answered with an error of its own; it repeats that answer for the
    same idempotency key, so the next attempt needs another one.
    """

    def __init__(self, message: str, is_answered: bool = False) -> None:
        super().__init__(message)
        self.is_answered = is_answered


class StripeRefused(Exception):
    """Stripe understood, did nothing, and said why."""

    def __init__(self, message: str, code: str = "", decline_code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.decline_code = decline_code


class BadSignature(Exception):
    """A webhook that Stripe did not sign, or not just now."""


@cache
def _client(secret_key: str, api_base: str) -> stripe.StripeClient:
    # The largest cause of a lost answer is our own impatience; see TIMEOUT_SECONDS.
    http_client = stripe.RequestsClient(timeout=TIMEOUT_SECONDS)
    return stripe.StripeClient(
        secret_key,
        stripe_version=API_VERSION,
        http_client=http_client,
        max_network_retries=0,
        base_addresses={"api": api_base} if api_base else None,
    )


def _api() -> Any:
    """Return the services of version 1, untyped: parameters come from the outbox as JSON."""
    return _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE.rstrip("/")).v1


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call Stripe and translate its errors into the two that matter here."""
    try:
        return function(*args, **kwargs)
    except (stripe.CardError, stripe.InvalidRequestError) as error:
        if error.http_status not in (400, 402, 404):
            raise StripeUnreachable(str(error), is_answered=True) from error
        decline_code = getattr(error.error, "decline_code", None) or ""
        raise StripeRefused(
            error.user_message or str(error), error.code or "", decline_code
        ) from error
    except stripe.APIConnectionError as error:
        raise StripeUnreachable(str(error)) from error
    except stripe.RateLimitError as error:
        raise StripeUnreachable(str(error)) from error
    except stripe.StripeError as error:
        # A key that is wrong or in use, a missing permission, a fault of Stripe's: none of them
        # says that the request itself was refused.
        is_answered = not isinstance(error, stripe.IdempotencyError) or error.http_status != 409
        raise StripeUnreachable(str(error), is_answered=is_answered) from error


def _json(answer: StripeObject) -> Json:
    return cast(Json, json.loads(json.dumps(answer.to_dict())))


# Writes: each kind of outbox row has one call that makes its object, and one that looks for it.


def create(kind: str, params: Json, idempotency_key: str) -> Json:
    """Send one write and return the object; raises StripeRefused or StripeUnreachable."""
    services = {
        "customer": lambda: _api().customers,
        "checkout_session": lambda: _api().checkout.sessions,
        "refund": lambda: _api().refunds,
        "connected_account": lambda: _api().accounts,
        "withdrawal": lambda: _api().transfers,
    }
    options = {"idempotency_key": idempotency_key}
    return _json(_call(services[kind]().create, params, options))


def find(kind: str, params: Json, since: datetime) -> Json | None:
    """Return the object that an earlier attempt of this write made, or None.

    `since` is when the write was written down; nothing older is looked at.
    """
    created = {"gte": int((since - timedelta(minutes=10)).timestamp())}
    api = _api()
    if kind == "withdrawal":
        rows = _rows(api.transfers.list, {"transfer_group": params["transfer_group"]})
        return next(rows, None)
    metadata = params.get("metadata", {})
    lists: dict[str, tuple[Any, Json]] = {
        "customer": (api.customers.list, {"email": params.get("email", ""), "created": created}),
        "checkout_session": (
            api.checkout.sessions.list,
            {"customer": params.get("customer", ""), "created": created},
        ),
        "refund": (api.refunds.list, {"payment_intent": params.get("payment_intent", "")}),
        "connected_account": (api.accounts.list, {"created": created}),
    }
    function, filters = lists[kind]
    wanted = {name: value for name, value in filters.items() if value}
    assert metadata, "Without metadata of ours the object cannot be recognised."
    return next((row for row in _rows(function, wanted) if row["metadata"] == metadata), None)


def _rows(function: Callable[..., Any], params: Json) -> Iterator[Json]:
    """Yield all rows of a list, page by page."""
    after: Json = {}
    while True:
        page = _json(_call(function, {"limit": 100, **params, **after}))
        yield from page["data"]
        if not page["has_more"]:
            return
        after = {"starting_after": page["data"][-1]["id"]}


# Reads.


def retrieve_session(session_id: str) -> Json:
    """Return a Checkout Session with its payment, charge and line in Stripe's books."""
    return _json(_call(_api().checkout.sessions.retrieve, session_id, {"expand": SESSION_PARTS}))


def expire_session(session_id: str) -> None:
    """Close an open Checkout Session; StripeRefused where it is not open any more."""
    _call(_api().checkout.sessions.expire, session_id)


def retrieve_charge(charge_id: str) -> Json:
    return _json(_call(_api().charges.retrieve, charge_id, {"expand": ["balance_transaction"]}))


def retrieve_refund(refund_id: str) -> Json:
    return _json(_call(_api().refunds.retrieve, refund_id))


def retrieve_dispute(dispute_id: str) -> Json:
    return _json(_call(_api().disputes.retrieve, dispute_id))


def retrieve_account(account_id: str) -> Json:
    return _json(_call(_api().accounts.retrieve, account_id))


def retrieve_transfer(transfer_id: str) -> Json:
    return _json(_call(_api().transfers.retrieve, transfer_id))


def create_account_link(account_id: str, refresh_url: str, return_url: str) -> str:
    """Return an address of the hosted onboarding: it works once and for minutes, never store it."""
    params = {
        "account": account_id,
        "type": "account_onboarding",
        "refresh_url": refresh_url,
        "return_url": return_url,
    }
    return str(_json(_call(_api().account_links.create, params))["url"])


def balance_cents() -> dict[str, int]:
    """Return what lies at Stripe, available and pending together, by currency (upper case)."""
    balance = _json(_call(_api().balance.retrieve))
    sums: dict[str, int] = {}
    for row in [*balance["available"], *balance["pending"]]:
        currency = row["currency"].upper()
        sums[currency] = sums.get(currency, 0) + row["amount"]
    return sums


def balance_transactions(since: datetime) -> Iterator[Json]:
    """Yield the lines of Stripe's own books since a time, newest first."""
    created = {"gte": int(since.timestamp())}
    return _rows(_api().balance_transactions.list, {"created": created})


def undelivered_events(types: list[str], since: datetime) -> Iterator[Json]:
    """Yield the events that no endpoint has answered yet, newest first; 20 types at most a call."""
    for start in range(0, len(types), 20):
        params = {
            "delivery_success": False,
            "created": {"gte": int(since.timestamp())},
            "types": types[start : start + 20],
        }
        yield from _rows(_api().events.list, params)


# Webhooks.


def verified_event(payload: bytes, signature: str, secret: str) -> Json:
    """Return the event of a webhook that Stripe signed with this secret within five minutes.

    The SDK looks at the past side of the tolerance only; a time in the future is refused here.
    Raises BadSignature.
    """
    if not signature.isascii():
        # The SDK compares text, and fails with a TypeError here.
        raise BadSignature("The signature is not ASCII.")
    try:
        stripe.WebhookSignature.verify_header(payload, signature, secret, TOLERANCE_SECONDS)
        event = json.loads(payload)
        sent_at = max(int(part[2:]) for part in signature.split(",") if part.startswith("t="))
    except (stripe.SignatureVerificationError, ValueError) as error:
        raise BadSignature(str(error)) from error
    if sent_at > time.time() + TOLERANCE_SECONDS:
        raise BadSignature("The signature is of a time in the future.")
    if not isinstance(event, dict) or event.get("object") != "event":
        raise BadSignature("The body is not an event.")
    return event


def is_live() -> bool:
    """Whether the secret key moves real money."""
    return str(settings.STRIPE_SECRET_KEY).startswith(("sk_live_", "rk_live_"))


def time_of(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
