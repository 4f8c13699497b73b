"""Users in the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm

from accounts.models import User


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("email", "username")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    add_form = NewUserForm
    ordering = ["-date_joined", "-pk"]
    date_hierarchy = "date_joined"
    list_per_page = 50
    show_full_result_count = False
    list_display = [
        "username",
        "email",
        "kind",
        "is_exempt_from_means",
        "is_active",
        "date_joined",
    ]
    list_filter = ["kind", "currency", "is_exempt_from_means", "is_active", "is_staff"]
    search_fields = ["username", "email", "display_name", "flattr_id", "old_flattr_number"]
    search_help_text = "Username, e-mail address, name, flattr:id, or number at the first Flattr"
    readonly_fields = ["flattr_id", "date_joined", "last_login"]
    fieldsets = [
        (None, {"fields": ["email", "username", "password"]}),
        ("Public", {"fields": ["display_name", "about", "thanks", "kind", "publishes_income"]}),
        ("On pages", {"fields": ["flattr_id", "old_flattr_number"]}),
        ("Money", {"fields": ["currency", "is_exempt_from_means"]}),
        (
            "Rights",
            {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
        ("Times", {"fields": ["date_joined", "last_login"]}),
    ]
    add_fieldsets = [
        (
            None,
            {"fields": ["email", "username", "usable_password", "password1", "password2"]},
        ),
    ]

    def get_readonly_fields(self, request: Any, obj: User | None = None) -> list[str]:
        """Fix the currency of an existing user: their ledger accounts are in it."""
        return [*self.readonly_fields, *(["currency"] if obj else [])]

    def has_delete_permission(self, request: Any, obj: User | None = None) -> bool:
        """Refuse: the books name the user. Closing an account makes it inactive instead."""
        return False
