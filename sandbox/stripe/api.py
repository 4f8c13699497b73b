"""The addresses under /v1 and what answers them."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stripe.params import (
    _account_create_params,
    _account_link_create_params,
    _account_list_params,
    _account_retrieve_params,
    _balance_retrieve_params,
    _balance_transaction_list_params,
    _balance_transaction_retrieve_params,
    _charge_retrieve_params,
    _customer_create_params,
    _customer_list_params,
    _customer_retrieve_params,
    _dispute_retrieve_params,
    _event_list_params,
    _event_retrieve_params,
    _payment_intent_create_params,
    _payment_intent_retrieve_params,
    _payout_retrieve_params,
    _refund_create_params,
    _refund_list_params,
    _refund_retrieve_params,
    _transfer_create_params,
    _transfer_list_params,
    _transfer_retrieve_params,
    _transfer_reversal_create_params,
)
from stripe.params.checkout import (
    _session_create_params,
    _session_expire_params,
    _session_list_params,
    _session_retrieve_params,
)

from sandbox.stripe import connect, objects, payments
from sandbox.stripe.errors import Json, Refusal, no_such
from sandbox.stripe.params import check_params
from sandbox.stripe.world import World, public

ID_PREFIXES = ("acct_", "ch_", "cus_", "du_", "evt_", "pi_", "pm_", "po_", "re_", "tr_", "txn_")


@dataclass
class Call:
    """One request to an address of the API."""

    world: World
    ids: tuple[str, ...]
    params: Json
    account: str

    def found(self, kind: str) -> Json:
        return self.world.must_get(kind, self.ids[0])


@dataclass
class Route:
    method: str
    path: re.Pattern[str]
    params_type: Any
    answer: Callable[[Call], Json]


def _list(kind: str, path: str, *filters: str) -> Callable[[Call], Json]:
    """Return an answer that lists a kind, newest first, by the named equal fields."""

    def answer(call: Call) -> Json:
        found = [
            body
            for body in call.world.store.all(kind, call.account)
            if all(body[name] == call.params[name] for name in filters if name in call.params)
            and _is_in_range(body["created"], call.params.get("created"))
        ]
        return page(found, call.params, path)

    return answer


def _is_in_range(created: int, wanted: Any) -> bool:
    if wanted is None:
        return True
    if not isinstance(wanted, dict):
        return created == int(wanted)
    return bool(
        created > wanted.get("gt", -1)
        and created >= wanted.get("gte", 0)
        and created < wanted.get("lt", created + 1)
        and created <= wanted.get("lte", created)
    )


def page(found: list[Json], params: Json, path: str) -> Json:
    """Cut a list at its cursor: `starting_after` goes on, `ending_before` goes back."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise Refusal("Limit must be between 1 and 100.", param="limit")
    ids = [body["id"] for body in found]
    for name in ("starting_after", "ending_before"):
        if name in params and params[name] not in ids:
            raise no_such("object", params[name], name, 400)
    if "ending_before" in params:
        before = found[: ids.index(params["ending_before"])]
        return objects.listing(path, before[-limit:], len(before) > limit)
    if "starting_after" in params:
        found = found[ids.index(params["starting_after"]) + 1 :]
    return objects.listing(path, found[:limit], len(found) > limit)


def _events(call: Call) -> Json:
    types = call.params.get("types") or [call.params.get("type")]
    wanted = call.params.get("delivery_success")
    found = []
    for body in call.world.store.all("event", call.account):
        if not _is_in_range(body["created"], call.params.get("created")):
            continue
        if types != [None] and not any(_matches(body["type"], name) for name in types):
            continue
        body["pending_webhooks"] = undelivered(call.world, body["id"])
        if wanted is None or wanted == (body["pending_webhooks"] == 0):
            found.append(body)
    return page(found, call.params, "/v1/events")


