"""What a thing says: a visitor's words until there is an owner, then its page's, or the owner's."""

from datetime import timedelta

import pytest

from buttons import ownership
from buttons.descriptions import NotTheirs, describe_thing
from buttons.fetch import FetchFailed, Page
from buttons.flattrs import record_flattr
from buttons.models import Claim, Site, Thing
from buttons.ownership import (
    ELSEWHERE,
    PROVEN_BACKOFF,
    check_claim,
    check_thing,
    claim_thing,
    decide_claim,
    due_things,
)
from buttons.submissions import Submission, Words
from tests.buttons.people import PAGE, make_thing

pytestmark = pytest.mark.django_db

OURS = "http://localhost:8000"
HEAD = '<title>Green &amp; tea</title><meta name="Description" content="How to <b>brew</b> it.">'
SAID = "title=Bought&description=It&tags=tea,leaves&language=de_AT&category=text&hidden=1"
LIES = Submission(
    PAGE,
    title="Bob is a crook",
    description="He is.",
    language="en",
    category="video",
    tags=("crook",),
    is_hidden=True,
)
FORM = {"title": "My tea", "description": "Brew\r\nit.", "tags": "a, b,a", "language": "en"}


@pytest.fixture(autouse=True)
def _base_url(settings):
    settings.BASE_URL = OURS


@pytest.fixture
def web(monkeypatch) -> dict[str, Page | Exception]:
    """What the one page shows, where it lies, or what is wrong with it."""
    shown: dict[str, Page | Exception] = {}

    def fetch(url: str) -> Page:
        answer = shown[url]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ownership, "fetch_page", fetch)
    return shown


@pytest.fixture
def lied_about(patron, bob) -> Thing:
    """A page of Bob's, which somebody flattred with words of their own."""
    return record_flattr(patron, Submission(**{**vars(LIES), "claimant": bob})).thing


def page_of(name: str, said: str = "", head: str = HEAD, url: str = PAGE) -> Page:
    button = f'<a href="{OURS}/submit/auto?user_id={name}&url={PAGE}&{said}">'
    return Page(url, "text/html", f"{head}{button}")


def words_of(thing: Thing) -> Words:
    thing.refresh_from_db()
    names = ("title", "description", "language", "category", "is_hidden")
    return Words(**{name: getattr(thing, name) for name in names}, tags=tuple(thing.tags))


def test_until_there_is_an_owner_a_thing_says_what_its_first_flattr_said(web, lied_about, bob):
    assert words_of(lied_about).title == "Bob is a crook"
    web[PAGE] = Page(PAGE, "text/html", HEAD)
    check_claim(bob.claims.get())
    assert words_of(lied_about).title == "Bob is a crook"


def test_with_the_proof_it_says_what_its_page_says_and_nothing_of_the_visitors(web, lied_about):
    web[PAGE] = page_of("bob")
    check_thing(lied_about.pk)
    assert words_of(lied_about) == Words(title="Green & tea", description="How to brew it.")


def test_what_only_the_button_on_the_page_says_is_taken_from_it(web, lied_about):
    web[PAGE] = page_of("bob", SAID)
    check_thing(lied_about.pk)
    words = words_of(lied_about)
    assert (words.title, words.description) == ("Green & tea", "How to brew it.")
    assert (words.language, words.category, words.is_hidden) == ("de_AT", "text", True)
    assert words.tags == ("tea", "leaves")


def test_a_page_without_a_title_has_the_one_of_its_button(web, lied_about):
    web[PAGE] = page_of("bob", SAID, head="")
    check_thing(lied_about.pk)
    assert words_of(lied_about).title == "Bought"


@pytest.mark.parametrize(
    "button",
    [
        '<flattr-button user="bob" lang="de_AT" tags="tea,leaves"></flattr-button>',
        f'<a class="FlattrButton" lang="de_AT" rev="flattr;uid:bob;tags:tea,leaves" href="{PAGE}">',
        '<a class="FlattrButton" lang="de_AT" data-flattr-uid="bob" data-flattr-tags="tea,leaves">',
    ],
)
def test_every_kind_of_button_has_words(web, lied_about, button):
    script = f'<script src="{OURS}/button.js"></script>'
    web[PAGE] = Page(PAGE, "text/html", f"{HEAD}{script}{button}")
    check_thing(lied_about.pk)
    words = words_of(lied_about)
    assert (words.language, words.tags) == ("de_AT", ("tea", "leaves"))


def test_the_words_of_anothers_button_are_not_the_owners(web, bob, carol):
    thing = make_thing()
    claim = Claim.objects.create(thing=thing, user=carol, state=Claim.State.REFUSED)
    web[PAGE] = Page(PAGE, "text/html", page_of("carol", SAID).text + page_of("bob").text)
    check_thing(claim.thing_id)
    thing.refresh_from_db()
    assert (thing.owner, thing.tags) == (bob, [])


