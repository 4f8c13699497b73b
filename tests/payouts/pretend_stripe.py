"""Stripe's answers without Stripe: for tests that ask a hundred times a second."""

from collections import defaultdict
from typing import Any

from funds.stripe_gateway import StripeRefused, StripeUnreachable

Json = dict[str, Any]


class PretendStripe:
    """Stands in for `funds.stripe_gateway`; `next` says how the next write goes.

    "ok" makes the object; "refused" does not; "lost" makes it and loses the answer; "unreachable"
    loses the request.
    """

    def __init__(self) -> None:
        self.next = "ok"
        self.refund_status = "succeeded"
        self.objects: dict[str, Json] = {}
        self.by_params: dict[str, str] = {}
        self.made: dict[str, int] = defaultdict(int)

    def create(self, kind: str, params: Json, key: str) -> Json:
        if self.next == "refused":
            raise StripeRefused("No.", "account_closed")
        if self.next == "unreachable":
            raise StripeUnreachable("no route")
        self.made[kind] += 1
        body = {
            "id": f"{kind}_{len(self.objects)}",
            "status": self.refund_status,
            "amount_reversed": 0,
            **params,
        }
        self.objects[body["id"]] = body
        self.by_params[str((kind, params))] = body["id"]
        if self.next == "lost":
            raise StripeUnreachable("no answer")
        return dict(body)

    def find(self, kind: str, params: Json, since: object) -> Json | None:
        found = self.by_params.get(str((kind, params)))
        return dict(self.objects[found]) if found else None

    def retrieve(self, object_id: str) -> Json:
        return dict(self.objects[object_id])

    def paid_session(self, top_up: Any) -> str:
        """Open a session that is paid, and return its id."""
        number = len(self.objects)
        intent = {
            "id": f"pi_{number}",
            "status": "succeeded",
            "latest_charge": {"id": f"ch_{number}", "balance_transaction": None},
        }
        self.objects[f"cs_{number}"] = {
            "id": f"cs_{number}",
            "client_reference_id": str(top_up.pk),
            "status": "complete",
            "payment_status": "paid",
            "amount_total": top_up.amount_micros // 10_000,
            "currency": top_up.currency.lower(),
            "payment_intent": intent,
        }
        return f"cs_{number}"

    def install(self, patch: Any) -> None:
        gateway = "funds.stripe_gateway"
        patch.setattr(f"{gateway}.create", self.create)
        patch.setattr(f"{gateway}.find", self.find)
        for name in ("session", "refund", "transfer"):
            patch.setattr(f"{gateway}.retrieve_{name}", self.retrieve)
