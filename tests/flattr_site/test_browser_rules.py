"""What the browser is told on an instance with TLS, read from the settings of such an instance."""

import json
import os
import subprocess
import sys

import pytest

NAMES = (
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_NAME",
    "CSRF_COOKIE_SECURE",
    "SECURE_HSTS_SECONDS",
    "SECURE_SSL_REDIRECT",
    "ALLOWED_HOSTS",
)
ASK = f"""
import json
from django.conf import settings
print(json.dumps({{name: getattr(settings, name) for name in {NAMES}}}))
"""


@pytest.fixture(scope="module")
def settings_with_tls():
    own = {
        "SECRET_KEY": "x" * 60,
        "BASE_URL": "https://flattr.example",
        "DATABASE_URL": "postgres://flattr:x@db.example/flattr",
        "DJANGO_SETTINGS_MODULE": "flattr_site.settings",
        "PATH": os.environ["PATH"],
    }
    answer = subprocess.run(
        [sys.executable, "-c", ASK], env=own, capture_output=True, check=True, text=True
    )
    return json.loads(answer.stdout)


def test_cookies_are_bound_to_the_host(settings_with_tls):
    """A neighbour below the same domain cannot plant a `__Host-` cookie."""
    assert settings_with_tls["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert settings_with_tls["CSRF_COOKIE_NAME"].startswith("__Host-")
    assert settings_with_tls["SESSION_COOKIE_SECURE"]
    assert settings_with_tls["CSRF_COOKIE_SECURE"]


def test_browsers_come_back_with_tls_only(settings_with_tls):
    assert settings_with_tls["SECURE_HSTS_SECONDS"] == 31_536_000
    assert settings_with_tls["SECURE_SSL_REDIRECT"]


def test_only_the_instances_own_name_is_answered(settings_with_tls):
    assert settings_with_tls["ALLOWED_HOSTS"] == ["flattr.example"]
