"""People: everybody has one user, which gives and receives."""

import secrets
import string
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

FLATTR_ID_LETTERS = string.ascii_lowercase + string.digits

USERNAME_RULE = RegexValidator(
    # Not a number: the oldest buttons carry one in the place of a name.
    r"^(?!\d+\Z)[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?\Z",
    "Use letters, digits, hyphens and underscores; begin and end with a letter or digit, and do "
    "not use digits alone.",
)


def new_flattr_id() -> str:
    """Return six random characters, the id that pages carry in `meta flattr:id`."""
    return "".join(secrets.choice(FLATTR_ID_LETTERS) for _ in range(6))


def default_currency() -> str:
    return str(settings.DEFAULT_CURRENCY)


class UserManager(DjangoUserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return the address in lower case: one mailbox has one user."""
        return (email or "").strip().lower()

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find by e-mail, the name people sign in with."""
        return self.get(email=self.normalize_email(username))


class User(AbstractUser):
    class Kind(models.TextChoices):
        INDIVIDUAL = "individual", "Individual"
        COMPANY = "company", "Company"
        ORGANISATION = "organisation", "Organisation"

    username = models.CharField(
        "public username",
        max_length=39,
        validators=[USERNAME_RULE],
        help_text="Shown on your page and carried by your buttons.",
    )
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(
        "e-mail address", unique=True, error_messages={"unique": "This address is already used."}
    )
    display_name = models.CharField(max_length=80, blank=True)
    about = models.CharField(max_length=280, blank=True)
    thanks = models.CharField(max_length=140, blank=True, default="", db_default="")
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.INDIVIDUAL)
    currency = models.CharField(max_length=3, default=default_currency)
    flattr_id = models.CharField(max_length=6, unique=True, default=new_flattr_id, editable=False)
    publishes_income = models.BooleanField(
        "publish what my pages earned",
        default=False,
        help_text="Shown beside the number of readers, on badges of pages where you show that.",
    )
    # Set by an admin who knows that it was theirs: whoever has the number owns the pages with it.
    old_flattr_number = models.PositiveIntegerField(
        "number at the first Flattr",
        null=True,
        blank=True,
        unique=True,
        help_text="Buttons from 2010 name their creator by this number instead of the username.",
    )
    is_exempt_from_means = models.BooleanField(
        "receives without giving",
        default=False,
        help_text="For a nonprofit, or the first creators of an instance.",
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["username"]

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="user_email_lower_case"
            ),
            models.UniqueConstraint(
                Lower("username"),
                name="user_username_unique",
                violation_error_message="This username is taken.",
            ),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def public_name(self) -> str:
        return self.display_name or self.username

    def get_full_name(self) -> str:
        return self.public_name

    def get_short_name(self) -> str:
        return self.username
