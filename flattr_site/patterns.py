"""The page that shows every component of the design once. It exists while DEBUG is on."""

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render


class PatternForm(forms.Form):
    name = forms.CharField(label="Text", help_text="A sentence of help stands below the field.")
    amount = forms.CharField(label="Amount", initial="5.00")
    wrong = forms.CharField(label="With an error", required=False)
    kind = forms.ChoiceField(
        label="Choices",
        choices=[("2", "EUR 2"), ("5", "EUR 5"), ("10", "EUR 10")],
        widget=forms.RadioSelect,
        initial="5",
    )
    note = forms.CharField(label="Longer text", required=False, widget=forms.Textarea({"rows": 2}))
    is_on = forms.BooleanField(label="Use revenue when funds run short", required=False)

    def clean_wrong(self) -> str:
        raise forms.ValidationError("Enter an amount such as 5 or 2.50.")


def patterns(request: HttpRequest) -> HttpResponse:
    if not settings.DEBUG:
        raise Http404
    form = PatternForm({"name": "Alice", "amount": "5.00", "wrong": "-1", "kind": "5"})
    tabs = [(request.path, "This page"), ("#tabs", "Another")]
    return render(request, "patterns.html", {"form": form, "tabs": tabs})
