"""The beat may lose its file, be late, or be there twice: a month is closed, once."""

import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from celery import Celery
from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from buttons.models import Month
from buttons.months import month_of, months_before
from flattr_site.celery import TICK_SECONDS, app
from funds.models import Transfer
from payouts.models import Chunk, Share
from sandbox.children import Child, wait_until
from sandbox.environment import ROOT
from tests.payouts.cast import flattr, funds_of, gives, revenue_of, thing_of

SECONDS = 60
# A database of Redis that no cache and no other test uses; each process of a test run has its own.
BROKER = 14 - int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
CLOSE = "payouts.tasks.close_due_months"

pytestmark = pytest.mark.django_db(transaction=True)


def broker_url() -> str:
    return urlsplit(settings.REDIS_URL)._replace(path=f"/{BROKER}").geturl()


def environment() -> dict[str, str]:
    name = connection.settings_dict["NAME"]
    return {
        **os.environ,
        "DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl(),
        "REDIS_URL": broker_url(),
        # Nobody listens there: what the tick would ask of Stripe fails at once.
        "STRIPE_API_BASE": "http://127.0.0.1:9",
    }


@pytest.fixture(scope="module")
def broker() -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(broker_url())
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


def is_idle(broker) -> bool:
    return not broker.llen("celery") and not broker.hlen("unacked")


@pytest.fixture(scope="module")
def running(django_db_setup, broker, tmp_path_factory) -> Iterator[Child]:
    log = tmp_path_factory.mktemp("worker") / "log"
    child = Child("worker", log, signal.SIGKILL)
    child.start([sys.executable, "-m", "tests.crashes.worker"], environment(), ROOT)
    yield child
    child.stop()


@pytest.fixture
def worker(running: Child, broker) -> Child:
    """A worker that has done what a worker asks for when it comes up, and now waits for a beat."""
    is_up = wait_until(lambda: " ready." in running.log.read_text() and is_idle(broker), SECONDS)
    assert is_up, running.last_words()
    return running


@pytest.fixture
def beat(tmp_path):
    """Return a function that starts a beat with a schedule file; all are ended with the test."""
    started: list[Child] = []

    def start(schedule: Path) -> Child:
        child = Child("beat", tmp_path / f"beat-{len(started)}.log")
        command = [sys.executable, "-m", "tests.crashes.beat", str(schedule)]
        child.start(command, environment(), ROOT)
        started.append(child)
        return child

    yield start
    for child in started:
        child.stop()


def a_month_ends(alice, bob):
    """Leave a flattr of last month, which nobody closed yet."""
    month = months_before(month_of(timezone.now()), 1)
    flattr(gives(alice, "4.00"), thing_of(gives(bob, "2.00")), month=month)
    connections.close_all()
    return month


def is_closed(month) -> bool:
    is_done = not Chunk.objects.filter(state="due").exists()
    return is_done and Month.objects.filter(pk=month, state="closed").exists()


def assert_closed_once(alice, bob) -> None:
    assert (funds_of(alice), revenue_of(bob)) == (0, 3_600_000)
    assert Share.objects.count() == 1
    codes = Transfer.objects.exclude(month=None).order_by("code").values_list("code", flat=True)
    assert list(codes) == ["month_budget", "month_fee", "month_revenue"]


def files_of(schedule: Path) -> list[Path]:
    return list(schedule.parent.glob(f"{schedule.name}*"))


def test_whoever_is_alive_again_asks_within_two_minutes():
    entry = app.conf.beat_schedule[CLOSE]
    assert entry["schedule"] == entry["options"]["expires"] == TICK_SECONDS
    assert TICK_SECONDS <= 60


@pytest.mark.parametrize("is_file_lost", [True, False])
def test_a_beat_that_was_down_at_the_first_closes_the_month_when_it_is_back(
    alice, bob, worker, broker, beat, tmp_path, is_file_lost
):
    schedule = tmp_path / "schedule"
    before = beat(schedule)
    assert wait_until(partial(files_of, schedule), SECONDS), before.last_words()
    before.stop()
    if is_file_lost:
        for file in files_of(schedule):
            file.unlink()
    assert wait_until(partial(is_idle, broker), SECONDS), worker.last_words()
    month = a_month_ends(alice, bob)
    back = beat(schedule)
    assert wait_until(partial(is_closed, month), SECONDS), back.last_words() + worker.last_words()
    assert_closed_once(alice, bob)


def test_two_beats_close_a_month_once(alice, bob, worker, beat, tmp_path):
    month = a_month_ends(alice, bob)
    for name in ("one", "other"):
        beat(tmp_path / name)
    assert wait_until(partial(is_closed, month), SECONDS), worker.last_words()
    assert_closed_once(alice, bob)


def test_a_task_that_is_delivered_three_times_closes_a_month_once(alice, bob, worker, broker):
    month = a_month_ends(alice, bob)
    with Celery(broker=broker_url()) as sender:
        for name in (CLOSE, "payouts.tasks.help_close"):
            for _ in range(3):
                sender.send_task(name, task_id="the same one")
    assert wait_until(partial(is_closed, month), SECONDS), worker.last_words()
    assert wait_until(partial(is_idle, broker), SECONDS), worker.last_words()
    assert_closed_once(alice, bob)
