"""Forms of people: sign-up, sign-in and profile."""

from typing import Any

from allauth.account import forms as allauth_forms
from allauth.core.exceptions import ImmediateHttpResponse
from django import forms
from django.contrib import messages
from django.contrib.auth.password_validation import password_validators_help_texts
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect

from accounts.models import User
from accounts.usernames import validate_not_reserved


class PlainFields:
    """Take the placeholders away: every field has a label and, where needed, a sentence of help."""

    labels = {
        "login": "E-mail address",
        "email": "E-mail address",
        "username": "Public username",
        "password": "Password",
        "password1": "Password",
        "oldpassword": "Current password",
    }
    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = self.labels.get(name, field.label)


class LoginForm(PlainFields, allauth_forms.LoginForm):  # type: ignore[misc]
    pass


class SignupForm(PlainFields, allauth_forms.SignupForm):  # type: ignore[misc]
    field_order = ["email", "username", "password1", "kind"]

    kind = forms.ChoiceField(
        label="You are",
        choices=User.Kind.choices,
        initial=User.Kind.INDIVIDUAL,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].help_text = "Only for signing in and for mail from us. Never shown."
        self.fields[
            "username"
        ].help_text = "Everybody sees it. Your buttons will carry it, so choose one to keep."
        self.fields["password1"].help_text = password_help()

    def save(self, request: HttpRequest) -> User:
        """Write the user. The database has the last word when two take one name at once."""
        try:
            with transaction.atomic():
                user: User = super().save(request)
                return user
        except IntegrityError as error:
            messages.error(request, "That username was taken a moment ago. Choose another.")
            raise ImmediateHttpResponse(redirect("account_signup")) from error

    def signup(self, request: HttpRequest, user: User) -> None:
        """Keep what allauth does not know, right after it has written the user."""
        user.kind = self.cleaned_data["kind"]
        user.save(update_fields=["kind"])


class ResetPasswordForm(PlainFields, allauth_forms.ResetPasswordForm):  # type: ignore[misc]
    pass


class NewPasswordForm(PlainFields, allauth_forms.ResetPasswordKeyForm):  # type: ignore[misc]
    labels = {"password1": "New password", "password2": "New password, again"}


class ChangePasswordForm(PlainFields, allauth_forms.ChangePasswordForm):  # type: ignore[misc]
    labels = {
        "oldpassword": "Current password",
        "password1": "New password",
        "password2": "New password, again",
    }


class NewEmailForm(PlainFields, allauth_forms.AddEmailForm):  # type: ignore[misc]
    labels = {"email": "New e-mail address"}


class ReauthenticateForm(PlainFields, allauth_forms.ReauthenticateForm):  # type: ignore[misc]
    pass


def password_help() -> str:
    """Return the rules of a password as one line of plain text."""
    return " ".join(password_validators_help_texts()[1:2])


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """What others see of a user. The username is fixed once buttons carry it."""

    class Meta:
        model = User
        fields = ["username", "display_name", "about", "thanks", "kind", "publishes_income"]
        widgets = {"about": forms.Textarea(attrs={"rows": 3}), "kind": forms.RadioSelect}
        labels = {
            "username": "Public username",
            "display_name": "Name",
            "about": "About you",
            "thanks": "Thank-you line",
            "kind": "You are",
        }
        help_texts = {
            "display_name": "Shown instead of the username where there is room.",
            "thanks": "Shown to who has just flattred something of yours.",
        }

    def __init__(self, *args: Any, is_username_fixed: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        username = self.fields["username"]
        username.disabled = is_username_fixed
        username.help_text = (
            "Fixed, because buttons on the web carry it."
            if is_username_fixed
            else "You can change it until the first page with your button is known here."
        )

    def clean_username(self) -> str:
        username = str(self.cleaned_data["username"])
        if username != self.initial["username"]:
            validate_not_reserved(username)
            others = User.objects.exclude(pk=self.instance.pk)
            if others.filter(username__iexact=username).exists():
                raise forms.ValidationError("This username is taken.")
        return username
