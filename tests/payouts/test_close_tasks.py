"""What the beat does each minute: close what is due, and mail each statement once."""

from smtplib import SMTPRecipientsRefused

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.utils import timezone

from accounts.models import User
from buttons.models import Month
from buttons.months import month_of, months_before
from payouts import close, tasks
from payouts.close import close_month, follow_up_closes
from payouts.models import Chunk, CreatorStatement, PatronStatement
from payouts.statement_mails import due_mails, mail_statement
from tests.payouts.cast import AUGUST, JULY, booked, flattr, funds_of, gives, revenue_of, thing_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_once(monkeypatch):
    """Let tasks that are sent run here, as an idle worker would."""
    monkeypatch.setattr(tasks.help_close, "apply_async", lambda expires: tasks.help_close())
    monkeypatch.setattr(tasks.mail_statement_of, "delay", tasks.mail_statement_of)


@pytest.fixture
def flattred(alice, bob):
    gives(alice, "4.00")
    gives(bob, "2.00")
    flattr(alice, thing_of(bob))


@pytest.fixture
def flattred_lately(alice, bob):
    """Few months ago, since each month until now is closed as well."""
    month = months_before(month_of(timezone.now()), 3)
    flattr(gives(alice, "4.00"), thing_of(gives(bob, "2.00")), month=month)
    return month


def test_a_tick_closes_every_month_that_is_over(alice, flattred_lately, at_once):
    tasks.close_due_months()
    months = Month.objects.order_by("month")
    assert [month.month for month in months] == [
        months_before(flattred_lately, -number) for number in range(3)
    ]
    assert {month.state for month in months} == {"closed"}
    assert funds_of(alice) == 0


def test_a_tick_on_a_new_instance_closes_nothing(at_once):
    tasks.close_due_months()
    assert not Month.objects.exists()


def test_a_second_tick_changes_nothing(flattred_lately, at_once):
    tasks.close_due_months()
    first = booked()
    tasks.close_due_months()
    assert booked() == first


def test_revenue_that_was_held_is_released_when_its_days_are_over(bob, flattred, settings):
    settings.REVENUE_HOLD_DAYS = 30
    close_month(AUGUST)
    follow_up_closes()
    assert revenue_of(bob) == 0
    Chunk.objects.filter(step="release").update(next_try_at="2024-09-30T00:00:00Z")
    tasks.follow_up_closes()
    tasks.follow_up_closes()
    assert revenue_of(bob) == 3_600_000
    assert bob.ledger_accounts.get(code="revenue_held").available_micros == 0


ANALYZED = (
    "payouts_thingstatement",
    "payouts_patronstatement",
    "payouts_creatorstatement",
    "funds_transfer",
    "funds_ledgeraccount",
)


