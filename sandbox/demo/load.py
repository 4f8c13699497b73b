"""Load the demo data: real rows through the real ledger, and last month closed by the real close.

Everything is one transaction, so that a start that was interrupted begins anew, and a second one
finds the people and changes nothing.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from buttons.canonical import canonical_url
from buttons.evidence import BUTTON
from buttons.models import Claim, Flattr, Thing
from buttons.months import current_month, month_of, months_before, next_month
from funds import ledger
from funds.models import LedgerAccount, MonthlyBudget, StripeCustomer, TopUp, Transfer
from funds.money import micros_of_cents, parse_amount
from funds.top_ups import session_params
from payouts.close import close_month
from sandbox.demo.people import (
    DEMO_PASSWORD,
    DEMO_PEOPLE,
    LAST_MONTH,
    THINGS,
    THIS_MONTH,
    Made,
    Person,
)
from sandbox.ports import LOOPBACK
from sandbox.stripe import payments
from sandbox.stripe.__main__ import world_of
from sandbox.stripe.world import World


def load(blog: str, stripe: World | None = None) -> bool:
    """Fill an empty sandbox; return False, having changed nothing, where people are there.

    `stripe` is the sandbox's Stripe, in which the top-ups are paid, so that both sides agree.
    """
    assert settings.SANDBOX, "demo data belongs into a sandbox"
    if User.objects.exists():
        return False
    with stripe.store.transaction() if stripe else nullcontext(), transaction.atomic():
        # Hashed once: it is slow on purpose, and one public password keeps nobody out.
        password = make_password(DEMO_PASSWORD)
        people = {person.username: _person(person, password, stripe) for person in DEMO_PEOPLE}
        things = {made.slug: _thing(made, people[made.owner], blog) for made in THINGS}
        this_month = month_of(timezone.now())
        last_month = months_before(this_month, 1)
        _flattrs(LAST_MONTH, last_month, people, things)
        close_month(last_month)
        assert current_month() == this_month
        _flattrs(THIS_MONTH, this_month, people, things)
    return True


def sandbox_stripe(folder: Path) -> World | None:
    """Return the Stripe of this folder's sandbox; None where another one is used."""
    if not settings.STRIPE_API_BASE.startswith(f"http://{LOOPBACK}:"):
        return None
    return world_of(dict(os.environ), folder / "stripe")


def _person(person: Person, password: str, stripe: World | None) -> User:
    user = User.objects.create(
        username=person.username,
        email=person.email,
        password=password,
        display_name=person.display_name,
        about=person.about,
        kind=person.kind,
        is_staff=person.is_admin,
        is_superuser=person.is_admin,
    )
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    if person.budget:
        MonthlyBudget.objects.create(
            user=user, amount_micros=parse_amount(person.budget, user.currency)
        )
    if person.top_up:
        _top_up(user, parse_amount(person.top_up, user.currency), stripe)
    return user


def _top_up(user: User, amount_micros: int, stripe: World | None) -> None:
    """Book a top-up that was paid before last month ended."""
    begin = datetime.combine(months_before(month_of(timezone.now()), 1), time(9), tzinfo=UTC)
    paid_at = begin + timedelta(minutes=user.pk)
    top_up = TopUp.objects.create(
        user=user, currency=user.currency, amount_micros=amount_micros, state=TopUp.State.PAID
    )
    paid = {"paid_at": paid_at, "created_at": paid_at}
    at_stripe = ledger.account_of(LedgerAccount.Code.STRIPE_BALANCE, currency=user.currency)
    ledger.post(
        f"top_up:{top_up.pk}",
        Transfer.Code.TOP_UP,
        debit=at_stripe,
        credit=ledger.account_of(LedgerAccount.Code.FUNDS, currency=user.currency, user=user),
        amount_micros=amount_micros,
    )
    if stripe:
        charge, booked = _paid_by_card(top_up, stripe)
        fee_micros = micros_of_cents(booked["fee"])
        ledger.post(
            f"processor_fee:{booked['id']}",
            Transfer.Code.PROCESSOR_FEE,
            debit=ledger.account_of(LedgerAccount.Code.PROCESSOR_FEES, currency=user.currency),
            credit=at_stripe,
            amount_micros=fee_micros,
        )
        paid |= charge | {"processor_fee_micros": fee_micros}
    TopUp.objects.filter(pk=top_up.pk).update(**paid)


def _paid_by_card(top_up: TopUp, stripe: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pay at the sandbox's Stripe; return what the top-up keeps of it, and Stripe's own line.

    Its events are delivered once both run, and find everything applied.
    """
    user = top_up.user
    customer = payments.create_customer(
        stripe, {"email": user.email, "metadata": {"user_id": str(user.pk)}}
    )
    StripeCustomer.objects.create(user=user, stripe_customer_id=customer["id"])
    session = payments.create_session(stripe, session_params(top_up, customer["id"]))
    card = {"type": "card", "number": "4242424242424242", "email": user.email}
    payments.pay_session(stripe, session, card)
    intent = stripe.must_get("payment_intent", session["payment_intent"])
    charge = stripe.must_get("charge", intent["latest_charge"])
    kept = {
        "stripe_checkout_session_id": session["id"],
        "stripe_payment_intent_id": intent["id"],
        "stripe_charge_id": charge["id"],
    }
    return kept, stripe.must_get("balance_transaction", charge["balance_transaction"])


def _thing(made: Made, owner: User, blog: str) -> Thing:
    thing = Thing.objects.create(
        url=canonical_url(f"{blog}/posts/{made.slug}/"),
        owner=owner,
        title=made.title,
        description=made.description,
        language="en",
        category=made.category,
        tags=list(made.tags),
    )
    Claim.objects.create(
        thing=thing,
        user=owner,
        state=Claim.State.PROVEN,
        how=BUTTON,
        attempts=1,
        checked_at=timezone.now(),
    )
    return thing


def _flattrs(
    made: Mapping[str, Sequence[str]],
    month: date,
    people: Mapping[str, User],
    things: Mapping[str, Thing],
) -> None:
    """Spread the presses over the month, or over what has passed of it."""
    begin = datetime.combine(month, time(), tzinfo=UTC)
    end = min(datetime.combine(next_month(month), time(), tzinfo=UTC), timezone.now())
    presses = [(patron, slug) for patron, slugs in made.items() for slug in slugs]
    step = (end - begin) // (len(presses) + 1)
    Flattr.objects.bulk_create(
        Flattr(
            patron=people[patron],
            thing=things[slug],
            month=month,
            created_at=begin + step * place,
        )
        for place, (patron, slug) in enumerate(presses, start=1)
    )
