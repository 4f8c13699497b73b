"""What every part of the sandbox shares: its store, its clock, its ids and its events."""

import secrets
import string
import time
from dataclasses import dataclass, field

from stripe._api_version import _ApiVersion

from sandbox.stripe.errors import Json, no_such
from sandbox.stripe.store import Store

API_VERSION = _ApiVersion.CURRENT
LETTERS = string.ascii_letters + string.digits
ACCOUNT_ENDPOINT, CONNECT_ENDPOINT = "account", "connect"


@dataclass
class Fault:
    """What goes wrong with the next calls that match: set through the control addresses."""

    kind: str
    path: str = ""
    method: str = ""
    times: int = 1
    seconds: int = 0


@dataclass
class Endpoint:
    """One webhook endpoint of the platform, with its own secret."""

    url: str
    secret: str


@dataclass
class World:
    """The sandbox's Stripe: one platform, its customers and its connected accounts."""

    store: Store
    secret_key: str
    endpoints: dict[str, Endpoint]
    base_url: str = ""
    faults: list[Fault] = field(default_factory=list)
    # The call being answered, so that events can name it.
    request_id: str | None = None
    idempotency_key: str | None = None

    def now(self) -> int:
        """Return the sandbox's time in Unix seconds: the machine's, moved by the control."""
        return int(time.time()) + int(self.store.setting("clock_offset", 0))

    @staticmethod
    def new_id(prefix: str) -> str:
        return f"{prefix}_1" + "".join(secrets.choice(LETTERS) for _ in range(23))

    def must_get(self, kind: str, object_id: str, param: str = "id", status: int = 404) -> Json:
        found = self.store.get(object_id, kind)
        if found is None:
            raise no_such(kind.replace(".", " "), object_id, param, status)
        return found

    def emit(self, event_type: str, body: Json, account: str = "") -> None:
        """Record an event and queue its delivery, in the caller's transaction.

        Events of a connected account carry `account` and go to the Connect endpoint.
        """
        event: Json = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": {"object": public(body)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": event_type,
        }
        if account:
            event["account"] = account
        self.store.put(event, account)
        endpoint = CONNECT_ENDPOINT if account else ACCOUNT_ENDPOINT
        for state, delay in self._delivery_plan():
            self.store.sql(
                "INSERT INTO delivery (event, endpoint, state, next_try_at) VALUES (?, ?, ?, ?)",
                event["id"],
                endpoint,
                state,
                time.time() + delay,
            )

    def _delivery_plan(self) -> list[tuple[str, float]]:
        mode = self.store.setting("delivery_mode", {"mode": "normal", "seconds": 0})
        if mode["mode"] == "doubled":
            return [("pending", 0), ("pending", 0.5)]
        if mode["mode"] == "reordered":
            # Each event of the burst is due a little before the one that preceded it.
            turn = int(self.store.setting("reorder_turn", 0))
            self.store.set_setting("reorder_turn", (turn + 1) % 8)
            return [("pending", 2.0 - 0.25 * turn)]
        if mode["mode"] == "delayed":
            return [("pending", float(mode["seconds"]))]
        return [({"held": "held", "dropped": "dropped"}.get(mode["mode"], "pending"), 0)]


def public(body: Json) -> Json:
    """Return an object without what only the sandbox knows about it."""
    return {name: value for name, value in body.items() if not name.startswith("_")}
