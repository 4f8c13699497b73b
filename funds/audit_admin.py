"""What every page of the audit has in common: rows that are looked at, and never changed."""

from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from funds.money import format_micros

COUNT_MAX = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Count up to ten thousand rows and no further: a filter or a search narrows the rest down.

    Counting millions of transfers would cost more than showing a hundred of them.
    """

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[:COUNT_MAX].count())


class AuditAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows of money: listed, searched and read, never added, changed or deleted here."""

    actions: Any = None
    list_per_page = 100
    show_full_result_count = False
    paginator = CappedPaginator

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def money(name: str, description: str) -> Any:
    """Return a column that prints a field of micro-units in the row's currency, if it has one."""

    @admin.display(description=description, ordering=name)
    def column(model_admin: Any, row: Any) -> str:
        amount_micros = getattr(row, name)
        return "-" if amount_micros is None else format_micros(amount_micros, row.currency)

    return column


def link(url_name: str, text: object, *args: object, query: str = "") -> SafeString:
    """Return a link to a page of the admin."""
    return format_html(
        '<a href="{}{}">{}</a>', reverse(f"admin:{url_name}", args=args), query, text
    )
