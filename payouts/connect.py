"""Connected accounts: how a creator's own account at Stripe is opened and followed.

Our row comes first, then the request, then Stripe's account, so that a crash between any two of
them leads to one account. What Stripe says about an account is read from Stripe each time: neither
the browser's return nor an event's content is believed.
"""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from buttons.ownership import recheck_claims_of
from funds import outbox, stripe_gateway
from funds.models import StripeEvent, StripeRequest
from funds.stripe_gateway import Json, StripeRefused, StripeUnreachable
from payouts.models import ConnectedAccount

REQUEST = "connected_account"

# As long as a page waits for Stripe's answer; meanwhile the tick leaves the request alone.
SENT_AT_ONCE = timedelta(minutes=1)

# The properties that make an account what Stripe calls Express: Stripe collects what the law wants
# to know and shows the dashboard; this instance bears fees and losses. The country is left out, so
# that the person chooses it on Stripe's page.
# https://docs.stripe.com/connect/migrate-to-controller-properties
EXPRESS: Json = {
    "controller": {
        "fees": {"payer": "application"},
        "losses": {"payments": "application"},
        "requirement_collection": "stripe",
        "stripe_dashboard": {"type": "express"},
    },
    "capabilities": {"transfers": {"requested": True}},
}
BUSINESS_TYPES = {User.Kind.INDIVIDUAL.value: "individual", User.Kind.COMPANY.value: "company"}


class OnboardingUnavailable(Exception):
    """Stripe did not open an account or its page; the message says why, for people."""


def connected_account_of(user: User) -> ConnectedAccount | None:
    return ConnectedAccount.objects.filter(user=user).first()


def begin_onboarding(user: User) -> str:
    """Return the address of Stripe's onboarding page, opening the account if need be.

    The address works once and for minutes: it is handed to the browser, and never mailed, stored or
    logged. Call it outside any transaction. Raises OnboardingUnavailable.
    """
    account = _open_account(user)
    try:
        return stripe_gateway.create_account_link(
            str(account.stripe_account_id),
            refresh_url=settings.BASE_URL + reverse("payouts:onboard-refresh"),
            return_url=settings.BASE_URL + reverse("payouts:onboard-return"),
        )
    except StripeUnreachable as error:
        raise OnboardingUnavailable("Stripe does not answer. Please try again soon.") from error
    except StripeRefused as error:
        raise OnboardingUnavailable("Stripe does not open its page for your account.") from error


def refresh_account(user: User) -> ConnectedAccount | None:
    """Ask Stripe how far the account is, and write it down. Raises what the gateway raises."""
    with transaction.atomic():
        account = ConnectedAccount.objects.select_for_update().filter(user=user).first()
        if account and account.stripe_account_id:
            _write_state(account, stripe_gateway.retrieve_account(account.stripe_account_id))
    return account


def apply_account_request(request: StripeRequest) -> None:
    """Write down which account Stripe opened, or make room for another attempt."""
    accounts = ConnectedAccount.objects.select_for_update()
    account = accounts.filter(request_id=request.subject_id, stripe_account_id=None).first()
    if account is None:
        return
    if request.state == StripeRequest.State.DONE:
        assert request.response, "A request that is done has its answer."
        account.stripe_account_id = request.stripe_object_id
        _write_state(account, request.response)
    else:
        # A refused request is over; the next visit writes a new one, under a new id.
        account.request_id = uuid.uuid4()
    account.save(update_fields=["stripe_account_id", "request_id", "updated_at"])


def handle_account_event(event: StripeEvent) -> None:
    """Fetch the account that an event is about, and write its state down."""
    stripe_account_id = event.stripe_account_id or event.object_id
    accounts = ConnectedAccount.objects.select_for_update()
    account = accounts.filter(stripe_account_id=stripe_account_id).first()
    if account:
        _write_state(account, stripe_gateway.retrieve_account(stripe_account_id))


def handle_deauthorized_event(event: StripeEvent) -> None:
    """Stop paying to an account that its owner has disconnected: it cannot be asked any more."""
    ConnectedAccount.objects.filter(stripe_account_id=event.stripe_account_id).update(
        is_payouts_enabled=False, updated_at=timezone.now()
    )


def _open_account(user: User) -> ConnectedAccount:
    """Return the user's row with Stripe's account, sending the request for it at most once."""
    with transaction.atomic():
        _, is_new = ConnectedAccount.objects.get_or_create(user=user)
        if is_new:
            # Before the first withdrawal: the pages are read while the person is at Stripe.
            recheck_claims_of(user)
        account = ConnectedAccount.objects.select_for_update().get(user=user)
        if account.stripe_account_id:
            return account
        request = outbox.write_request(
            REQUEST,
            account.request_id,
            _params(account),
            idempotency_key=f"{REQUEST}:{account.request_id}",
            next_try_at=timezone.now() + SENT_AT_ONCE,
        )
    sent = outbox.send_request(request.pk)
    account.refresh_from_db()
    if not account.stripe_account_id:
        raise OnboardingUnavailable(
            "Stripe refused to open an account. The people who run this site have to look at it."
            if sent.state == StripeRequest.State.REFUSED
            else "Stripe does not answer. Please try again in a minute."
        )
    return account


def _params(account: ConnectedAccount) -> dict[str, Any]:
    user = account.user
    business_type = BUSINESS_TYPES.get(user.kind)
    return {
        **EXPRESS,
        "email": user.email,
        **({"business_type": business_type} if business_type else {}),
        "metadata": {"connected_account": str(account.request_id)},
    }


def _write_state(account: ConnectedAccount, body: Json) -> None:
    """Write down whether money may be sent, and what Stripe still wants to know.

    Both are needed: transfers reach the account, and payouts leave it.
    """
    requirements = body.get("requirements") or {}
    transfers = (body.get("capabilities") or {}).get("transfers")
    account.is_payouts_enabled = bool(body["payouts_enabled"]) and transfers == "active"
    account.is_details_submitted = bool(body["details_submitted"])
    due = {*requirements.get("currently_due", []), *requirements.get("past_due", [])}
    account.requirements_due = sorted(due)
    account.save(
        update_fields=[
            "is_payouts_enabled",
            "is_details_submitted",
            "requirements_due",
            "updated_at",
        ]
    )