def times_analyzed() -> list[int]:
    """Return how often statistics were taken of what a close writes, autovacuum's left out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT pg_stat_get_analyze_count(to_regclass(name)) FROM unnest(%s) AS name",
            [list(ANALYZED)],
        )
        return [row[0] or 0 for row in cursor.fetchall()]


def test_statistics_are_taken_once_after_a_large_month(flattred, monkeypatch):
    monkeypatch.setattr(close, "ANALYZE_FLATTRS_MIN", 1)
    before = times_analyzed()
    close_month(AUGUST)
    tasks.follow_up_closes()
    assert times_analyzed() == [times + 1 for times in before]


def test_no_statistics_are_taken_after_a_small_month(flattred, monkeypatch):
    monkeypatch.setattr(close, "ANALYZE_FLATTRS_MIN", 2)
    close_month(AUGUST)
    assert not Chunk.objects.filter(step="analyze").exists()


def dies_when_it_is_closed(month, report):
    while close._work_on_a_chunk(month) or close._advance(month):
        if close.is_closed(month):
            raise KeyboardInterrupt


def test_statistics_that_a_killed_worker_left_untaken_are_taken_by_the_next_tick(
    flattred, monkeypatch
):
    monkeypatch.setattr(close, "ANALYZE_FLATTRS_MIN", 1)
    with monkeypatch.context() as patch:
        patch.setattr(close, "help_close", dies_when_it_is_closed)
        with pytest.raises(KeyboardInterrupt):
            close_month(AUGUST)
    before = times_analyzed()
    assert Month.objects.get().state == "closed"
    tasks.follow_up_closes()
    assert times_analyzed() == [times + 1 for times in before]


def test_the_sites_role_cannot_take_statistics_itself(flattred):
    before = times_analyzed()
    with connection.cursor() as cursor:
        # A warning, no error: the tables of somebody else are passed over.
        cursor.execute("ANALYZE funds_transfer, payouts_patronstatement")
    assert times_analyzed() == before


def test_each_statement_is_mailed_once(alice, bob, flattred, at_once):
    close_month(AUGUST)
    tasks.mail_statements()
    tasks.mail_statements()
    assert sorted(message.to[0] for message in mail.outbox) == [alice.email, bob.email]


def test_the_patrons_mail_says_what_was_given(alice, flattred, at_once):
    flattr(alice, thing_of(None))
    close_month(AUGUST)
    mail_statement("patron", PatronStatement.objects.get().pk)
    message = mail.outbox[0]
    assert message.subject == "August: your EUR 4.00 went to 1 thing"
    assert "1 flattr waits until the owner can receive" in message.body
    assert "/statements/2024-08/" in message.body
    html = message.alternatives[0].content
    assert "/statements/2024-08/" in html and "EUR\xa04.00" in html


def test_the_creators_mail_says_what_is_theirs(flattred):
    close_month(AUGUST)
    mail_statement("creator", CreatorStatement.objects.get().pk)
    message = mail.outbox[0]
    assert message.subject == "August: you earned EUR 3.60"
    assert "/revenue/2024-08/" in message.body
    assert "1 person flattred what you make, 1 time." in message.body


def test_who_gave_nothing_for_want_of_funds_reads_why(alice, bob):
    gives(alice, "4.00", funds="0")
    gives(bob, "2.00")
    flattr(alice, thing_of(bob))
    close_month(AUGUST)
    mail_statement("patron", PatronStatement.objects.get().pk)
    assert "Your funds were empty" in mail.outbox[0].body


def test_nobody_is_mailed_before_the_month_is_closed(flattred):
    close_month(AUGUST)
    Month.objects.update(state="closing")
    assert due_mails() == []
    assert not mail_statement("patron", PatronStatement.objects.get().pk)
    assert mail.outbox == []


def test_who_has_left_is_not_written_to(alice, flattred):
    close_month(AUGUST)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert mail_statement("patron", PatronStatement.objects.get().pk)
    assert mail.outbox == []


def test_a_mail_that_cannot_be_sent_now_is_due_again(flattred, monkeypatch):
    def fails(message):
        raise ConnectionRefusedError

    close_month(AUGUST)
    monkeypatch.setattr(EmailMultiAlternatives, "send", fails)
    with pytest.raises(ConnectionRefusedError):
        mail_statement("patron", PatronStatement.objects.get().pk)
    assert len(due_mails()) == 2


def test_a_mailbox_that_does_not_exist_is_not_tried_again(flattred, monkeypatch):
    def refused(message):
        raise SMTPRecipientsRefused({})

    close_month(AUGUST)
    monkeypatch.setattr(EmailMultiAlternatives, "send", refused)
    mail_statement("patron", PatronStatement.objects.get().pk)
    assert [kind for kind, _ in due_mails()] == ["creator"]


def test_mails_of_the_earliest_month_come_first(alice, bob, flattred):
    gives(alice, "4.00", funds="8.00")
    flattr(alice, thing_of(bob), month=JULY)
    close_month(AUGUST)
    first = PatronStatement.objects.get(month=JULY)
    assert due_mails()[0] == ("patron", first.pk)
