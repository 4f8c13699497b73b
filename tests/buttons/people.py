"""People with means, things with owners, and the click window as a person uses it."""

from collections.abc import Callable

from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import User
from buttons.flattrs import record_flattr
from buttons.models import Claim, Flattr, Thing
from buttons.submissions import Submission
from funds.ledger import account_of, post
from funds.models import LedgerAccount, MonthlyBudget, TopUp

PAGE = "https://blog.example/tea"
MICROS = 1_000_000


def give_means(
    user: User, budget_micros: int = 5 * MICROS, funds_micros: int = 10 * MICROS
) -> User:
    EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )
    MonthlyBudget.objects.update_or_create(user=user, defaults={"amount_micros": budget_micros})
    if funds_micros:
        paid = TopUp.objects.create(
            user=user, currency=user.currency, amount_micros=funds_micros, state="paid"
        )
        post(
            f"top_up:{paid.pk}",
            "top_up",
            debit=account_of(LedgerAccount.Code.STRIPE_BALANCE, currency=user.currency),
            credit=account_of(LedgerAccount.Code.FUNDS, currency=user.currency, user=user),
            amount_micros=funds_micros,
        )
    return user


def verify_mail(user: User) -> None:
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)


def make_thing(url: str = PAGE, owner: User | None = None, title: str = "Tea") -> Thing:
    thing = Thing.objects.create(url=url, owner=owner, title=title)
    if owner:
        Claim.objects.create(thing=thing, user=owner, state=Claim.State.PROVEN)
    return thing


def flattr(patron: User, thing: Thing) -> Flattr:
    return record_flattr(patron, Submission(url=thing.url))


class Window:
    """The click window in one browser: open it, wait, press."""

    def __init__(self, client: Client, wait: Callable[[], None]) -> None:
        self.client = client
        self.wait = wait

    def open(self, **parameters: str):
        return self.client.get("/submit/auto", parameters)

    def form(self, **parameters: str) -> dict[str, str]:
        """Open the window and return what its form would send."""
        context = self.open(**parameters).context
        return {**context["parameters"], "nonce": context["nonce"]}

    def press(self, **parameters: str):
        form = self.form(**parameters)
        self.wait()
        return self.client.post("/submit/press/", form)
