"""What tests of the close need: money that came in by a top-up, things, and flattrs of any day."""

from datetime import UTC, date, datetime

from accounts.models import User
from buttons.models import Flattr, Thing
from funds import ledger
from funds.models import LedgerAccount, MonthlyBudget, TopUp, Transfer
from funds.money import parse_amount
from payouts import close
from payouts.models import Chunk, CreatorStatement, PatronStatement, Share

JULY, AUGUST, SEPTEMBER = date(2024, 7, 1), date(2024, 8, 1), date(2024, 9, 1)


def top_up(user: User, amount: str) -> None:
    paid = TopUp.objects.create(
        user=user, currency=user.currency, amount_micros=parse_amount(amount, "EUR"), state="paid"
    )
    ledger.post(
        f"top_up:{paid.pk}",
        "top_up",
        debit=ledger.account_of("stripe_balance", currency=user.currency),
        credit=ledger.account_of("funds", currency=user.currency, user=user),
        amount_micros=paid.amount_micros,
    )


def gives(user: User, budget: str, funds: str = "") -> User:
    """Set a monthly budget, with funds that cover it unless said otherwise."""
    MonthlyBudget.objects.update_or_create(
        user=user, defaults={"amount_micros": parse_amount(budget, "EUR")}
    )
    if funds != "0":
        top_up(user, funds or budget)
    return user


def thing_of(owner: User | None, name: str = "") -> Thing:
    count = Thing.objects.count()
    return Thing.objects.create(url=f"https://blog.example/{name or count}", owner=owner)


def flattr(patron: User, thing: Thing, month: date = AUGUST, day: int = 10) -> Flattr:
    made_at = datetime(month.year, month.month, day, 12, tzinfo=UTC)
    return Flattr.objects.create(patron=patron, thing=thing, month=month, created_at=made_at)


def balance(user: User, code: str) -> int:
    account = LedgerAccount.objects.filter(user=user, code=code).first()
    return account.available_micros if account else 0


def funds_of(user: User) -> int:
    return balance(user, "funds")


def revenue_of(user: User) -> int:
    return balance(user, "revenue")


def micros(amount: str) -> int:
    return parse_amount(amount, "EUR")


def shares_of(patron: User, month: date = AUGUST) -> list[int]:
    """Return what each of a patron's flattrs gave, in the order in which they were made."""
    rows = Share.objects.filter(month=month, patron=patron).select_related("flattr")
    return [
        row.amount_micros for row in sorted(rows, key=lambda r: (r.flattr.created_at, r.flattr_id))
    ]


def state_of(flattr: Flattr) -> str:
    flattr.refresh_from_db()
    return flattr.state


def write_down(month: date) -> None:
    """Open a month for closing, up to where its budgets and means are written down."""
    close.open_month(month)
    due = Chunk.objects.filter(month=month, state="due")
    while not due.filter(step="divide").exists():
        assert close._work_on_a_chunk(month) or close._advance(month)


def booked() -> list[tuple[str, int]]:
    """Return every transfer of the closes, so that two states of the ledger can be compared."""
    rows = Transfer.objects.exclude(month=None).order_by("fact")
    return list(rows.values_list("fact", "amount_micros"))


def statements() -> list[object]:
    return [
        *PatronStatement.objects.order_by("month", "patron").values_list(
            "month", "patron", "given_micros", "flattrs", "waiting_flattrs"
        ),
        *CreatorStatement.objects.order_by("month", "creator").values_list(
            "month", "creator", "gross_micros", "fee_micros", "flattrs", "patrons"
        ),
    ]
