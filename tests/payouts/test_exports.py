"""The rows behind statements: what they hold and hide, and the published script that adds up."""

import csv
import io
import json
import re
import subprocess
import sys

import pytest
from django.urls import reverse

from buttons.models import Flattr, Month, Thing
from payouts.close import close_month
from payouts.exports import decimal_comma
from sandbox.environment import ROOT
from tests.payouts.cast import AUGUST, JULY, SEPTEMBER, flattr, gives, micros, thing_of

pytestmark = pytest.mark.django_db

FORMATS = ("csv", "json")
PATRON = {kind: reverse("payouts:patron-rows", args=[AUGUST, kind]) for kind in FORMATS}
CREATOR = {kind: reverse("payouts:creator-rows", args=[AUGUST, kind]) for kind in FORMATS}
REVENUE = reverse("payouts:revenue-csv", args=[AUGUST])
ALL = [*PATRON.values(), *CREATOR.values(), REVENUE]


@pytest.fixture
def month(alice, bob, carol):
    """August: seven counted flattrs of alice for EUR 10, with a remainder; three are not."""
    gives(alice, "10.00")
    gives(bob, "2.00")
    gives(carol, "3.00")
    for day in range(1, 7):
        flattr(alice, thing_of(bob), day=30 - day)
    bread = Thing.objects.create(
        url="https://blog.example/=bread", title='=HYPERLINK("evil"); "x"', owner=bob
    )
    flattr(alice, bread, day=20)
    flattr(carol, bread, day=3)
    flattr(alice, thing_of(None, "nobodys"), day=2)
    undone = flattr(alice, thing_of(bob, "undone"), day=4)
    dropped = flattr(alice, thing_of(None, "dropped"), day=5)
    Flattr.objects.filter(pk=undone.pk).update(state="undone", ended_at=undone.created_at)
    Flattr.objects.filter(pk=dropped.pk).update(state="dropped", ended_at=dropped.created_at)
    close_month(AUGUST)
    return Month.objects.get(pk=AUGUST)


def fetch(client, user, url) -> str:
    client.force_login(user)
    answer = client.get(url)
    assert answer.status_code == 200 and answer.streaming
    return str(answer.getvalue().decode())


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# What is in them


def test_a_patron_gets_every_row_counted_and_not(client, alice, month):
    rows = table(fetch(client, alice, PATRON["csv"]))
    counted = [row for row in rows if row["is_counted"] == "True"]
    assert len(counted) == 7
    assert sum(int(row["share_micros"]) for row in rows) == micros("10.00")
    assert {row["url"].rsplit("/")[-1]: row["why_not"] for row in rows if row not in counted} == {
        "nobodys": "Nobody has proven that it is theirs yet",
        "undone": "Undone",
        "dropped": "Dropped while waiting",
    }


def test_json_holds_the_same_rows(client, alice, month):
    found = json.loads(fetch(client, alice, PATRON["json"]))
    lines = table(fetch(client, alice, PATRON["csv"]))
    assert found["given_micros"] == micros("10.00") and found["month"] == "2024-08"
    assert [row["flattr"] for row in found["rows"]] == [int(row["flattr"]) for row in lines]


def test_a_flattr_that_counts_later_is_in_both_months(client, alice, carol):
    gives(alice, "2.00")
    flattr(alice, thing_of(carol), month=JULY)
    close_month(JULY)
    gives(carol, "2.00")
    close_month(AUGUST)
    july = table(fetch(client, alice, reverse("payouts:patron-rows", args=[JULY, "csv"])))
    august = table(fetch(client, alice, PATRON["csv"]))
    assert [row["why_not"] for row in july] == ["Counted after waiting"]
    assert [row["is_counted"] for row in august] == ["True"]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_creators_rows_say_nothing_about_who_gave(client, bob, alice, carol, month, kind):
    text = fetch(client, bob, CREATOR[kind])
    for patron in (alice, carol):
        assert not {patron.username, patron.email, patron.flattr_id} & set(
            re.findall(r"[\w@.]+", text)
        )
    first = table(text)[0] if kind == "csv" else json.loads(text)["rows"][0]
    assert set(first) == {
        *("month", "currency", "gross_micros", "fee_micros", "net_micros", "flattrs"),
        *("thing", "url", "title", "share_micros"),
    }


