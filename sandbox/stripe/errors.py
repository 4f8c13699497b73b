"""Stripe's error envelope."""

from typing import Any

Json = dict[str, Any]


class Refusal(Exception):
    """A request that Stripe answers with an error: the status and the envelope's fields."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str = "",
        param: str = "",
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.fields: Json = {"message": message, "type": kind, **more}
        if code:
            self.fields["code"] = code
            self.fields["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param:
            self.fields["param"] = param

    @property
    def is_saved(self) -> bool:
        """Whether the idempotency key keeps this answer: only once execution has begun."""
        return self.fields.get("code") not in {
            "parameter_unknown",
            "parameter_missing",
            "parameter_invalid_empty",
            "parameter_invalid_integer",
            "parameter_invalid_string",
            "payment_method_types_no_longer_supported",
            "idempotency_key_in_use",
            "rate_limit",
        }

    def envelope(self) -> Json:
        return {"error": self.fields}


def no_such(thing: str, object_id: str, param: str = "id", status: int = 404) -> Refusal:
    return Refusal(
        f"No such {thing}: '{object_id}'", status=status, code="resource_missing", param=param
    )


def card_declined(code: str, decline_code: str, message: str, **more: Any) -> Refusal:
    """Return the 402 of a card; an empty decline code is left out, as Stripe does."""
    if decline_code:
        more["decline_code"] = decline_code
    return Refusal(message, status=402, kind="card_error", code=code, **more)
