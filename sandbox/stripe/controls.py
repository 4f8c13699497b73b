"""What Stripe has no button for: faults, the clock, deliveries, disputes, bank answers."""

from collections.abc import Callable

from sandbox.stripe import connect, deliveries, payments
from sandbox.stripe.errors import Json, Refusal
from sandbox.stripe.world import Fault, World

FAULTS = frozenset(
    {"drop_before", "drop_after", "error_before", "error_after", "delay", "rate_limit"}
)
MODES = frozenset({"normal", "doubled", "delayed", "reordered", "held", "dropped"})


def control(world: World, method: str, path: str, params: Json) -> Json:
    """Answer one request below /_sandbox/; everything it changes is in one transaction."""
    name, _, rest = path.removeprefix("/_sandbox/").strip("/").partition("/")
    action = CONTROLS.get((method, name))
    if action is None:
        raise Refusal(f"No such control: {method} {path}", status=404)
    with world.store.transaction():
        return action(world, rest, params)


def _set_fault(world: World, rest: str, params: Json) -> Json:
    """Let the next calls that match go wrong: by kind, method, the path's beginning and times."""
    if params.get("kind") not in FAULTS:
        raise Refusal(f"kind must be one of {', '.join(sorted(FAULTS))}")
    world.faults.append(
        Fault(
            kind=params["kind"],
            path=params.get("path", ""),
            method=params.get("method", ""),
            times=int(params.get("times", 1)),
            seconds=int(params.get("seconds", 0)),
        )
    )
    return {"faults": len(world.faults)}


def _clear_faults(world: World, rest: str, params: Json) -> Json:
    world.faults.clear()
    return {"faults": 0}


def _move_clock(world: World, rest: str, params: Json) -> Json:
    offset = int(world.store.setting("clock_offset", 0)) + int(params.get("advance_seconds", 0))
    world.store.set_setting("clock_offset", offset)
    payments.expire_due_sessions(world)
    return {"now": world.now()}


def _set_settings(world: World, rest: str, params: Json) -> Json:
    """Set `pending_seconds`: how long money that came in stays pending."""
    world.store.set_setting("pending_seconds", int(params["pending_seconds"]))
    return {"pending_seconds": int(params["pending_seconds"])}


def _list_deliveries(world: World, rest: str, params: Json) -> Json:
    rows = world.store.sql(
        "SELECT event, endpoint, state, attempts, answer FROM delivery ORDER BY id DESC LIMIT 100"
    )
    names = ("event", "endpoint", "state", "attempts", "answer")
    return {"deliveries": [dict(zip(names, row, strict=True)) for row in rows]}


def _set_deliveries(world: World, rest: str, params: Json) -> Json:
    if rest == "take":
        return {"deliveries": deliveries.take_due(world)}
    if rest == "release":
        deliveries.release_held(world, is_reversed=params.get("order") == "reversed")
        return {}
    if params.get("mode") not in MODES:
        raise Refusal(f"mode must be one of {', '.join(sorted(MODES))}")
    mode = {"mode": params["mode"], "seconds": int(params.get("seconds", 0))}
    world.store.set_setting("delivery_mode", mode)
    world.store.set_setting("reorder_turn", 0)
    return mode


def _send_again(world: World, rest: str, params: Json) -> Json:
    event_id = rest.removesuffix("/send")
    world.must_get("event", event_id)
    deliveries.send_again(world, event_id)
    return {"event": event_id}


def _dispute(world: World, rest: str, params: Json) -> Json:
    """Open a dispute of `charge`; `<id>/close` with `status` won or lost closes it."""
    if rest:
        made = world.must_get("dispute", rest.removesuffix("/close"))
        return payments.close_dispute(world, made, is_won=params.get("status") == "won")
    paid = world.must_get("charge", str(params.get("charge", "")))
    return payments.open_dispute(world, paid, params.get("reason", "fraudulent"))


def _account(world: World, rest: str, params: Json) -> Json:
    """Set a connected account's `state`, or pay its balance out with `<id>/payout`."""
    if rest.endswith("/payout"):
        return connect.pay_out(world, rest.removesuffix("/payout"), params.get("currency", "eur"))
    body = world.must_get("account", rest)
    return connect.set_account_state(world, body, str(params.get("state", "approved")))


def _fail_payout(world: World, rest: str, params: Json) -> Json:
    body = world.must_get("payout", rest)
    return connect.fail_payout(world, body, str(params["account"]))


def _payment(world: World, rest: str, params: Json) -> Json:
    """Let a payment that is pending at PayPal end: `outcome` succeeded or failed."""
    session = world.must_get("checkout.session", rest)
    payments.finish_pending(world, session, is_paid=params.get("outcome") == "succeeded")
    return session


def _refund(world: World, rest: str, params: Json) -> Json:
    made = world.must_get("refund", rest)
    if params.get("outcome") == "failed":
        payments.fail_refund(world, made)
    else:
        payments.finish_refund(world, made)
    return world.must_get("refund", rest)


def _deposit(world: World, rest: str, params: Json) -> Json:
    """Add cents to the platform's balance, or with a negative amount take them to its bank."""
    amount = int(params["amount"])
    kind = "topup" if amount > 0 else "payout"
    source = world.new_id("tu" if amount > 0 else "po")
    return payments.book(world, kind, amount, 0, params.get("currency", "eur"), source)


def _reset(world: World, rest: str, params: Json) -> Json:
    world.faults.clear()
    world.store.reset()
    return {}


CONTROLS: dict[tuple[str, str], Callable[[World, str, Json], Json]] = {
    ("POST", "faults"): _set_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "clock"): _move_clock,
    ("POST", "settings"): _set_settings,
    ("GET", "deliveries"): _list_deliveries,
    ("POST", "deliveries"): _set_deliveries,
    ("POST", "events"): _send_again,
    ("POST", "disputes"): _dispute,
    ("POST", "accounts"): _account,
    ("POST", "payouts"): _fail_payout,
    ("POST", "payments"): _payment,
    ("POST", "refunds"): _refund,
    ("POST", "deposit"): _deposit,
    ("POST", "reset"): _reset,
}
