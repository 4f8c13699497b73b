"""`manage.py close_month`: what it closes, what it refuses, and in which words."""

import re

import pytest
from django.core.management import CommandError, call_command

from buttons.models import Month
from buttons.months import current_month, months_before, next_month
from payouts import close
from tests.payouts.cast import AUGUST, flattr, funds_of, gives, thing_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sandbox(settings):
    settings.SANDBOX = True


def test_it_closes_a_month_and_shows_how_far_it_is(alice, bob, capsys):
    gives(alice, "4.00")
    gives(bob, "2.00")
    flattr(alice, thing_of(bob))
    call_command("close_month", "2024-08")
    out = capsys.readouterr().out
    assert re.search(r"2024-08  Divide +\[#{30}\] 1/1", out)
    assert out.endswith("2024-08 is closed.\n")
    assert funds_of(alice) == 0


def test_a_closed_month_is_said_to_be_closed(capsys):
    call_command("close_month", "2024-08")
    call_command("close_month", "2024-08")
    assert capsys.readouterr().out.endswith("2024-08 is closed already.\n")


@pytest.mark.parametrize("text", ["2024-13", "2024-8", "August", "0000-01", "2024-08-01", ""])
def test_what_is_no_month_is_refused(text):
    with pytest.raises(CommandError, match="Say which month to close, such as 2026-10"):
        call_command("close_month", text)
    assert not Month.objects.exists()


def test_a_month_must_be_named():
    with pytest.raises(CommandError, match="Say which month"):
        call_command("close_month")


def test_the_current_month_is_refused():
    with pytest.raises(CommandError, match="is not over"):
        call_command("close_month", f"{current_month():%Y-%m}")
    assert not Month.objects.exists()


@pytest.mark.parametrize("options", [[], ["--now"]])
def test_a_future_month_is_refused(options):
    with pytest.raises(CommandError, match="lies in the future"):
        call_command("close_month", f"{next_month(current_month()):%Y-%m}", *options)
    assert not Month.objects.exists()


def test_now_closes_the_current_month_in_the_sandbox():
    month = current_month()
    call_command("close_month", "--now")
    assert Month.objects.get().month == month
    assert current_month() == next_month(month)


def test_now_again_closes_the_month_that_flattrs_fall_into():
    month = current_month()
    call_command("close_month", "--now")
    call_command("close_month", "--now")
    assert Month.objects.count() == 2
    assert current_month() == months_before(month, -2)


def test_now_is_refused_outside_the_sandbox(settings):
    settings.SANDBOX = False
    with pytest.raises(CommandError, match="which only SANDBOX allows"):
        call_command("close_month", "--now")
    assert not Month.objects.exists()


def test_a_close_that_is_stuck_says_why_in_one_sentence(monkeypatch):
    def is_stuck(*args, **options):
        raise close.CloseStuck("ProgrammingError: permission denied")

    monkeypatch.setattr("payouts.management.commands.close_month.close_month", is_stuck)
    with pytest.raises(CommandError, match="can be resumed: ProgrammingError: permission denied"):
        call_command("close_month", f"{AUGUST:%Y-%m}")
