"""Forms about money: choices for most people, and an own amount for the rest."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from accounts.models import User
from funds.money import (
    NotAnAmount,
    cents_floor,
    format_micros,
    micros_of_cents,
    parse_amount,
)

BUDGET_CHOICES_CENTS = (200, 500, 1_000, 2_000)
FIRST_BUDGET_CENTS = 500
TOP_UP_CHOICES_CENTS = (500, 1_000, 2_500, 5_000)
MONTHS_CHOICES = ((1, "one month"), (3, "three months"), (6, "six months"), (12, "a year"))


def short(amount_micros: int, currency: str) -> str:
    """Return an amount without decimals where there are none."""
    return format_micros(amount_micros, currency).removesuffix(".00")


class AmountForm(forms.Form):
    """A choice of amounts, and a field for another one; what is typed wins over the choice."""

    choice_cents: tuple[int, ...] = ()
    smallest_name = "amount"

    amount = forms.ChoiceField(widget=forms.RadioSelect)
    own_amount = forms.CharField(
        label="Or another amount",
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        field = self.fields["amount"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (str(cents), self.choice_name(micros_of_cents(cents))) for cents in self.offered_cents()
        ]
        field.required = False

    def smallest_micros(self) -> int:
        raise NotImplementedError

    def offered_cents(self) -> list[int]:
        smallest_cents = cents_floor(self.smallest_micros())
        return [cents for cents in self.choice_cents if cents >= smallest_cents]

    def choice_name(self, amount_micros: int) -> str:
        return short(amount_micros, self.user.currency)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            cleaned["amount_micros"] = self._amount_micros(cleaned)
        return cleaned

    def _amount_micros(self, cleaned: dict[str, Any]) -> int:
        typed = cleaned.get("own_amount", "").strip()
        chosen = cleaned.get("amount", "")
        if not (typed or chosen):
            self.add_error("own_amount", "Choose an amount, or enter one.")
            return 0
        try:
            amount_micros = (
                parse_amount(typed, self.user.currency) if typed else micros_of_cents(int(chosen))
            )
            self.check_amount(amount_micros)
        except NotAnAmount as error:
            self.add_error("own_amount", str(error))
        except ValidationError as error:
            self.add_error("own_amount" if typed else "amount", error)
        else:
            return amount_micros
        return 0

    def check_amount(self, amount_micros: int) -> None:
        """Raise ValidationError with the words for people."""
        smallest = self.smallest_micros()
        if amount_micros < smallest:
            name = short(smallest, self.user.currency)
            raise ValidationError(f"The smallest {self.smallest_name} is {name}.")
        if amount_micros > settings.FUNDS_MAX_MICROS:
            name = short(settings.FUNDS_MAX_MICROS, self.user.currency)
            raise ValidationError(f"At most {name} can be kept here.")


class BudgetForm(AmountForm):
    """What is given each month; zero pauses. What is given now is one of the choices."""

    choice_cents = BUDGET_CHOICES_CENTS
    smallest_name = "monthly budget"
    amount = forms.ChoiceField(label="Every month I give", widget=forms.RadioSelect)

    def __init__(self, user: User, current_micros: int, *args: Any, **kwargs: Any) -> None:
        self.current_cents = cents_floor(current_micros)
        super().__init__(user, *args, **kwargs)

    def smallest_micros(self) -> int:
        return int(settings.BUDGET_MIN_MICROS)

    def offered_cents(self) -> list[int]:
        amounts = {*super().offered_cents(), self.current_cents} - {0}
        return [*sorted(amounts), 0]

    def choice_name(self, amount_micros: int) -> str:
        return super().choice_name(amount_micros) if amount_micros else "Pause"

    def check_amount(self, amount_micros: int) -> None:
        if amount_micros:
            super().check_amount(amount_micros)


class TopUpForm(AmountForm):
    """How much to add now."""

    choice_cents = TOP_UP_CHOICES_CENTS
    smallest_name = "payment"
    amount = forms.ChoiceField(label="Add", widget=forms.RadioSelect)

    def smallest_micros(self) -> int:
        return int(settings.TOP_UP_MIN_MICROS)


class FirstForm(AmountForm):
    """Everything at once: what is given each month, and for how many months to pay now."""

    choice_cents = BUDGET_CHOICES_CENTS
    smallest_name = "monthly budget"
    amount = forms.ChoiceField(label="Every month I give", widget=forms.RadioSelect)
    months = forms.TypedChoiceField(
        label="Pay now for", coerce=int, choices=MONTHS_CHOICES, widget=forms.RadioSelect
    )

    field_order = ["amount", "own_amount", "months"]

    def __init__(self, user: User, budget_micros: int, *args: Any, **kwargs: Any) -> None:
        """Begin with the budget of somebody who chose one and did not pay, or with EUR 5."""
        cents = cents_floor(budget_micros) or FIRST_BUDGET_CENTS
        is_offered = cents in self.choice_cents
        typed = "" if is_offered else format_micros(budget_micros, user.currency)
        initial = {"amount": str(cents) if is_offered else "", "own_amount": typed, "months": "1"}
        super().__init__(user, *args, initial=initial, **kwargs)

    def smallest_micros(self) -> int:
        return int(settings.BUDGET_MIN_MICROS)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.errors:
            return cleaned
        payment_micros = max(
            cleaned["amount_micros"] * cleaned["months"], settings.TOP_UP_MIN_MICROS
        )
        if payment_micros > settings.FUNDS_MAX_MICROS:
            name = short(settings.FUNDS_MAX_MICROS, self.user.currency)
            self.add_error("months", f"At most {name} can be kept here. Choose fewer months.")
        cleaned["payment_micros"] = payment_micros
        return cleaned
