import re

import pytest
from django.core import mail
from django.core.cache import cache

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _no_limits_from_before():
    """Start every test with fresh rate limits: the counts of Redis outlive a rolled-back test."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def sign_up(client, db):
    def sign_up(query="", **fields):
        data = {
            "email": "dora@example.org",
            "username": "dora",
            "password1": PASSWORD,
            "kind": "individual",
            **fields,
        }
        return client.post(f"/accounts/signup/{query}", data)

    return sign_up


@pytest.fixture
def sign_in(db):
    def sign_in(client, email="alice@example.org", password=PASSWORD, query="", **extra):
        return client.post(
            f"/accounts/login/{query}", {"login": email, "password": password}, **extra
        )

    return sign_in


@pytest.fixture
def link_in_mail():
    def link_in_mail(place=-1):
        return re.findall(r"http://testserver(/\S+)", str(mail.outbox[place].body))[0]

    return link_in_mail


@pytest.fixture
def verified(alice):
    alice.emailaddress_set.create(email=alice.email, verified=True, primary=True)
    return alice
