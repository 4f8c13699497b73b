"""Sixty presses in a minute, whichever way they are recorded, taken back or refused."""

import hashlib
from datetime import timedelta

import pytest

from buttons.flattrs import record_usual
from buttons.limits import PRESSES_A_MINUTE, count_press
from buttons.models import Flattr, PressCount, SpentNonce
from buttons.months import read_clock
from tests.buttons.people import PAGE

pytestmark = pytest.mark.django_db

NONCE = hashlib.sha256(b"a nonce").digest()


def pressed(patron, presses, seconds_ago=0):
    began_at = read_clock().at - timedelta(seconds=seconds_ago)
    PressCount.objects.create(patron=patron, began_at=began_at, presses=presses)


def presses_of(patron):
    return PressCount.objects.get(patron=patron).presses


def refused(client):
    """A press without a form, which no rule would record."""
    return client.post("/submit/press/", {"url": PAGE})


def test_sixty_presses_in_a_minute_are_enough(client, patron, tea):
    pressed(patron, PRESSES_A_MINUTE - 1)
    client.force_login(patron)
    assert refused(client).status_code == 409
    answer = refused(client)
    assert answer.status_code == 429
    assert 50 < int(answer["Retry-After"]) <= 60


def test_the_sixtieth_usual_press_is_recorded(patron, tea):
    pressed(patron, PRESSES_A_MINUTE - 1)
    assert record_usual(patron, PAGE, NONCE)
    assert presses_of(patron) == PRESSES_A_MINUTE


def test_the_sixty_first_usual_press_is_refused_and_may_be_sent_again(client, patron, tea, window):
    pressed(patron, PRESSES_A_MINUTE)
    client.force_login(patron)
    form = window.form(url=PAGE)
    window.wait()
    assert client.post("/submit/press/", form).status_code == 429
    assert not Flattr.objects.exists()
    assert not SpentNonce.objects.exists()
    PressCount.objects.update(began_at=read_clock().at - timedelta(minutes=1))
    assert client.post("/submit/press/", form).status_code == 302


@pytest.mark.parametrize(("seconds_ago", "counted"), [(30, 12), (61, 1)])
def test_a_minute_begins_with_its_first_press(patron, tea, seconds_ago, counted):
    pressed(patron, 11, seconds_ago)
    presses, seconds_left = count_press(patron)
    assert presses == counted
    assert seconds_left == pytest.approx(60 if counted == 1 else 30, abs=5)


@pytest.mark.parametrize(("seconds_ago", "counted"), [(30, 12), (61, 1)])
def test_a_minute_of_usual_presses_does_too(patron, tea, seconds_ago, counted):
    pressed(patron, 11, seconds_ago)
    assert record_usual(patron, PAGE, NONCE)
    assert presses_of(patron) == counted


def test_what_is_recorded_refused_and_taken_back_counts_together(client, patron, tea, window):
    client.force_login(patron)
    made_id = window.press(url=PAGE).url.split("/")[-2]
    assert presses_of(patron) == 1
    refused(client)
    assert presses_of(patron) == 2
    client.post(f"/flattr/{made_id}/undo/")
    assert presses_of(patron) == 3


def test_nobody_uses_up_anothers_presses(client, patron, creator, tea):
    pressed(creator, PRESSES_A_MINUTE)
    client.force_login(patron)
    assert refused(client).status_code == 409


def test_the_limit_holds_while_redis_is_down(client, patron, tea, settings):
    settings.RATELIMIT_ENABLE = False
    pressed(patron, PRESSES_A_MINUTE)
    client.force_login(patron)
    assert refused(client).status_code == 429


def test_who_is_not_signed_in_is_counted_by_address(still_clock, client, db):
    statuses = [
        client.post("/submit/press/", REMOTE_ADDR="198.51.100.60").status_code for _ in range(61)
    ]
    assert (statuses[0], statuses[59], statuses[60]) == (400, 400, 429)
    assert client.post("/submit/press/", REMOTE_ADDR="198.51.100.61").status_code == 400