def _matches(event_type: str, name: str) -> bool:
    return event_type == name or (name.endswith("*") and event_type.startswith(name[:-1]))


def undelivered(world: World, event_id: str) -> int:
    ((count,),) = world.store.sql(
        "SELECT count(*) FROM delivery WHERE event = ? AND state <> 'delivered'", event_id
    )
    return int(count)


def _balance(call: Call) -> Json:
    currencies = {"eur"} | {
        body["currency"] for body in call.world.store.all("balance_transaction", call.account)
    }
    available, pending = [], []
    for currency in sorted(currencies):
        if call.account:
            now = (connect.account_balance(call.world, call.account, currency), 0)
        else:
            now = call.world.store.sum_net(currency, call.world.now())
        available.append({"amount": now[0], "currency": currency, "source_types": {"card": now[0]}})
        pending.append({"amount": now[1], "currency": currency, "source_types": {"card": now[1]}})
    return {
        "object": "balance",
        "available": available,
        "connect_reserved": [{"amount": 0, "currency": name} for name in sorted(currencies)],
        "livemode": False,
        "pending": pending,
    }


def _balance_transaction(body: Json, now: int) -> Json:
    return body | {"status": "available" if body["available_on"] <= now else "pending"}


def _balance_transactions(call: Call) -> Json:
    answer = _list("balance_transaction", "/v1/balance_transactions", "type", "source", "currency")(
        call
    )
    answer["data"] = [_balance_transaction(body, call.world.now()) for body in answer["data"]]
    return answer


def _retrieve(kind: str) -> Callable[[Call], Json]:
    def answer(call: Call) -> Json:
        return call.found(kind)

    return answer


def _payout(call: Call) -> Json:
    return call.found("payout")


def _route(method: str, path: str, params_type: Any, answer: Callable[[Call], Json]) -> Route:
    pattern = re.compile("^/v1" + path.replace(":id", "([A-Za-z0-9_]+)") + "$")
    return Route(method, pattern, params_type, answer)


