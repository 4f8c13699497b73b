"""The numbers for everybody: what they are, when they are kept back, and what they cost."""

import csv
import io

import pytest
from django.urls import reverse

from accounts.models import User
from buttons.models import Month
from funds.stripe_gateway import StripeUnreachable
from payouts import close, tasks, transparency
from payouts.close import close_month
from payouts.models import Chunk, DayFigures, MonthFigures
from tests.payouts.cast import AUGUST, JULY, flattr, gives, micros, thing_of, write_down

pytestmark = pytest.mark.django_db

PAGE = reverse("payouts:transparency")
JSON = reverse("payouts:figures-json")
MONTHS, DAYS = reverse("payouts:months-csv"), reverse("payouts:days-csv")


@pytest.fixture
def stripe_says(monkeypatch):
    """Let Stripe answer with these cents; a test without it has no Stripe."""

    def say(cents):
        monkeypatch.setattr("funds.stripe_gateway.balance_cents", lambda: cents)

    return say


@pytest.fixture
def month(alice, bob, carol, mallory):
    """August: three patrons give EUR 9 to three creators, for four things."""
    for patron, budget in ((alice, "4.00"), (bob, "2.00"), (carol, "3.00"), (mallory, "2.00")):
        gives(patron, budget)
    bread, song = thing_of(bob), thing_of(carol)
    for patron, thing in ((alice, bread), (alice, song), (carol, bread), (bob, thing_of(mallory))):
        flattr(patron, thing)
    flattr(alice, thing_of(carol))
    flattr(alice, thing_of(None))
    close_month(AUGUST)


def figures(client):
    return client.get(JSON).json()


def test_a_closed_month_is_published(client, month):
    transparency.publish_months()
    assert figures(client)["months"] == [
        {
            "month": "2024-08",
            "currency": "EUR",
            "patrons": 3,
            "flattrs": 5,
            "things": 4,
            "creators": 3,
            "distributed_micros": micros("9.00"),
            "fees_micros": 899_999,
            "paid_micros": 8_100_001,
        }
    ]


def test_publishing_again_changes_nothing(client, month):
    transparency.publish_months()
    before = figures(client)
    transparency.publish_months()
    assert figures(client) == before


def test_a_month_that_is_being_closed_is_not_published(client, month):
    Month.objects.update(state="closing")
    transparency.publish_months()
    assert figures(client)["months"] == []
    Month.objects.update(state="closed")


def test_a_month_in_which_nobody_gave_has_a_row_of_zeros(client):
    close_month(JULY)
    transparency.publish_months()
    [row] = figures(client)["months"]
    assert row["patrons"] == row["distributed_micros"] == row["paid_micros"] == 0


@pytest.mark.parametrize(("patrons", "is_shown"), [(2, False), (3, True)])
def test_amounts_of_fewer_than_three_patrons_are_kept_back(
    client, bob, carol, mallory, patrons, is_shown
):
    things = [thing_of(gives(creator, "2.00")) for creator in (bob, carol, mallory)]
    for place in range(patrons):
        patron = User.objects.create(username=f"p{place}", email=f"p{place}@example.org")
        for thing in things:
            flattr(gives(patron, "3.00"), thing)
    close_month(AUGUST)
    transparency.publish_months()
    [row] = figures(client)["months"]
    assert (row["patrons"], row["creators"]) == (patrons, 3)
    assert (row["distributed_micros"] is not None) is is_shown
    assert ("too few people" not in client.get(PAGE).content.decode()) is is_shown


def test_amounts_of_fewer_than_three_creators_are_kept_back(client, bob, carol):
    things = [thing_of(gives(creator, "2.00")) for creator in (bob, carol)]
    for place in range(3):
        patron = gives(
            User.objects.create(username=f"p{place}", email=f"p{place}@example.org"), "2.00"
        )
        for thing in things:
            flattr(patron, thing)
    close_month(AUGUST)
    transparency.publish_months()
    [row] = figures(client)["months"]
    assert row["paid_micros"] is row["fees_micros"] is row["distributed_micros"] is None


# Days


def test_a_day_says_what_is_owed_and_what_lies_at_stripe(client, month, stripe_says):
    stripe_says({"EUR": 1_050, "USD": 7})
    transparency.publish_day()
    row, dollars = figures(client)["days"]
    assert row["funds_micros"] == micros("2.00")
    assert row["revenue_micros"] == 8_100_001
    assert row["owed_micros"] == micros("2.00") + 8_100_001
    assert (row["stripe_micros"], row["ledger_micros"]) == (micros("10.50"), micros("11.00"))
    assert dollars["stripe_micros"] == micros("0.07")


