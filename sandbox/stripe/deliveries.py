"""Signed webhooks: sent at once, tried again until they are answered with a 2xx."""

import hmac
import http.client
import json
import threading
import time
from hashlib import sha256
from urllib.parse import urlsplit

from sandbox.stripe.errors import Json
from sandbox.stripe.payments import expire_due_sessions
from sandbox.stripe.world import World

ATTEMPTS_MAX = 60
RETRY_SECONDS_MAX = 15
ANSWER_SECONDS = 10


def signature(payload: str, secret: str, timestamp: int) -> str:
    """Return the `Stripe-Signature` header of a body sent at that time."""
    signed = hmac.new(secret.encode(), f"{timestamp}.{payload}".encode(), sha256).hexdigest()
    return f"t={timestamp},v1={signed}"


def payload_of(event: Json) -> str:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)


def take_due(world: World) -> list[Json]:
    """Return the deliveries that wait, signed now, and count them as delivered.

    For tests and scripts that hand the webhooks to the application themselves.
    """
    taken = []
    with world.store.transaction():
        rows = world.store.sql(
            "SELECT id, event, endpoint FROM delivery WHERE state IN ('held', 'pending')"
            " ORDER BY id"
        )
        for delivery_id, event_id, name in rows:
            world.store.sql("UPDATE delivery SET state = 'delivered' WHERE id = ?", delivery_id)
            event = world.must_get("event", event_id)
            payload = payload_of(event)
            endpoint = world.endpoints[name]
            taken.append(
                {
                    "endpoint": name,
                    "url": endpoint.url,
                    "type": event["type"],
                    "event": event_id,
                    "payload": payload,
                    "signature": signature(payload, endpoint.secret, int(time.time())),
                }
            )
    return taken


def release_held(world: World, *, is_reversed: bool) -> None:
    """Make held deliveries due, in their order or from the last to the first."""
    with world.store.transaction():
        rows = world.store.sql("SELECT id FROM delivery WHERE state = 'held' ORDER BY id")
        ids = [row[0] for row in (reversed(rows) if is_reversed else rows)]
        for turn, delivery_id in enumerate(ids):
            world.store.sql(
                "UPDATE delivery SET state = 'pending', next_try_at = ? WHERE id = ?",
                time.time() + turn * 0.01,
                delivery_id,
            )


def send_again(world: World, event_id: str) -> None:
    """Deliver an event once more, with the same id and a new signature."""
    world.store.sql(
        "INSERT INTO delivery (event, endpoint, state, next_try_at)"
        " SELECT event, endpoint, 'pending', ? FROM delivery WHERE event = ? LIMIT 1",
        time.time(),
        event_id,
    )


def attempt(world: World, delivery_id: int, event_id: str, name: str, attempts: int) -> None:
    """Send one delivery; what is not answered with a 2xx is due again a little later."""
    endpoint = world.endpoints[name]
    payload = payload_of(world.must_get("event", event_id))
    is_delivered, answer = post(endpoint.url, payload, endpoint.secret)
    state = "delivered" if is_delivered else "pending"
    if not is_delivered and attempts + 1 >= ATTEMPTS_MAX:
        state = "failed"
    world.store.sql(
        "UPDATE delivery SET state = ?, attempts = ?, answer = ?, next_try_at = ? WHERE id = ?",
        state,
        attempts + 1,
        answer,
        time.time() + min(2**attempts, RETRY_SECONDS_MAX),
        delivery_id,
    )


def post(url: str, payload: str, secret: str) -> tuple[bool, str]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=ANSWER_SECONDS)
    try:
        connection.request(
            "POST",
            parts.path or "/",
            payload.encode(),
            {
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "Stripe/1.0 (sandbox)",
                "Stripe-Signature": signature(payload, secret, int(time.time())),
            },
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return False, type(error).__name__
    finally:
        connection.close()
    return 200 <= status < 300, str(status)


class Courier(threading.Thread):
    """Delivers what is due, one after the other, and lets checkout sessions expire."""

    def __init__(self, world: World) -> None:
        super().__init__(name="webhooks", daemon=True)
        self.world = world
        self.stopping = threading.Event()

    def run(self) -> None:
        tick = 0
        while not self.stopping.wait(0.1):
            tick += 1
            if tick % 50 == 0:
                with self.world.store.transaction():
                    expire_due_sessions(self.world)
            rows = self.world.store.sql(
                "SELECT id, event, endpoint, attempts FROM delivery"
                " WHERE state = 'pending' AND next_try_at <= ? ORDER BY next_try_at LIMIT 20",
                time.time(),
            )
            for delivery_id, event_id, name, attempts in rows:
                if self.stopping.is_set():
                    return
                attempt(self.world, delivery_id, event_id, name, attempts)

    def stop(self) -> None:
        self.stopping.set()
        self.join(ANSWER_SECONDS + 1)