ROUTES = [
    _route("POST", "/customers", _customer_create_params.CustomerCreateParams,
           lambda call: payments.create_customer(call.world, call.params)),
    _route("GET", "/customers", _customer_list_params.CustomerListParams,
           _list("customer", "/v1/customers", "email")),
    _route("GET", "/customers/:id", _customer_retrieve_params.CustomerRetrieveParams,
           _retrieve("customer")),
    _route("POST", "/checkout/sessions", _session_create_params.SessionCreateParams,
           lambda call: payments.create_session(call.world, call.params)),
    _route("GET", "/checkout/sessions", _session_list_params.SessionListParams,
           _list("checkout.session", "/v1/checkout/sessions",
                 "customer", "payment_intent", "status")),
    _route("GET", "/checkout/sessions/:id", _session_retrieve_params.SessionRetrieveParams,
           _retrieve("checkout.session")),
    _route("POST", "/checkout/sessions/:id/expire", _session_expire_params.SessionExpireParams,
           lambda call: payments.expire_session(call.world, call.found("checkout.session"))),
    _route("POST", "/payment_intents", _payment_intent_create_params.PaymentIntentCreateParams,
           lambda call: payments.create_intent(call.world, call.params)),
    _route("GET", "/payment_intents/:id",
           _payment_intent_retrieve_params.PaymentIntentRetrieveParams,
           _retrieve("payment_intent")),
    _route("GET", "/charges/:id", _charge_retrieve_params.ChargeRetrieveParams,
           _retrieve("charge")),
    _route("POST", "/refunds", _refund_create_params.RefundCreateParams,
           lambda call: payments.create_refund(call.world, call.params)),
    _route("GET", "/refunds", _refund_list_params.RefundListParams,
           _list("refund", "/v1/refunds", "charge", "payment_intent")),
    _route("GET", "/refunds/:id", _refund_retrieve_params.RefundRetrieveParams,
           _retrieve("refund")),
    _route("GET", "/disputes/:id", _dispute_retrieve_params.DisputeRetrieveParams,
           _retrieve("dispute")),
    _route("POST", "/accounts", _account_create_params.AccountCreateParams,
           lambda call: connect.create_account(call.world, call.params)),
    _route("GET", "/accounts", _account_list_params.AccountListParams,
           _list("account", "/v1/accounts")),
    _route("GET", "/accounts/:id", _account_retrieve_params.AccountRetrieveParams,
           _retrieve("account")),
    _route("POST", "/account_links", _account_link_create_params.AccountLinkCreateParams,
           lambda call: connect.create_account_link(call.world, call.params)),
    _route("POST", "/transfers", _transfer_create_params.TransferCreateParams,
           lambda call: connect.create_transfer(call.world, call.params)),
    _route("GET", "/transfers", _transfer_list_params.TransferListParams,
           _list("transfer", "/v1/transfers", "destination", "transfer_group")),
    _route("GET", "/transfers/:id", _transfer_retrieve_params.TransferRetrieveParams,
           _retrieve("transfer")),
    _route("POST", "/transfers/:id/reversals",
           _transfer_reversal_create_params.TransferReversalCreateParams,
           lambda call: connect.create_reversal(call.world, call.found("transfer"), call.params)),
    _route("GET", "/payouts/:id", _payout_retrieve_params.PayoutRetrieveParams, _payout),
    _route("GET", "/balance", _balance_retrieve_params.BalanceRetrieveParams, _balance),
    _route("GET", "/balance_transactions",
           _balance_transaction_list_params.BalanceTransactionListParams, _balance_transactions),
    _route("GET", "/balance_transactions/:id",
           _balance_transaction_retrieve_params.BalanceTransactionRetrieveParams,
           lambda call: _balance_transaction(call.found("balance_transaction"), call.world.now())),
    _route("GET", "/events", _event_list_params.EventListParams, _events),
    _route("GET", "/events/:id", _event_retrieve_params.EventRetrieveParams, _retrieve("event")),
]  # fmt: skip


def find_route(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    for route in ROUTES:
        match = route.path.match(path)
        if match and route.method == method:
            return route, match.groups()
    raise Refusal(f"Unrecognized request URL ({method}: {path}).", status=404, code="url_invalid")


def answer_call(world: World, method: str, path: str, params: Json, account: str) -> Json:
    """Validate one request, do what it asks, and return the object without our own notes."""
    route, ids = find_route(method, path)
    if "payment_method_types" in params:
        raise Refusal(
            "`payment_method_types` is no longer supported. Use `allowed_payment_method_types`.",
            code="payment_method_types_no_longer_supported",
            param="payment_method_types",
        )
    checked = check_params(params, route.params_type)
    expand = checked.pop("expand", [])
    body = stripped(json.loads(json.dumps(route.answer(Call(world, ids, checked, account)))))
    for wanted in expand:
        expand_path(world, body, wanted.split("."), wanted)
    expanded: Json = body
    return expanded


def expand_path(world: World, body: Any, names: list[str], wanted: str) -> None:
    """Put the object where its id stands, along a dotted path; lists are walked."""
    if isinstance(body, list):
        for item in body:
            expand_path(world, item, names, wanted)
        return
    if not isinstance(body, dict) or names[0] not in body:
        raise Refusal(f"This property cannot be expanded ({wanted}).", param="expand")
    value = body[names[0]]
    if isinstance(value, str):
        found = world.store.get(value)
        if found is None or not value.startswith(ID_PREFIXES):
            raise Refusal(f"This property cannot be expanded ({wanted}).", param="expand")
        body[names[0]] = value = public(found)
    if value is not None and names[1:]:
        expand_path(world, value, names[1:], wanted)


def stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: stripped(item) for name, item in public(value).items()}
    if isinstance(value, list):
        return [stripped(item) for item in value]
    return value