def test_a_creators_rows_add_up(client, bob, month):
    rows = table(fetch(client, bob, CREATOR["csv"]))
    assert sum(int(row["share_micros"]) for row in rows) == micros("13.00")
    assert {(row["gross_micros"], row["fee_micros"]) for row in rows} == {("13000000", "1300000")}


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_no_cell_of_a_file_is_a_formula(client, request, month, who):
    url = PATRON["csv"] if who == "alice" else CREATOR["csv"]
    titles = {row["title"] for row in table(fetch(client, request.getfixturevalue(who), url))}
    assert titles == {"", '\'=HYPERLINK("evil"); "x"'}


# The file of the first Flattr


def test_the_revenue_file_is_what_flattr_wrote(client, bob, month, settings):
    settings.BASE_URL = "https://flattr.example"
    bread = Thing.objects.get(url="https://blog.example/=bread")
    header, first, *_ = fetch(client, bob, REVENUE).split("\r\n")
    assert header == "period;id;flattr url;url;title;clicks;revenue;clicks total"
    assert first == (
        f'2024-08;{bread.pk};"https://flattr.example/thing/{bread.pk}";'
        '"https://blog.example/=bread";"\'=HYPERLINK(""evil""); ""x""";2;4,428572;2'
    )


def test_the_revenue_file_counts_a_things_clicks_until_then(client, alice, bob):
    gives(alice, "2.00", "6.00")
    gives(bob, "2.00")
    thing = thing_of(bob)
    for month in (JULY, AUGUST, SEPTEMBER):
        flattr(alice, thing, month=month)
        close_month(month)
    line = fetch(client, bob, REVENUE).splitlines()[1]
    assert line.startswith("2024-08;") and line.endswith(';"";1;2,00;2')


def test_the_revenue_file_holds_one_currency(client, bob, month):
    client.force_login(bob)
    assert client.get(f"{REVENUE}?currency=EUR").status_code == 200
    assert client.get(f"{REVENUE}?currency=USD").status_code == 404


def test_the_revenue_file_is_named_after_its_month(client, bob, month):
    client.force_login(bob)
    answer = client.get(REVENUE)
    assert answer["Content-Disposition"] == 'attachment; filename="flattr-revenue-202408.csv"'
    assert answer["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    ("amount_micros", "text"),
    [(0, "0,00"), (950_000, "0,95"), (1, "0,000001"), (12_300_000, "12,30")],
)
def test_amounts_have_a_decimal_comma(amount_micros, text):
    assert decimal_comma(amount_micros) == text


# Whose they are


@pytest.mark.parametrize("url", ALL)
def test_somebody_elses_rows_are_not_found(client, mallory, month, url):
    client.force_login(mallory)
    assert client.get(url).status_code == 404


@pytest.mark.parametrize("url", ALL)
def test_a_stranger_is_asked_to_sign_in(client, month, url):
    answer = client.get(url)
    assert answer.status_code == 302 and reverse("account_login") in answer.url


@pytest.mark.parametrize("url", ALL)
def test_a_month_that_is_being_closed_has_no_rows_yet(client, alice, bob, month, url):
    Month.objects.update(state="closing")
    client.force_login(bob if url in (*CREATOR.values(), REVENUE) else alice)
    assert client.get(url).status_code == 404
    Month.objects.update(state="closed")


@pytest.mark.parametrize("url", ALL)
def test_a_file_takes_as_many_statements_whatever_its_length(
    client, alice, bob, month, url, django_assert_max_num_queries
):
    """What a patron's rows are about is fetched for two thousand of them at a time."""
    client.force_login(bob if url in (*CREATOR.values(), REVENUE) else alice)
    with django_assert_max_num_queries(6 if url in (*CREATOR.values(), REVENUE) else 9):
        assert client.get(url).getvalue()


# The published script


@pytest.fixture
def verify(tmp_path):
    """Return a function that runs the script of docs/verify.md on a file."""
    document = (ROOT / "docs" / "verify.md").read_text()
    script = tmp_path / "verify.py"
    script.write_text(re.findall(r"```python\n(.*?)```", document, re.DOTALL)[0])

    def run(name: str, text: str, *extra: str):
        (tmp_path / name).write_text(text, newline="")
        # Alone: without the project's packages on the path.
        command = [sys.executable, "-I", str(script), str(tmp_path / name), *extra]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("kind", FORMATS)
