"""Who could receive if the month closed now, and what it would give: estimates for pages.

The close decides by its own snapshot; nothing here moves money or is stored.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db.models import BigIntegerField, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from accounts.models import User
from buttons.models import Flattr
from buttons.months import current_month
from funds.models import LedgerAccount, MonthlyBudget


@dataclass(frozen=True)
class MonthEstimate:
    """What a patron's open month would give if it ended now."""

    month: date
    currency: str
    budget_micros: int
    funds_micros: int
    counted: int
    waiting: int

    @property
    def given_micros(self) -> int:
        return min(self.budget_micros, self.funds_micros)

    @property
    def share_micros(self) -> int:
        """The share of each counted flattr, rounded down; the whole when there is none yet."""
        return self.given_micros // max(self.counted, 1)

    @property
    def next_share_micros(self) -> int:
        """The share of each, rounded down, when one more is flattred."""
        return self.given_micros // (self.counted + 1)


def able_creators(user_ids: Iterable[int | None]) -> set[int]:
    """Return those of the users who would receive now: one query, however many are asked for."""
    asked = {user_id for user_id in user_ids if user_id is not None}
    people = User.objects.filter(pk__in=asked, is_active=True)
    if settings.GIVE_TO_RECEIVE:
        people = _with_balances(people).filter(
            Q(is_exempt_from_means=True)
            | Q(monthly_budget__amount_micros__gte=settings.BUDGET_MIN_MICROS)
            & (
                Q(funds_micros__gte=settings.BUDGET_MIN_MICROS)
                | Q(
                    monthly_budget__is_revenue_reused=True,
                    together_micros__gte=settings.BUDGET_MIN_MICROS,
                )
            )
        )
    return set(people.values_list("pk", flat=True)) if asked else set()


def estimate_month(patron: User) -> MonthEstimate:
    """Return what the patron's open month would give now, in four queries."""
    month = current_month()
    taking_part = list(flattrs_taking_part(patron, month).values_list("thing__owner_id", flat=True))
    able = able_creators(taking_part) - {patron.pk}
    counted = sum(owner_id in able for owner_id in taking_part)
    budget = MonthlyBudget.objects.filter(user=patron).values_list("amount_micros", flat=True)
    funds = LedgerAccount.objects.filter(
        user=patron, code=LedgerAccount.Code.FUNDS, currency=patron.currency
    ).first()
    return MonthEstimate(
        month=month,
        currency=patron.currency,
        budget_micros=budget.first() or 0,
        funds_micros=funds.available_micros if funds else 0,
        counted=counted,
        waiting=len(taking_part) - counted,
    )


def flattrs_taking_part(patron: User, month: date) -> QuerySet[Flattr]:
    """Return a patron's flattrs of the open month, and those that wait since earlier ones."""
    return patron.flattrs.filter(
        Q(state=Flattr.State.MADE, month=month) | Q(state=Flattr.State.WAITING)
    )


def _with_balances(people: QuerySet[User]) -> QuerySet[User]:
    return people.annotate(
        funds_micros=_balance(LedgerAccount.Code.FUNDS),
        revenue_micros=_balance(LedgerAccount.Code.REVENUE),
        together_micros=F("funds_micros") + F("revenue_micros"),
    )


def _balance(code: LedgerAccount.Code) -> Coalesce:
    available = (
        LedgerAccount.objects.filter(user=OuterRef("pk"), code=code, currency=OuterRef("currency"))
        .annotate(
            left_micros=F("credits_posted_micros")
            - F("debits_posted_micros")
            - F("debits_pending_micros")
        )
        .values("left_micros")
    )
    return Coalesce(Subquery(available[:1]), Value(0), output_field=BigIntegerField())
