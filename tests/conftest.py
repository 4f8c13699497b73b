"""The fixed cast, the database as the site's own role, and the ledger checked after each test."""

import time
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.core.cache import caches
from django.db import connections
from django.test import TransactionTestCase
from django.test.utils import setup_databases, teardown_databases

from accounts.models import User
from funds import check_ledger
from funds.roles import as_owner
from payouts import check_books

pytest_plugins = ["tests.running_site", "tests.stripe_fixtures"]

# What Django itself puts into its tables on each migration stays. The rows' guards are off for
# this one transaction, which the owner may do; a role that owns nothing may not.
EMPTY_EVERY_TABLE = """
DO $$
DECLARE
    name regclass;
    guarded regclass[] := ARRAY(SELECT DISTINCT tgrelid FROM pg_trigger WHERE NOT tgisinternal);
    filled regclass[] := '{}';
    is_filled boolean;
BEGIN
    FOR name IN
        SELECT c.oid FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
            AND c.relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %s)', name) INTO is_filled;
        IF is_filled THEN
            filled := filled || name;
        END IF;
    END LOOP;
    IF cardinality(filled) = 0 THEN
        RETURN;
    END IF;
    FOREACH name IN ARRAY guarded LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', name);
    END LOOP;
    -- Few rows lie in them, and TRUNCATE would make some hundred files anew. Keys are looked at
    -- when both sides are gone.
    SET CONSTRAINTS ALL DEFERRED;
    FOREACH name IN ARRAY filled LOOP
        EXECUTE format('DELETE FROM %s', name);
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
    FOREACH name IN ARRAY guarded LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', name);
    END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def django_db_setup(
    request, django_test_environment, django_db_blocker, django_db_modify_db_settings
) -> Iterator[None]:
    """Make the test database as its owner; the tests then run as the role that owns nothing."""
    verbosity = request.config.option.verbose
    with django_db_blocker.unblock():
        with as_owner():
            created = setup_databases(verbosity=verbosity, interactive=False)
        yield
        with as_owner():
            teardown_databases(created, verbosity=verbosity)


def _empty_as_owner(case: TransactionTestCase) -> None:
    """Empty the tables after a test that commits: the site's role may not, and triggers refuse."""
    with as_owner() as connection, connection.cursor() as cursor:
        cursor.execute(EMPTY_EVERY_TABLE)


@pytest.fixture(scope="session", autouse=True)
def _flush_as_owner() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty_as_owner)
        yield


@pytest.fixture(autouse=True)
def _ledger_holds(request) -> Iterator[None]:
    """Recompute the ledger after every test that used the database.

    It asks for the database fixture first, so that it looks before the test is rolled back.
    """
    uses_database = {"db", "transactional_db"} & set(request.fixturenames)
    if request.node.get_closest_marker("django_db") or uses_database:
        marker = request.node.get_closest_marker("django_db")
        is_transactional = "transactional_db" in request.fixturenames or (
            marker is not None and marker.kwargs.get("transaction", False)
        )
        request.getfixturevalue("transactional_db" if is_transactional else "db")
        yield
        if request.node.get_closest_marker("breaks_ledger") is None:
            is_alone = request.node.get_closest_marker("ledger_alone") is not None
            checks = check_ledger.run_checks if is_alone else check_books.run_checks
            assert not connections["default"].needs_rollback, "the test left a broken transaction"
            assert _books_are_empty() or checks() == []
    else:
        yield


def _books_are_empty() -> bool:
    """Say whether there is nothing that any check could look at, as after most tests."""
    tables = (
        "funds_transfer funds_ledgeraccount funds_topup payouts_patronstatement "
        "payouts_thingstatement payouts_creatorstatement payouts_monthfigures payouts_withdrawal "
        "buttons_subscription"
    )
    is_filled = " OR ".join(f"EXISTS (SELECT FROM {table})" for table in tables.split())
    with connections["default"].cursor() as cursor:
        cursor.execute(f"SELECT {is_filled}")
        return not cursor.fetchone()[0]


@pytest.fixture(scope="session", autouse=True)
def _cheap_where_cost_is_not_the_matter() -> Iterator[None]:
    """Hash passwords with Argon2's least cost, and look for static files when they are asked for.

    A tenth of the suite's time went into hashing, another into a list of all static files that
    WhiteNoise made anew for every test client.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, least in (("time_cost", 1), ("memory_cost", 8), ("parallelism", 1)):
            patch.setattr(Argon2PasswordHasher, name, least)
        patch.setattr(settings, "WHITENOISE_AUTOREFRESH", True, raising=False)
        yield


@pytest.fixture(autouse=True)
def _process_forgets() -> None:
    caches["process"].clear()


@pytest.fixture
def still_clock(monkeypatch) -> None:
    """Let no time pass for rate limits, which a slow machine would otherwise outlast."""
    now = time.time()
    stopped = SimpleNamespace(time=lambda: now, monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr("django_ratelimit.core.time", stopped)
    monkeypatch.setattr("allauth.core.internal.ratelimit.time", stopped)


@cache
def _hashed(password: str) -> str:
    """Hash once in a session: Argon2 is slow on purpose, and every test has its cast."""
    return make_password(password)


def _user(name: str) -> User:
    return User.objects.create(
        email=f"{name}@example.org", username=name, password=_hashed("correct horse battery")
    )


@pytest.fixture
def alice(db) -> User:
    """A patron."""
    return _user("alice")


@pytest.fixture
def bob(db) -> User:
    """A creator."""
    return _user("bob")


@pytest.fixture
def carol(db) -> User:
    """Another creator."""
    return _user("carol")


@pytest.fixture
def mallory(db) -> User:
    """Who tries what she must not."""
    return _user("mallory")
