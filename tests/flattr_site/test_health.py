from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from flattr_site.health import HEARTBEAT_MAX
from flattr_site.models import Heartbeat
from flattr_site.tasks import record_heartbeat
from payouts.models import BooksCheck

pytestmark = pytest.mark.django_db
UNCHECKED = {"books": "unknown"}
NOWHERE = "redis://127.0.0.1:1/0"


def test_all_parts_at_work_is_ok(client):
    record_heartbeat()
    answer = client.get(reverse("health"))
    assert answer.status_code == 200
    assert (
        answer.json()
        == {"status": "ok", "database": "ok", "redis": "ok", "worker": "ok"} | UNCHECKED
    )


def test_a_worker_that_never_finished_anything_fails(client):
    answer = client.get(reverse("health"))
    assert (answer.status_code, answer.json()["worker"]) == (503, "failing")


@pytest.mark.parametrize(
    ("late", "state"), [(timedelta(seconds=-5), "ok"), (timedelta(seconds=5), "failing")]
)
def test_a_heartbeat_counts_for_two_minutes(client, late, state):
    Heartbeat.objects.create(name=Heartbeat.WORKER, beat_at=Now() - HEARTBEAT_MAX - late)
    assert client.get(reverse("health")).json()["worker"] == state


def test_redis_down_is_named_and_the_rest_is_not_blamed(client, settings):
    record_heartbeat()
    settings.REDIS_URL = NOWHERE
    answer = client.get(reverse("health"))
    assert answer.status_code == 503
    assert (
        answer.json()
        == {
            "status": "failing",
            "database": "ok",
            "redis": "failing",
            "worker": "ok",
        }
        | UNCHECKED
    )


@pytest.mark.parametrize(("is_sound", "books"), [(True, "ok"), (False, "failing")])
def test_the_last_check_of_the_books_is_named_and_takes_no_instance_away(client, is_sound, books):
    record_heartbeat()
    BooksCheck.objects.create(started_at=timezone.now(), checks=1, is_sound=is_sound)
    answer = client.get(reverse("health"))
    assert (answer.status_code, answer.json()["books"]) == (200, books)
    assert answer.json()["status"] == books


def test_a_database_down_is_named(client, monkeypatch):
    def refuse():
        raise DatabaseError("no route")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", refuse)
        answer = client.get(reverse("health"))
    assert (answer.status_code, answer.json()["database"]) == (503, "failing")


def test_health_is_read_only(client):
    assert client.post(reverse("health")).status_code == 405
    assert "no-cache" in client.get(reverse("health"))["Cache-Control"]
