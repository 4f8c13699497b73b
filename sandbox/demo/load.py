"""Load the demo data: real rows through the real ledger, and last month closed by the real close.

Everything is one transaction, so that a start that was interrupted begins anew, and a second one
finds the people and changes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from buttons.canonical import canonical_url
from buttons.evidence import BUTTON
from buttons.models import Claim, Flattr, Thing
from buttons.months import current_month, month_of, months_before, next_month
from funds import ledger
from funds.models import LedgerAccount, MonthlyBudget, TopUp, Transfer
from funds.money import parse_amount
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


def load(blog: str) -> bool:
    """Fill an empty sandbox; return False, having changed nothing, where people are there."""
    assert settings.SANDBOX, "demo data belongs into a sandbox"
    with transaction.atomic():
        if User.objects.exists():
            return False
        people = {person.username: _person(person) for person in DEMO_PEOPLE}
        things = {made.slug: _thing(made, people[made.owner], blog) for made in THINGS}
        this_month = month_of(timezone.now())
        last_month = months_before(this_month, 1)
        _flattrs(LAST_MONTH, last_month, people, things)
        close_month(last_month)
        assert current_month() == this_month
        _flattrs(THIS_MONTH, this_month, people, things)
    return True


def _person(person: Person) -> User:
    user = User.objects.create_user(
        person.username,
        person.email,
        DEMO_PASSWORD,
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
        _top_up(user, parse_amount(person.top_up, user.currency))
    return user


def _top_up(user: User, amount_micros: int) -> None:
    """Book a top-up that was paid before last month ended."""
    paid_at = datetime.combine(
        months_before(month_of(timezone.now()), 1), time(9), tzinfo=UTC
    ) + timedelta(minutes=user.pk)
    top_up = TopUp.objects.create(
        user=user,
        currency=user.currency,
        amount_micros=amount_micros,
        state=TopUp.State.PAID,
        paid_at=paid_at,
    )
    TopUp.objects.filter(pk=top_up.pk).update(created_at=paid_at)
    at_stripe = ledger.account_of(LedgerAccount.Code.STRIPE_BALANCE, currency=user.currency)
    ledger.post(
        f"top_up:{top_up.pk}",
        Transfer.Code.TOP_UP,
        debit=at_stripe,
        credit=ledger.account_of(LedgerAccount.Code.FUNDS, currency=user.currency, user=user),
        amount_micros=amount_micros,
    )


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
