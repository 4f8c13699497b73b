"""Amounts in templates: `{{ amount_micros|money:currency }}`, exact to the micro-unit.

Balances are shown with `money_floor`, in whole cents, rounded down.
"""

from django import template

from funds.money import format_estimate, format_micros, format_micros_floor

register = template.Library()


@register.filter
def money(amount_micros: int, currency: str) -> str:
    return format_micros(int(amount_micros), currency)


@register.filter
def money_floor(amount_micros: int, currency: str) -> str:
    return format_micros_floor(int(amount_micros), currency)


@register.filter
def money_estimate(amount_micros: int, currency: str) -> str:
    return format_estimate(int(amount_micros), currency)
