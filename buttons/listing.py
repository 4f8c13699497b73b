"""What pages list: a patron's month, a creator's things, what everybody may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import BigIntegerField, Count, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from accounts.models import User
from buttons.flattrs import SHOWN_STATES
from buttons.means import MonthEstimate, able_creators, estimate_month, flattrs_taking_part
from buttons.models import Claim, Flattr, Press, Thing
from buttons.months import current_month
from buttons.snippets import Wish, payment_line


@dataclass(frozen=True)
class CreatorsThing:
    """A thing as its creator sees it: how many flattrs wait there, and the line that proves it."""

    thing: Thing
    waiting: int
    line: str


@dataclass(frozen=True)
class PatronsMonth:
    """A patron's open month: what is counted, what waits, and presses that are not complete."""

    estimate: MonthEstimate
    counted: list[Flattr]
    waiting: list[Flattr]
    presses: list[Press]

    @property
    def month(self) -> date:
        return self.estimate.month


def patrons_month(patron: User) -> PatronsMonth:
    """Return a patron's open month; the number of queries does not depend on its flattrs."""
    estimate = estimate_month(patron)
    there = list(
        flattrs_taking_part(patron, estimate.month)
        .select_related("thing__owner")
        .order_by("-created_at", "-pk")
    )
    able = able_creators(flattr.thing.owner_id for flattr in there) - {patron.pk}
    return PatronsMonth(
        estimate=estimate,
        counted=[flattr for flattr in there if flattr.thing.owner_id in able],
        waiting=[flattr for flattr in there if flattr.thing.owner_id not in able],
        presses=list(patron.presses.filter(state=Press.State.OPEN).order_by("created_at")),
    )


def creators_things(creator: User) -> QuerySet[Thing]:
    """Return the things a creator owns or claims, newest first, with count and claim."""
    claim = Claim.objects.filter(thing=OuterRef("pk"), user=creator)
    # Two short lists of ids: with an OR between them every thing would be looked at.
    owned = creator.things.order_by().values("pk")
    return (
        Thing.objects.filter(pk__in=owned.union(creator.claims.order_by().values("thing")))
        .annotate(
            flattr_count=shown_flattrs(),
            claim_state=Subquery(claim.values("state")[:1]),
            claim_how=Subquery(claim.values("how")[:1]),
            claim_checked_at=Subquery(claim.values("checked_at")[:1]),
            is_owned=Q(owner=creator),
        )
        .order_by("-pk")
    )


def with_what_waits(creator: User, things: Sequence[Thing]) -> list[CreatorsThing]:
    """Put beside each thing how many flattrs wait there for the creator.

    On a thing that nobody is proven to own all do, and on one's own while one cannot receive: those
    of the open month too, since its close would leave them waiting.
    """
    able = able_creators([creator.pk])
    idle = [one.pk for one in things if one.owner_id in {None, creator.pk} - able]
    is_open = Q(state=Flattr.State.WAITING) | Q(state=Flattr.State.MADE, month=current_month())
    rows = Flattr.objects.filter(is_open, thing__in=idle).order_by().values("thing")
    waiting = dict(rows.annotate(there=Count("*")).values_list("thing", "there"))
    return [
        CreatorsThing(one, waiting.get(one.pk, 0), payment_line(Wish(creator, one.url)))
        for one in things
    ]


def public_things(owner: User) -> QuerySet[Thing]:
    """Return the proven things of a person that are meant to be listed, most flattred first."""
    return (
        owner.things.filter(is_hidden=False)
        .annotate(flattr_count=shown_flattrs())
        .order_by(F("flattr_count").desc(), "-pk")
    )


def thing_with_owner() -> QuerySet[Thing]:
    return Thing.objects.select_related("owner").annotate(flattr_count=shown_flattrs())


def shown_flattrs() -> Coalesce:
    """Count what a button shows: everything but what its patron took back."""
    shown = Flattr.objects.filter(thing=OuterRef("pk"), state__in=SHOWN_STATES).order_by()
    counts = shown.values("thing").annotate(shown=Count("*")).values("shown")
    return Coalesce(Subquery(counts), Value(0), output_field=BigIntegerField())
