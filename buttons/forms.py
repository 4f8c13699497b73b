"""Forms about things."""

from dataclasses import fields
from typing import Any

from django import forms

from buttons.models import Thing
from buttons.submissions import (
    DESCRIPTION_LETTERS_MAX,
    LANGUAGE,
    TITLE_LETTERS_MAX,
    Words,
    read_tags,
)


class WordsForm(forms.Form):
    """What an owner says of their own thing."""

    title = forms.CharField(max_length=TITLE_LETTERS_MAX, required=False)
    description = forms.CharField(
        max_length=DESCRIPTION_LETTERS_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    tags = forms.CharField(required=False, help_text="Separated by commas.")
    language = forms.CharField(
        required=False, max_length=10, help_text="Its code, such as en or de_AT."
    )
    is_hidden = forms.BooleanField(
        required=False,
        label="Keep it out of lists",
        help_text="It can still be flattred, and is found by its address.",
    )

    shows_readers = forms.BooleanField(
        required=False,
        label="Say on a badge how many readers paid for it",
        help_text="From the next minute on, counted over all closed months.",
    )

    def __init__(self, *args: Any, thing: Thing) -> None:
        super().__init__(*args)
        self.initial = {name: getattr(thing, name) for name in self.base_fields}
        self.initial["tags"] = ", ".join(thing.tags)

    def clean_title(self) -> str:
        return " ".join(str(self.cleaned_data["title"]).split())

    def clean_description(self) -> str:
        """Return the lines as everything else here has them, and not as a form sends them."""
        return str(self.cleaned_data["description"]).replace("\r\n", "\n")

    def clean_tags(self) -> tuple[str, ...]:
        return read_tags(self.cleaned_data["tags"])

    def clean_language(self) -> str:
        language = str(self.cleaned_data["language"])
        if language and not LANGUAGE.fullmatch(language):
            raise forms.ValidationError("Enter a code such as en or de_AT.")
        return language

    @property
    def words(self) -> Words:
        names = [field.name for field in fields(Words) if field.name in self.cleaned_data]
        return Words(**{name: self.cleaned_data[name] for name in names})
