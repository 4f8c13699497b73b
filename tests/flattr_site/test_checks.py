import pytest

from flattr_site.checks import check_deployment


def ids() -> list[str | None]:
    return [message.id for message in check_deployment(None)]


@pytest.fixture
def ready(settings):
    settings.STRIPE_SECRET_KEY = "sk_live_x"
    settings.STRIPE_WEBHOOK_SECRET = settings.STRIPE_CONNECT_WEBHOOK_SECRET = "whsec_x"
    settings.IS_HTTPS = True
    settings.DATABASE_APP_ROLE = "app"
    settings.DATABASE_OWNER = {"USER": "owner"}
    settings.REVENUE_HOLD_DAYS = 30
    return settings


def test_an_instance_that_is_ready_hears_nothing(ready):
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "message_id"),
    [
        ("STRIPE_SECRET_KEY", "", "flattr.E001"),
        ("STRIPE_WEBHOOK_SECRET", "", "flattr.E002"),
        ("STRIPE_CONNECT_WEBHOOK_SECRET", "", "flattr.E002"),
        ("STRIPE_SECRET_KEY", "sk_test_x", "flattr.W001"),
        ("IS_HTTPS", False, "flattr.E003"),
        ("DATABASE_APP_ROLE", "owner", "flattr.W002"),
        ("REVENUE_HOLD_DAYS", 0, "flattr.W003"),
    ],
)
def test_what_would_hurt_is_named(ready, name, value, message_id):
    setattr(ready, name, value)
    assert ids() == [message_id]
