"""The form by which a superuser corrects the books."""

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.models import User
from funds.corrections import REASON_MAX, post_correction
from funds.ledger import InsufficientFunds, TransferConflict, TransferRefused
from funds.models import LedgerAccount
from funds.money import NotAnAmount, parse_amount

REFUSALS = {
    InsufficientFunds: "The debited account does not hold that much.",
    TransferConflict: "This form was used before, with another content.",
    TransferRefused: "These two accounts do not fit: they are of one currency, and no pots.",
}


class CorrectionForm(forms.Form):
    """Two accounts by number, an amount, and a sentence that stays in the books for ever."""

    debit = forms.ModelChoiceField(
        LedgerAccount.objects.exclude(code=LedgerAccount.Code.POT),
        label="Debit account",
        widget=forms.NumberInput,
        help_text="The number in the address of its page.",
    )
    credit = forms.ModelChoiceField(
        LedgerAccount.objects.exclude(code=LedgerAccount.Code.POT),
        label="Credit account",
        widget=forms.NumberInput,
    )
    amount = forms.CharField(max_length=20)
    reason = forms.CharField(max_length=REASON_MAX, widget=forms.Textarea(attrs={"rows": 3}))
    token = forms.UUIDField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Read the amount in the currency of the debited account."""
        cleaned = self.cleaned_data
        if "debit" in cleaned and "amount" in cleaned:
            try:
                cleaned["amount_micros"] = parse_amount(
                    cleaned["amount"], cleaned["debit"].currency
                )
            except NotAnAmount as error:
                self.add_error("amount", str(error))
            else:
                if not cleaned["amount_micros"]:
                    self.add_error("amount", "Enter an amount above zero.")
        return cleaned


@require_http_methods(["GET", "POST"])
def correct(request: HttpRequest) -> HttpResponse:
    """Let a superuser post one correction; everybody else is refused."""
    user = request.user
    if not isinstance(user, User) or not user.is_superuser:
        raise PermissionDenied
    form = CorrectionForm(request.POST or None, initial={"token": uuid4()})
    if request.method == "POST" and form.is_valid() and (answer := _post(request, user, form)):
        return answer
    context = {**admin.site.each_context(request), "title": "Correct the books", "form": form}
    return render(
        request, "admin/funds/correction.html", context, status=400 if form.errors else 200
    )


def _post(request: HttpRequest, user: User, form: CorrectionForm) -> HttpResponse | None:
    """Post it and show the transfer; or put the refusal into the form."""
    data = form.cleaned_data
    try:
        made = post_correction(
            user,
            debit=data["debit"],
            credit=data["credit"],
            amount_micros=data["amount_micros"],
            reason=data["reason"],
            correction_id=data["token"],
        )
    except tuple(REFUSALS) as error:
        form.add_error(None, REFUSALS[type(error)])
        return None
    messages.success(request, "Corrected.")
    return redirect("admin:funds_transfer_change", made.pk)