def test_the_script_finds_a_patrons_rows_right(client, alice, month, verify, kind):
    done = verify(f"rows.{kind}", fetch(client, alice, PATRON[kind]), "10000000")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "10 rows: the statement is right.\n"


@pytest.mark.parametrize("kind", FORMATS)
def test_the_script_finds_a_creators_rows_right(client, bob, month, verify, kind):
    done = verify(f"rows.{kind}", fetch(client, bob, CREATOR[kind]))
    assert (done.returncode, done.stdout) == (0, "8 rows: the statement is right.\n")


def tampered(text: str, change) -> str:
    found = json.loads(text)
    change(found["rows"])
    return json.dumps(found)


def move_a_micro(rows):
    """The sum stays, and the left-over micro-unit goes to the latest instead of the earliest."""
    rows[0]["share_micros"] -= 1
    rows[6]["share_micros"] += 1


def hide_a_flattr(rows):
    del rows[3]


def pay_for_what_waits(rows):
    rows[0]["share_micros"] -= 5
    rows[-1]["share_micros"] += 5


def give_more_than_the_budget(rows):
    for row in rows:
        row["budget_micros"] -= 1


def say_it_was_counted(rows):
    rows[-1]["is_counted"] = True


@pytest.mark.parametrize(
    "change",
    [
        move_a_micro,
        hide_a_flattr,
        pay_for_what_waits,
        give_more_than_the_budget,
        say_it_was_counted,
    ],
)
def test_the_script_finds_what_was_changed_in_a_patrons_rows(client, alice, month, verify, change):
    text = tampered(fetch(client, alice, PATRON["json"]), change)
    done = verify("rows.json", text)
    assert (done.returncode, done.stderr) == (1, "") and done.stdout


def test_the_script_finds_that_funds_would_have_given_more(client, alice, month, verify):
    text = fetch(client, alice, PATRON["csv"])
    assert verify("rows.csv", text, "12000000").returncode == 0
    assert "min(budget, funds)" in verify("rows.csv", text, "9999999").stdout


@pytest.mark.parametrize(
    ("name", "more"), [("fee_micros", 1), ("net_micros", -1), ("share_micros", 1), ("flattrs", 1)]
)
def test_the_script_finds_what_was_changed_in_a_creators_rows(
    client, bob, month, verify, name, more
):
    def change(rows):
        rows[0][name] += more

    text = tampered(fetch(client, bob, CREATOR["json"]), change)
    assert verify("rows.json", text).returncode == 1


def test_the_script_finds_another_fee(client, bob, month, verify):
    text = fetch(client, bob, CREATOR["csv"])
    assert verify("rows.csv", text, "1000").returncode == 0
    assert "fee: the file says 1300000" in verify("rows.csv", text, "999").stdout


# The list of a patron's months


def test_a_patron_finds_every_month_in_one_list(client, alice, month):
    client.force_login(alice)
    text = client.get(reverse("payouts:patron-statements")).content.decode()
    assert reverse("payouts:patron-statement", args=[AUGUST]) in text and "7 flattrs" in text


def test_the_list_of_somebody_new_says_what_to_do(client, mallory, month):
    client.force_login(mallory)
    text = client.get(reverse("payouts:patron-statements")).content.decode()
    assert "No month yet" in text and "August" not in text


@pytest.mark.parametrize("name", ["dashboard", "funds:statement"])
def test_the_list_is_one_press_away(client, alice, month, name):
    client.force_login(alice)
    assert reverse("payouts:patron-statements") in client.get(reverse(name)).content.decode()


def test_statements_lead_to_their_rows(client, alice, bob, month):
    client.force_login(alice)
    given = client.get(reverse("payouts:patron-statement", args=[AUGUST])).content.decode()
    client.force_login(bob)
    earned = client.get(reverse("payouts:creator-statement", args=[AUGUST])).content.decode()
    assert all(url in given for url in PATRON.values())
    assert all(url in earned for url in [*CREATOR.values(), REVENUE])
