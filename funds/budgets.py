"""Monthly budgets, and who has the means to give and to receive."""

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F

from accounts.models import User
from funds.hints import hint
from funds.ledger import account_of
from funds.models import LedgerAccount, MonthlyBudget
from funds.money import MICROS_PER_CENT

Code = LedgerAccount.Code


class BudgetRefused(ValueError):
    """No monthly budget may have this amount; the smallest one is in the settings."""


def set_budget(user: User, amount_micros: int) -> MonthlyBudget:
    """Set what a patron gives each month, in whole cents; zero pauses it.

    The month that runs is shared by the budget that stands when it closes. Raises BudgetRefused.
    """
    is_paused = amount_micros == 0
    is_amount = (
        settings.BUDGET_MIN_MICROS <= amount_micros <= settings.FUNDS_MAX_MICROS
        and amount_micros % MICROS_PER_CENT == 0
    )
    if not (is_paused or is_amount):
        raise BudgetRefused(amount_micros)
    with transaction.atomic():
        budget, _ = MonthlyBudget.objects.update_or_create(
            user=user, defaults={"amount_micros": amount_micros}
        )
        hint_means_gained(user)
    return budget


def reuse_revenue(user: User, *, is_reused: bool) -> None:
    """Let a shortfall of the smallest budget be taken from revenue, or not any more."""
    MonthlyBudget.objects.filter(user=user).update(is_revenue_reused=is_reused)


def is_revenue_needed(user: User) -> bool:
    """Say whether the choice matters: there is a budget, and only who gives receives."""
    is_asked = settings.GIVE_TO_RECEIVE and not user.is_exempt_from_means
    return is_asked and budget_micros(user) > 0


def is_revenue_reused(user: User) -> bool:
    return MonthlyBudget.objects.filter(user=user, is_revenue_reused=True).exists()


def hint_means_gained(user: User) -> None:
    """Let presses that waited for means be completed at once; the minute's tick finds them too."""
    if has_means_to_give(user):
        hint(settings.MEANS_GAINED_TASK)


def budget_micros(user: User) -> int:
    """Return the monthly budget, zero where none is set or it is paused."""
    found = MonthlyBudget.objects.filter(user=user).values_list("amount_micros", flat=True)
    return found.first() or 0


def has_means_to_give(user: User) -> bool:
    """Say whether a budget is set and anything is there to give."""
    funds = LedgerAccount.objects.filter(
        user=user,
        code=Code.FUNDS,
        currency=user.currency,
        credits_posted_micros__gt=F("debits_posted_micros") + F("debits_pending_micros"),
    )
    return MonthlyBudget.objects.filter(Exists(funds), user=user, amount_micros__gt=0).exists()


def has_means_to_receive(user: User) -> bool:
    """Say whether a creator could receive if the month closed now.

    Exempt, or nobody has to give; else a budget of at least the smallest, covered by funds, and by
    revenue where the creator lets a shortfall be taken from it.
    """
    if user.is_exempt_from_means or not settings.GIVE_TO_RECEIVE:
        return True
    budget = MonthlyBudget.objects.filter(user=user).first()
    if budget is None or budget.amount_micros < settings.BUDGET_MIN_MICROS:
        return False
    usable = account_of(Code.FUNDS, currency=user.currency, user=user).available_micros
    if budget.is_revenue_reused:
        usable += account_of(Code.REVENUE, currency=user.currency, user=user).available_micros
    return usable >= settings.BUDGET_MIN_MICROS
