"""Two worker hosts close one month: each its own Celery, environment and folder; both over TCP."""

import os
import signal
import sys
from functools import partial
from urllib.parse import urlsplit

import pytest
from celery import Celery
from django.conf import settings
from django.db import connection

from accounts.models import User
from buttons.models import Flattr, Month
from funds.check_ledger import run_checks
from funds.models import Transfer
from funds.roles import as_owner
from payouts import close
from payouts.models import CreatorStatement, PatronStatement, Share
from sandbox.children import Child, wait_until
from sandbox.environment import ROOT
from tests.payouts.cast import AUGUST, flattr, gives, micros, thing_of, write_down

PATRONS = 240
CHUNK_PATRONS = 3
HOSTS = ("host-1", "host-2")
# The broker of these two alone: tests beside this one use the others.
BROKER_DATABASE = 15

# Each chunk remembers which host did it: a connection says its name.
REMEMBER = """
CREATE TABLE done_by (chunk bigint, host text);
GRANT SELECT, INSERT ON done_by TO PUBLIC;
CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO done_by VALUES (NEW.id, current_setting('application_name'));
    RETURN NULL;
END $$;
CREATE TRIGGER remember AFTER UPDATE ON payouts_chunk FOR EACH ROW
    WHEN (NEW.state = 'done') EXECUTE FUNCTION remember();
"""
FORGET = """
DROP TRIGGER remember ON payouts_chunk;
DROP FUNCTION remember;
DROP TABLE done_by;
"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def done_by():
    """Return a function that counts the chunks that each host did."""
    with as_owner() as owner, owner.cursor() as cursor:
        cursor.execute(REMEMBER)

    def count() -> dict[str, int]:
        with connection.cursor() as cursor:
            # What the test itself wrote down has no host's name.
            cursor.execute("SELECT host, count(*) FROM done_by WHERE host <> '' GROUP BY host")
            return dict(cursor.fetchall())

    yield count
    with as_owner() as owner, owner.cursor() as cursor:
        cursor.execute(FORGET)


def environment_of(host: str, folder) -> dict[str, str]:
    """Return all that a host knows: nothing of this process's own environment but the path."""
    database = settings.DATABASES["default"]
    login = f"{database['USER']}:{database['PASSWORD']}"
    address = f"{database['HOST']}:{database['PORT']}"
    name = connection.settings_dict["NAME"]
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "flattr_site.settings",
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": f"postgres://{login}@{address}/{name}?application_name={host}",
        "REDIS_URL": broker_url(),
        "SECRET_KEY": f"of {host}",
        "BASE_URL": f"http://{host}.example",
        "EMAIL_URL": f"file://{folder}/mail",
        # Nobody listens there: what the tick would ask of Stripe fails at once.
        "DEBUG": "true",
        "STRIPE_API_BASE": "http://127.0.0.1:9",
        "STRIPE_SECRET_KEY": "sk_test_none",
    }


def broker_url() -> str:
    return urlsplit(settings.REDIS_URL)._replace(path=f"/{BROKER_DATABASE}").geturl()


def is_ready(host: Child) -> bool:
    return " ready." in host.log.read_text()


@pytest.fixture
def hosts(tmp_path):
    """Two running workers, ready and idle."""
    assert settings.DATABASES["default"]["HOST"] and urlsplit(settings.REDIS_URL).hostname
    children = {host: Child(host, tmp_path / host / "log", signal.SIGKILL) for host in HOSTS}
    for host, child in children.items():
        command = [sys.executable, "-m", "celery", "--app", "flattr_site", "worker"]
        command += [f"--hostname=celery@{host}", "--concurrency=1", "--loglevel=INFO"]
        command += ["--without-mingle"]
        (tmp_path / host).mkdir()
        child.start(command, environment_of(host, tmp_path / host), tmp_path / host)
    try:
        for child in children.values():
            assert wait_until(partial(is_ready, child), 60), child.last_words()
        yield children
    finally:
        for child in children.values():
            child.stop()


@pytest.fixture
def patrons(bob, carol):
    things = [thing_of(gives(creator, "2.00")) for creator in (bob, carol, bob)]
    patrons = [
        User.objects.create(username=f"patron-{place}", email=f"patron-{place}@example.org")
        for place in range(PATRONS)
    ]
    for patron in patrons:
        gives(patron, "3.00")
    first = flattr(patrons[0], things[0])
    Flattr.objects.bulk_create(
        Flattr(patron=patron, thing=thing, month=AUGUST, created_at=first.created_at)
        for patron in patrons
        for thing in things
        if (patron, thing) != (patrons[0], things[0])
    )
    return patrons


def test_two_hosts_close_a_month_together_and_one_of_them_is_killed(
    hosts, patrons, done_by, monkeypatch
):
    monkeypatch.setattr(close, "CHUNK_SIZE", CHUNK_PATRONS)
    write_down(AUGUST)
    with Celery(broker=broker_url()) as beat:
        beat.send_task("payouts.tasks.close_due_months", expires=60)
    both = wait_until(lambda: min(done_by().get(host, 0) for host in HOSTS) >= 3, 60, 0.01)
    assert both, done_by()

    os.killpg(hosts["host-1"].pid, signal.SIGKILL)
    at_the_kill = done_by()
    assert sum(at_the_kill.values()) < PATRONS / CHUNK_PATRONS, "it was killed too late"

    closed = wait_until(lambda: Month.objects.filter(state="closed").exists(), 120)
    assert closed, hosts["host-2"].last_words()
    assert_closed_once(done_by())
    assert done_by()["host-2"] > at_the_kill["host-2"]


def assert_closed_once(by_host):
    assert set(by_host) == set(HOSTS)
    assert Share.objects.filter(month=AUGUST).count() == PATRONS * 3
    given = PatronStatement.objects.values_list("given_micros", flat=True)
    assert list(given) == [micros("3.00")] * PATRONS
    assert CreatorStatement.objects.count() == 2
    codes = Transfer.objects.filter(month=AUGUST).values_list("code", flat=True)
    assert sorted(codes) == ["month_budget"] * PATRONS + ["month_fee"] * 2 + ["month_revenue"] * 2
    assert run_checks() == []
