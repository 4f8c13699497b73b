"""Forms about money that goes out."""

from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings

from funds.money import (
    NotAnAmount,
    cents_floor,
    format_micros,
    micros_of_cents,
    parse_amount,
)


def typed(amount_micros: int) -> str:
    """Return an amount as a person would type it: `4.50`."""
    units, cents = divmod(cents_floor(amount_micros), 100)
    return f"{units}.{cents:02d}"


class WithdrawalForm(forms.Form):
    """How much to withdraw: all of it unless said otherwise.

    The token is the id of the withdrawal to be, made before the first attempt, so that the form
    sent twice asks once.
    """

    amount = forms.CharField(
        label="Amount",
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, available_micros: int, currency: str, data: Any = None) -> None:
        whole_micros = micros_of_cents(cents_floor(available_micros))
        initial = {"amount": typed(whole_micros), "token": uuid4()}
        super().__init__(data, initial=initial)
        self.available_micros = whole_micros
        self.currency = currency
        smallest = format_micros(settings.WITHDRAWAL_MIN_MICROS, currency)
        self.fields["amount"].help_text = f"Whole cents, at least {smallest}."

    def clean_amount(self) -> int:
        """Return micro-units; what is there is looked at again when the money is reserved."""
        try:
            amount_micros = parse_amount(self.cleaned_data["amount"], self.currency)
        except NotAnAmount as error:
            raise forms.ValidationError(str(error)) from error
        if amount_micros < settings.WITHDRAWAL_MIN_MICROS:
            smallest = format_micros(settings.WITHDRAWAL_MIN_MICROS, self.currency)
            raise forms.ValidationError(f"The smallest withdrawal is {smallest}.")
        if amount_micros > self.available_micros:
            available = format_micros(self.available_micros, self.currency)
            raise forms.ValidationError(f"You can withdraw {available} at most.")
        return amount_micros


class RefusalForm(forms.Form):
    """Why an admin refuses a withdrawal: the creator reads it."""

    reason = forms.CharField(
        label="Reason",
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The creator reads this sentence, on their page and in a mail.",
    )
