"""What the settings refuse before anything is served."""

import os
import runpy
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

SETTINGS = Path(__file__).parents[2] / "flattr_site" / "settings.py"
PRODUCTION = {
    "SECRET_KEY": "of a test",
    "DATABASE_URL": "postgres://app:secret@localhost/flattr",
    # What a file `.env` of this checkout may say.
    "DEBUG": "false",
    "SANDBOX": "false",
    "STRIPE_API_BASE": "",
    "FETCH_ALLOWED_HOSTS": "",
}


def complaint_about(**variables: str) -> str:
    """Return what the settings say of these variables; nothing when they take them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            patch.delenv(name)
        for name, value in (PRODUCTION | variables).items():
            patch.setenv(name, value)
        try:
            runpy.run_path(str(SETTINGS))
        except (ValueError, ImproperlyConfigured) as error:
            return str(error)
    return ""


def test_an_instance_starts_with_its_defaults():
    assert complaint_about() == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SANDBOX", "true"),
        ("STRIPE_API_BASE", "http://localhost:8002"),
        ("FETCH_ALLOWED_HOSTS", "localhost:8001"),
    ],
)
def test_what_belongs_to_a_sandbox_is_refused_in_production(name, value):
    assert name in complaint_about(**{name: value})
    assert complaint_about(DEBUG="true", **{name: value}) == ""


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("BUDGET_MIN_CENTS", "1", "0"),
        ("TOP_UP_MIN_CENTS", "1", "0"),
        ("FUNDS_MAX_CENTS", "300", "299"),
        ("FEE_BASIS_POINTS", "10000", "10001"),
        ("FEE_BASIS_POINTS", "0", "-1"),
        ("WITHDRAWAL_MIN_CENTS", "1", "0"),
        ("WAITING_MONTHS", "0", "-1"),
        ("REVENUE_HOLD_DAYS", "0", "-1"),
        ("TRUSTED_PROXY_COUNT", "0", "-1"),
        ("DEFAULT_CURRENCY", "USD", "usd"),
        ("DEFAULT_CURRENCY", "GBP", "EURO"),
        # Stripe counts these in other units than hundredths: a hundred times too much is charged.
        ("DEFAULT_CURRENCY", "CHF", "JPY"),
        ("CURRENCIES", "EUR,USD", "EUR,KWD"),
        ("CURRENCIES", "EUR,USD", "USD,GBP"),
        ("DNS_SERVERS", "9.9.9.9,[2620:fe::fe]:5353", "9.9.9.9,dns.quad9.net"),
        ("DNS_SERVERS", "127.0.0.1:53", "127.0.0.1:port"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(name, allowed, refused):
    assert complaint_about(**{name: allowed}) == ""
    assert name in complaint_about(**{name: refused})
