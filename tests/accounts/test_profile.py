import pytest

from buttons.models import Claim, Thing


def change(client, **fields):
    data = {
        "username": "alice",
        "display_name": "",
        "about": "",
        "thanks": "",
        "kind": "individual",
        **fields,
    }
    return client.post("/accounts/profile/", data)


@pytest.fixture
def client(client, alice):
    client.force_login(alice)
    return client


def test_what_others_see_can_be_changed(client, alice):
    change(client, display_name="Alice Winter", about="Tea.", kind="organisation", username="al")
    alice.refresh_from_db()
    assert (alice.public_name, alice.about, alice.kind) == ("Alice Winter", "Tea.", "organisation")
    assert alice.username == "al"


def test_income_is_published_by_who_says_so_and_nobody_else(client, alice):
    assert not alice.publishes_income
    change(client, publishes_income="on")
    alice.refresh_from_db()
    assert alice.publishes_income


def test_the_thank_you_line_has_140_letters(client, alice):
    change(client, thanks="x" * 140)
    change(client, thanks="y" * 141)
    alice.refresh_from_db()
    assert alice.thanks == "x" * 140


def test_nothing_else_can_be_changed(client, alice):
    change(client, email="mallory@example.org", is_staff="on", is_exempt_from_means="on")
    alice.refresh_from_db()
    assert (alice.email, alice.is_staff, alice.is_exempt_from_means) == (
        "alice@example.org",
        False,
        False,
    )


def test_the_username_is_fixed_once_a_page_carries_it(client, alice):
    thing = Thing.objects.create(url="https://alice.example/")
    Claim.objects.create(thing=thing, user=alice)
    assert "Fixed, because" in client.get("/accounts/profile/").content.decode()
    change(client, username="other")
    alice.refresh_from_db()
    assert alice.username == "alice"


@pytest.mark.parametrize("username", ["admin", "BOB", "no/slash"])
def test_a_username_that_is_refused_stays_out_of_the_page_head(client, bob, username):
    page = change(client, username=username).content.decode()
    assert 'id="id_username_error"' in page
    assert 'href="/accounts/profile/">alice</a>' in page


def test_the_profile_asks_for_signing_in(client):
    client.logout()
    assert client.get("/accounts/profile/").headers["Location"].startswith("/accounts/login/")
