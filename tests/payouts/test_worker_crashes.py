"""Real Celery workers die at a statement of the close, and Redis forgets: the next tick goes on."""

import os
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import redis
from celery import Celery
from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from buttons.models import Month
from buttons.months import current_month, month_of, months_before
from funds.models import Transfer
from payouts.models import Share
from sandbox.children import wait_until
from sandbox.environment import ROOT
from tests.payouts.cast import flattr, funds_of, gives, revenue_of, thing_of

SECONDS = 60
# A database of Redis that no cache and no other test uses; each process of a test run has its own.
BROKER = 15 - int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broker():
    url = urlsplit(settings.REDIS_URL)._replace(path=f"/{BROKER}").geturl()
    client = redis.Redis.from_url(url)
    client.flushdb()
    yield Celery(broker=url), client, url
    client.flushdb()
    client.close()


@pytest.fixture
def worker(broker, tmp_path):
    """Return a function that starts a worker; all are ended with the test."""
    started: list[subprocess.Popen[bytes]] = []
    url = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]

    def start(kill_at: str = "", whom: str = "child"):
        environment = {
            **os.environ,
            "DATABASE_URL": url._replace(path=f"/{name}").geturl(),
            "REDIS_URL": broker[2],
            "KILL_AT": kill_at,
            "KILL_WHOM": whom,
            "KILL_LOG": str(tmp_path / "kills"),
        }
        command = [sys.executable, "-m", "tests.payouts.killing_worker"]
        with (tmp_path / "worker.log").open("ab") as log:
            started.append(
                subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
            )
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait(SECONDS)


@pytest.fixture
def last_month(alice, bob):
    month = months_before(month_of(timezone.now()), 1)
    flattr(gives(alice, "4.00"), thing_of(gives(bob, "2.00")), month=month)
    connections.close_all()
    return month


def tick(broker) -> None:
    broker[0].send_task("payouts.tasks.close_due_months", expires=SECONDS)


def is_closed(month) -> bool:
    return Month.objects.filter(pk=month, state="closed").exists()


def assert_paid_once(alice, bob) -> None:
    assert (funds_of(alice), revenue_of(bob)) == (0, 3_600_000)
    assert Share.objects.count() == 1
    codes = Transfer.objects.exclude(month=None).order_by("code").values_list("code", flat=True)
    assert list(codes) == ["month_budget", "month_fee", "month_revenue"]
    assert current_month() == month_of(timezone.now())


@pytest.mark.parametrize("whom", ["child", "parent"])
@pytest.mark.parametrize("point", ["divide: transfers written", "pay: committed"])
def test_a_worker_killed_in_the_middle_is_made_up_for(
    last_month, alice, bob, broker, worker, tmp_path, whom, point
):
    first = worker(point, whom)
    tick(broker)
    assert wait_until((tmp_path / "kills").exists, SECONDS), (tmp_path / "worker.log").read_text()
    killed_point, _, killed = (tmp_path / "kills").read_text().rpartition(f" {whom} ")
    assert killed_point == point
    if whom == "parent":
        assert int(killed) == first.pid
        assert first.wait(SECONDS) == -9
        broker[1].flushdb()
        worker()
    # The beat's next one.
    tick(broker)
    assert wait_until(lambda: is_closed(last_month), SECONDS), (tmp_path / "worker.log").read_text()
    assert_paid_once(alice, bob)


def test_a_broker_that_forgot_everything_costs_a_tick(last_month, alice, bob, broker, worker):
    tick(broker)
    broker[1].flushdb()
    worker()
    tick(broker)
    assert wait_until(lambda: is_closed(last_month), SECONDS)
    assert_paid_once(alice, bob)
