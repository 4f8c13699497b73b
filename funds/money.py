"""Units of money: the only place that converts, rounds, parses and prints amounts.

Amounts are integers of micro-units: EUR 1 = 1,000,000. Stripe moves cents: 1 cent = 10,000.
"""

import re

MICROS_PER_UNIT = 1_000_000
MICROS_PER_CENT = 10_000
BASIS_POINTS = 10_000
UNITS_MAX = 1_000_000_000

SIGNS = {"EUR": "€", "GBP": "£", "USD": "$"}
AMOUNT_RULE = re.compile(r"(\d{1,10})(?:[.,](\d{1,2}))?", re.ASCII)


class NotAnAmount(ValueError):
    """What was typed is not an amount of money; the message says why, for people."""


def cents_floor(amount_micros: int) -> int:
    """Return the whole cents in an amount, rounding the unpayable rest down.

    Stripe moves whole cents, so up to 9_999 micros stay on the creator's account.
    """
    return amount_micros // MICROS_PER_CENT


def micros_of_cents(amount_cents: int) -> int:
    return amount_cents * MICROS_PER_CENT


def fee_micros(gross_micros: int, fee_basis_points: int) -> int:
    """Return the fee on what a creator receives in a month, rounded down in their favour."""
    return gross_micros * fee_basis_points // BASIS_POINTS


def parse_amount(text: str, currency: str) -> int:
    """Return the micro-units that a person typed: `2`, `2.5`, `2,50` and `EUR 2.50` are amounts.

    The currency may stand before or after, and no other one. At most two decimals, after a comma
    or a point; no sign, no exponent and no thousands separator, since `1.000` means one in London
    and a thousand in Berlin. Raises NotAnAmount.
    """
    cleaned = text.strip()
    for sign in (currency, SIGNS.get(currency, currency)):
        cleaned = cleaned.removeprefix(sign).removesuffix(sign).strip("\u00a0 ")
    if cleaned.startswith("-"):
        raise NotAnAmount("Enter an amount above zero.")
    if re.fullmatch(r"[\d.,'\u2019\u00a0\u202f ]*\d", cleaned, re.ASCII) and not (
        AMOUNT_RULE.fullmatch(cleaned)
    ):
        raise NotAnAmount("Use at most two decimals and no thousands separator, such as 2.50.")
    found = AMOUNT_RULE.fullmatch(cleaned)
    if not found:
        raise NotAnAmount("Enter an amount such as 5 or 2.50.")
    units, cents = int(found[1]), int((found[2] or "").ljust(2, "0"))
    if units > UNITS_MAX:
        raise NotAnAmount("That amount is too large.")
    return units * MICROS_PER_UNIT + cents * MICROS_PER_CENT


def format_micros(amount_micros: int, currency: str) -> str:
    """Return an amount for people, such as `EUR 2.50`.

    Always two decimals, and more only where whole cents would not tell the truth
    (`EUR 0.285714`), so that printed parts add up to the printed whole.
    """
    sign = "-" if amount_micros < 0 else ""
    units, micros = divmod(abs(amount_micros), MICROS_PER_UNIT)
    decimals = f"{micros:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{currency}\u00a0{units:,}.{decimals}"


def format_micros_floor(amount_micros: int, currency: str) -> str:
    """Return a balance for people in whole cents, rounded down: never more than there is."""
    return format_micros(micros_of_cents(cents_floor(amount_micros)), currency)


def format_estimate(amount_micros: int, currency: str) -> str:
    """Return an estimated share for people: in whole cents, or exact where it is below one."""
    is_below_a_cent = amount_micros < MICROS_PER_CENT
    return (format_micros if is_below_a_cent else format_micros_floor)(amount_micros, currency)