def test_what_is_in_the_pot_of_a_month_under_way_is_owed_too(client, alice, bob, stripe_says):
    gives(alice, "4.00")
    gives(bob, "2.00")
    flattr(alice, thing_of(bob))
    write_down(AUGUST)
    chunk = Chunk.objects.get(step="divide")
    close.DO[chunk.step](chunk)
    Chunk.objects.filter(pk=chunk.pk).update(state="done")
    stripe_says({})
    transparency.publish_day()
    close_month(AUGUST)
    day = DayFigures.objects.get()
    assert (day.funds_micros, day.pots_micros) == (micros("2.00"), micros("4.00"))
    assert day.owed_micros == micros("6.00")


def test_a_day_is_taken_once(month, stripe_says):
    stripe_says({"EUR": 1_050})
    transparency.publish_day()
    stripe_says({"EUR": 1})
    transparency.publish_day()
    assert DayFigures.objects.get().stripe_micros == micros("10.50")


def test_a_day_of_fewer_than_three_people_is_kept_back(client, alice, bob, carol, stripe_says):
    gives(alice, "4.00")
    gives(bob, "3.00")
    stripe_says({"EUR": 700})
    transparency.publish_day()
    [row] = figures(client)["days"]
    assert {row[name] for name in row if name.endswith("_micros")} == {None}
    assert "Fewer than 3 people" in client.get(PAGE).content.decode()


def test_a_day_on_which_stripe_does_not_answer_is_tried_again(client, month, stripe_says, caplog):
    def silence():
        raise StripeUnreachable("no answer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("funds.stripe_gateway.balance_cents", silence)
        tasks.publish_figures()
    assert "wait for Stripe" in caplog.text
    assert MonthFigures.objects.count() == 1 and not DayFigures.objects.exists()
    stripe_says({"EUR": 900})
    tasks.publish_figures()
    assert DayFigures.objects.count() == 1


def test_stripe_itself_is_asked(month, stripe_sandbox):
    transparency.publish_day()
    assert DayFigures.objects.get(currency="EUR").stripe_micros == 0


# The page and its files


def test_the_page_is_for_everybody_and_shows_the_numbers(client, month, stripe_says):
    stripe_says({"EUR": 1_300})
    transparency.publish_months()
    transparency.publish_day()
    text = client.get(PAGE).content.decode().replace("\xa0", " ")
    for shown in ("August 2024", "EUR 9.00", "EUR 8.100001", "EUR 10.10", "EUR 13.00", "Yes"):
        assert shown in text


def test_too_little_at_stripe_is_said(client, month, stripe_says):
    stripe_says({"EUR": 1_009})
    transparency.publish_day()
    assert "Less than owed" in client.get(PAGE).content.decode()


def test_a_new_instance_says_that_there_is_nothing_yet(client, db):
    text = client.get(PAGE).content.decode()
    assert "No month has closed yet" in text and "No day has been taken yet" in text


def test_nobody_is_named(client, alice, bob, carol, month, stripe_says):
    stripe_says({"EUR": 1_300})
    transparency.publish_months()
    transparency.publish_day()
    for url in (PAGE, JSON, MONTHS, DAYS):
        text = client.get(url).content.decode()
        assert not [user for user in (alice, bob, carol) if user.username in text]


def test_csv_and_json_hold_the_same_numbers(client, month, stripe_says):
    stripe_says({"EUR": 1_300})
    transparency.publish_months()
    transparency.publish_day()
    for url, name in ((MONTHS, "months"), (DAYS, "days")):
        lines = list(csv.DictReader(io.StringIO(client.get(url).content.decode())))
        assert lines == [
            {key: str(value) for key, value in row.items()} for row in figures(client)[name]
        ]


@pytest.mark.parametrize("url", [JSON, MONTHS, DAYS])
def test_a_file_is_the_same_for_everybody_and_may_be_kept(client, alice, url):
    client.force_login(alice)
    answer = client.get(url)
    assert answer["Cache-Control"] in ("public, max-age=300", "max-age=300, public")
    assert not answer.has_header("Vary") and not answer.cookies


def test_the_page_may_be_kept_by_everybody_only_signed_out(client, alice):
    assert "public" in client.get(PAGE)["Cache-Control"]
    client.force_login(alice)
    assert "private" in client.get(PAGE)["Cache-Control"]


@pytest.mark.ledger_alone
@pytest.mark.parametrize("url", [PAGE, JSON, MONTHS, DAYS])
def test_more_rows_take_no_more_statements(client, url, django_assert_max_num_queries):
    for year in range(2000, 2020):
        month = Month.objects.create(
            month=AUGUST.replace(year=year), state="closed", opened_at="2024-09-01T00:00Z"
        )
        MonthFigures.objects.create(
            month=month, currency="EUR", patrons=9, flattrs=9, things=9, creators=9,
            distributed_micros=10, fees_micros=1, paid_micros=9,
        )  # fmt: skip
    with django_assert_max_num_queries(3):
        assert client.get(url).status_code == 200


def test_every_page_leads_there(client, db):
    assert f'href="{PAGE}"' in client.get(reverse("how-it-works")).content.decode()