def test_a_page_that_changes_its_title_changes_the_thing(web, lied_about):
    web[PAGE] = page_of("bob")
    check_thing(lied_about.pk)
    web[PAGE] = page_of("bob", head="<title>Black tea</title>")
    check_thing(lied_about.pk)
    assert words_of(lied_about) == Words(title="Black tea")


def test_an_owner_edits_the_words_and_no_look_changes_them(client, web, lied_about, bob):
    web[PAGE] = page_of("bob", SAID)
    check_thing(lied_about.pk)
    client.force_login(bob)
    assert client.post(f"/things/{lied_about.pk}/edit/", FORM).status_code == 302
    check_thing(lied_about.pk)
    assert words_of(lied_about) == Words(
        title="My tea", description="Brew\nit.", language="en", category="text", tags=("a", "b")
    )


def test_the_form_shows_what_is_there(client, web, lied_about, bob):
    web[PAGE] = page_of("bob", SAID)
    check_thing(lied_about.pk)
    client.force_login(bob)
    initial = client.get(f"/things/{lied_about.pk}/edit/").context["form"].initial
    assert initial == {
        "title": "Green & tea",
        "description": "How to brew it.",
        "tags": "tea, leaves",
        "language": "de_AT",
        "is_hidden": True,
        "shows_readers": False,
    }


@pytest.mark.parametrize(
    ("name", "value"), [("title", "t" * 101), ("description", "d" * 1_001), ("language", "German!")]
)
def test_words_that_make_no_sense_are_refused(client, tea, creator, name, value):
    client.force_login(creator)
    shown = client.post(f"/things/{tea.pk}/edit/", FORM | {name: value})
    assert name in shown.context["form"].errors
    assert words_of(tea).title == "Tea"


def test_nobody_edits_the_words_of_anothers_thing(client, tea, mallory):
    client.force_login(mallory)
    assert client.get(f"/things/{tea.pk}/edit/").status_code == 404
    assert client.post(f"/things/{tea.pk}/edit/", FORM).status_code == 404
    with pytest.raises(NotTheirs):
        describe_thing(mallory, tea.pk, Words(title="Mine"))
    assert words_of(tea).title == "Tea"


def test_who_only_claims_a_thing_does_not_edit_it(client, lied_about, bob):
    client.force_login(bob)
    assert client.get(f"/things/{lied_about.pk}/edit/").status_code == 404


def test_an_edit_goes_with_its_owner(client, web, bob, carol, tea):
    """What Bob wrote is not Carol's word about her page."""
    describe_thing(bob, tea.pk, Words(title="Bob's tea"))
    decide_claim(claim_thing(tea, carol), is_owner=True)
    web[PAGE] = page_of("carol")
    check_thing(tea.pk)
    assert words_of(tea).title == "Green & tea"


def test_a_page_that_leads_to_another_site_has_no_say(web, tea):
    web[PAGE] = page_of("bob", url="https://evil.example/tea")
    check_thing(tea.pk)
    assert words_of(tea).title == "Tea"
    assert tea.claims.get().how == ELSEWHERE


@pytest.fixture
def whole_site(bob) -> Site:
    return Site.objects.create(
        origin="https://blog.example", user=bob, token="t", state=Claim.State.PROVEN
    )


def test_a_page_of_a_proven_site_is_read_soon_for_its_words(web, whole_site, lied_about, bob):
    assert lied_about.owner == bob
    assert due_things(10) == [lied_about.pk]
    web[PAGE] = Page(PAGE, "text/html", HEAD)
    check_thing(lied_about.pk)
    assert words_of(lied_about).title == "Green & tea"
    assert due_things(10) == []


@pytest.mark.parametrize(
    "trouble", [FetchFailed("Status 500."), page_of("bob", url="https://evil.example/")]
)
def test_a_page_of_a_proven_site_that_cannot_be_read_is_asked_again_in_a_day(
    web, whole_site, lied_about, trouble
):
    web[PAGE] = trouble
    check_thing(lied_about.pk)
    claim = lied_about.claims.get()
    assert claim.state == Claim.State.PROVEN
    assert claim.next_check_at and claim.checked_at
    assert claim.next_check_at - claim.checked_at == PROVEN_BACKOFF == timedelta(days=1)


def test_an_owner_lets_a_badge_say_how_many_readers_paid(client, tea, creator):
    client.force_login(creator)
    page = f"/things/{tea.pk}/edit/"
    assert "layout=readers" not in client.get(page).content.decode()
    client.post(page, FORM | {"shows_readers": "on"})
    tea.refresh_from_db()
    assert tea.shows_readers
    assert "layout=readers" in client.get(page).content.decode()
    client.post(page, FORM)
    tea.refresh_from_db()
    assert not tea.shows_readers


def test_a_hidden_thing_is_in_no_list(client, tea, creator):
    assert "Tea" in client.get("/@bob").content.decode()
    describe_thing(creator, tea.pk, Words(title="Tea", is_hidden=True))
    assert "Tea" not in client.get("/@bob").content.decode()
