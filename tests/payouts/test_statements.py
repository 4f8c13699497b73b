"""The pages of closed months: what they show, to whom, and with how many statements."""

import pytest
from django.urls import reverse

from buttons.models import Flattr, Month, Thing
from buttons.months import current_month
from payouts.close import close_month
from tests.payouts.cast import AUGUST, JULY, SEPTEMBER, flattr, gives, thing_of

pytestmark = pytest.mark.django_db

PATRON = reverse("payouts:patron-statement", args=[AUGUST])
CREATOR = reverse("payouts:creator-statement", args=[AUGUST])
REVENUE = reverse("payouts:revenue")


@pytest.fixture
def month(alice, bob):
    """August, in which alice flattred two things of bob and one that nobody proved."""
    gives(alice, "10.00")
    gives(bob, "2.00")
    for day, name in enumerate(["bread", "butter"], start=1):
        flattr(alice, thing_of(bob, name), day=day)
    flattr(alice, thing_of(None, "nobodys"), day=3)
    close_month(AUGUST)
    return Month.objects.get(pk=AUGUST)


def page(client, user, url) -> str:
    client.force_login(user)
    answer = client.get(url)
    assert answer.status_code == 200
    return str(answer.content.decode()).replace("\xa0", " ")


def test_a_patron_sees_what_went_where(client, alice, month):
    text = page(client, alice, PATRON)
    assert "August 2024" in text and "EUR 10.00" in text
    assert "https://blog.example/bread" in text and "https://blog.example/butter" in text
    assert text.count('<span class="amount">EUR 5.00</span>') == 2


def test_a_patron_sees_what_waits_and_why(client, alice, month):
    text = page(client, alice, PATRON)
    assert "https://blog.example/nobodys" in text
    assert "Nobody has proven that it is theirs yet" in text


def test_a_patron_sees_that_an_owner_cannot_receive_yet(client, alice, bob, carol):
    gives(alice, "2.00")
    flattr(alice, thing_of(carol))
    close_month(AUGUST)
    assert "only who gives receives" in page(client, alice, PATRON)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "What waits is counted once its owner can receive"),
        (1, "It got all that was given"),
        (2, "Each got the same share."),
    ],
)
def test_a_patron_reads_how_what_was_counted_was_divided(client, alice, bob, carol, count, said):
    for user in (alice, bob):
        gives(user, "2.00")
    flattr(alice, thing_of(carol, "waits"))
    for place in range(count):
        flattr(alice, thing_of(bob, f"counts-{place}"))
    close_month(AUGUST)
    text = page(client, alice, PATRON)
    assert said in text
    assert text.count("Each got the same share.") == (count > 1)


def test_what_was_counted_later_is_still_not_counted_in_the_earlier_statement(client, alice, carol):
    gives(alice, "2.00")
    flattr(alice, thing_of(carol, "late"), month=JULY)
    close_month(JULY)
    gives(carol, "2.00")
    close_month(AUGUST)
    july = page(client, alice, reverse("payouts:patron-statement", args=[JULY]))
    assert "Counted after waiting" in july
    august = page(client, alice, PATRON)
    assert "waited until now" in august and "Not counted" not in august


def test_a_creator_sees_which_thing_earned_what(client, bob, month):
    text = page(client, bob, CREATOR)
    assert "https://blog.example/bread" in text
    for amount in ("EUR 5.00", "EUR 10.00", "EUR 1.00", "EUR 9.00"):
        assert amount in text
    assert "by 1 person" in text


def test_a_creator_is_not_told_who_gave(client, bob, alice, month):
    text = page(client, bob, CREATOR)
    assert alice.username not in text and alice.email not in text


def test_the_revenue_page_shows_what_is_available_and_each_month(client, bob, month):
    text = page(client, bob, REVENUE)
    assert "EUR 9.00" in text and CREATOR in text


def test_the_revenue_page_of_somebody_new_says_what_to_do(client, carol):
    assert "Nothing earned yet" in page(client, carol, REVENUE)


def test_an_owner_sees_how_many_flattrs_wait_for_them(client, alice, carol):
    gives(alice, "2.00")
    flattr(alice, thing_of(carol))
    close_month(AUGUST)
    assert "1 flattr" in page(client, carol, REVENUE)


@pytest.mark.parametrize("url", [PATRON, CREATOR])
def test_somebody_else_sees_nothing(client, mallory, month, url):
    client.force_login(mallory)
    assert client.get(url).status_code == 404


@pytest.mark.parametrize("url", [PATRON, CREATOR, REVENUE])
def test_a_stranger_is_asked_to_sign_in(client, url):
    answer = client.get(url)
    assert answer.status_code == 302 and reverse("account_login") in answer.url


@pytest.mark.parametrize("url", [PATRON, CREATOR])
def test_a_month_that_is_being_closed_is_not_shown_yet(client, alice, bob, month, url):
    Month.objects.filter(pk=AUGUST).update(state="closing")
    for user in (alice, bob):
        client.force_login(user)
        assert client.get(url).status_code == 404


@pytest.mark.parametrize(
    "text", ["2024-13", "2024-00", "0000-01", "2024-8", "24-08", "\uff12024-08"]
)
def test_what_is_no_month_is_not_found(client, alice, text):
    client.force_login(alice)
    assert client.get(f"/statements/{text}/").status_code == 404
    assert client.get(f"/revenue/{text}/").status_code == 404


def test_a_statement_leads_to_the_months_beside_it(client, alice, bob):
    gives(alice, "2.00", funds="20.00")
    gives(bob, "2.00", funds="20.00")
    for month in (JULY, AUGUST, SEPTEMBER):
        flattr(alice, thing_of(bob), month=month)
    close_month(SEPTEMBER)
    text = page(client, alice, PATRON)
    assert "/statements/2024-07/" in text and "/statements/2024-09/" in text


def test_flattrs_of_the_open_month_wait_too_until_their_owner_gives(client, alice, bob):
    flattr(alice, thing_of(bob), month=current_month(), day=1)
    assert "1 flattr</span>" in page(client, bob, REVENUE)
    gives(bob, "2.00")
    assert "Waiting for you" not in page(client, bob, REVENUE)


@pytest.mark.parametrize("count", [1, 120])
def test_the_pages_ask_as_many_questions_however_long_they_are(
    client, alice, bob, django_assert_num_queries, count
):
    gives(alice, "10.00")
    gives(bob, "2.00", funds="10.00")
    things = Thing.objects.bulk_create(
        Thing(url=f"https://blog.example/many/{number}", owner=bob) for number in range(count)
    )
    first = flattr(alice, things[0])
    flattr(alice, thing_of(None))
    Flattr.objects.bulk_create(
        Flattr(patron=alice, thing=thing, month=AUGUST, created_at=first.created_at)
        for thing in things[1:]
    )
    close_month(AUGUST)
    for user, url, queries in [(alice, PATRON, 11), (bob, CREATOR, 7), (bob, REVENUE, 10)]:
        client.force_login(user)
        client.get(url)
        with django_assert_num_queries(queries):
            client.get(url)


def test_many_rows_come_in_pages(client, alice, bob):
    gives(alice, "10.00")
    gives(bob, "2.00")
    for _ in range(51):
        flattr(alice, thing_of(bob))
    close_month(AUGUST)
    assert page(client, alice, PATRON).count('data-label="Share"') == 50
    assert page(client, alice, f"{PATRON}?page=2").count('data-label="Share"') == 1
    assert page(client, alice, f"{PATRON}?page=no").count('data-label="Share"') == 50
    assert page(client, bob, f"{CREATOR}?page=2").count('data-label="Earned"') == 1
