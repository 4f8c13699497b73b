"""A patron's month, a creator's things, public pages and snippets."""

import re
from html import unescape

import pytest

from buttons import ownership
from buttons.evidence import META, PAYMENT
from buttons.fetch import FetchFailed, Page
from buttons.models import Claim, Flattr, Thing
from buttons.months import current_month, months_before
from buttons.presses import keep_press
from buttons.submissions import Submission
from tests.buttons.people import PAGE, flattr, give_means, make_thing

pytestmark = pytest.mark.django_db


def text(response) -> str:
    return " ".join(response.content.decode().split())


@pytest.fixture
def auditor(django_user_model):
    """Who may read and decide everything in the admin."""
    return django_user_model.objects.create_superuser(
        email="auditor@example.org", username="auditor", password="correct horse battery"
    )


def claimed_by(user, url: str = PAGE, title: str = "Tea"):
    thing = make_thing(url, title=title)
    Claim.objects.create(thing=thing, user=user)
    return thing


def things_of(creator, count: int) -> list[Thing]:
    return [make_thing(f"https://blog.example/{n}", creator, f"Post {n}") for n in range(count)]


def test_a_patrons_month_shows_each_flattr_with_its_share(client, patron, creator):
    for thing in things_of(creator, 4):
        flattr(patron, thing)
    client.force_login(patron)
    shown = text(client.get("/flattrs/"))
    assert shown.count("EUR 1.25") == 5
    assert "Post 3" in shown


def test_a_patron_undoes_from_the_month(client, patron, tea):
    made = flattr(patron, tea)
    client.force_login(patron)
    assert f"/flattr/{made.pk}/undo/" in text(client.get("/flattrs/"))
    client.post(f"/flattr/{made.pk}/undo/", {"next": "/flattrs/"})
    shown = text(client.get("/flattrs/"))
    assert "Nothing flattred yet" in shown
    assert "is no longer among what you flattred." in shown


def test_what_waits_says_why_and_costs_nothing(client, patron, tea, bob):
    flattr(patron, tea)
    flattr(patron, claimed_by(bob, "https://blog.example/nobodys", "Nobody's"))
    client.force_login(patron)
    month = client.get("/flattrs/").context["month"]
    assert [one.thing.title for one in month.waiting] == ["Nobody's"]
    assert month.estimate.share_micros == 5_000_000


def test_what_waits_since_an_earlier_month_is_dropped_from_the_month(client, patron, bob):
    made = flattr(patron, claimed_by(bob))
    last_month = months_before(current_month(), 1)
    Flattr.objects.filter(pk=made.pk).update(month=last_month, state="waiting")
    client.force_login(patron)
    assert f"/flattr/{made.pk}/drop/" in text(client.get("/flattrs/"))


def test_what_waited_and_counts_now_is_still_dropped_from_the_month(client, patron, tea):
    made = flattr(patron, tea)
    last_month = months_before(current_month(), 1)
    Flattr.objects.filter(pk=made.pk).update(month=last_month, state="waiting")
    client.force_login(patron)
    assert [one.pk for one in client.get("/flattrs/").context["month"].counted] == [made.pk]
    assert f"/flattr/{made.pk}/drop/" in text(client.get("/flattrs/"))
    client.post(f"/flattr/{made.pk}/drop/", {"next": "/flattrs/"})
    shown = text(client.get("/flattrs/"))
    assert "Nothing flattred yet" in shown and "was given up" in shown


def test_a_month_shows_presses_and_what_they_lack(client, alice, bob):
    kept = keep_press(alice, Submission(PAGE, claimant=bob, title="Tea"))
    client.force_login(alice)
    shown = text(client.get("/flattrs/"))
    assert f"/press/{kept.pk}/drop/" in shown
    assert "Confirm your mail address" in shown


def test_a_month_shows_nobody_elses_flattrs(client, patron, tea, mallory):
    flattr(patron, tea)
    client.force_login(mallory)
    assert "Tea" not in text(client.get("/flattrs/"))


@pytest.mark.parametrize("address", ["/flattrs/", "/things/"])
def test_pages_of_ones_own_ask_to_sign_in(client, address):
    assert client.get(address).url == f"/accounts/login/?next={address}"


def test_a_creator_sees_counts_and_proof(client, patron, creator, tea):
    flattr(patron, tea)
    client.force_login(creator)
    (thing,) = client.get("/things/").context["page"]
    assert (thing.flattr_count, thing.is_owned, thing.claim_state) == (1, True, "proven")


def test_a_creator_sees_why_a_page_is_not_proven(client, bob):
    how = "Your button is not on the page yet."
    Claim.objects.create(thing=make_thing(), user=bob, how=how)
    client.force_login(bob)
    assert how in text(client.get("/things/"))


def test_each_line_that_a_creator_is_given_to_paste_proves_the_page(client, bob):
    url = "https://blog.example/?a=1&b=%22tea%22"
    claimed_by(bob, url)
    client.force_login(bob)
    shown = client.get("/things/").content.decode().split('aria-labelledby="sites"')[0]
    lines = [unescape(line) for line in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", shown)]
    proofs = [ownership.read_evidence(Page(url, "text/html", line), url) for line in lines]
    assert [evidence.how_by_username for evidence in proofs] == [{"bob": PAYMENT}, {}]
    assert [evidence.how_by_flattr_id for evidence in proofs] == [{}, {bob.flattr_id: META}]


def test_a_creator_sees_how_many_flattrs_wait_for_a_proof(client, patron, bob):
    flattr(patron, claimed_by(bob))
    client.force_login(bob)
    shown = text(client.get("/things/"))
    assert "1 flattr waits</strong> until it is settled whose page this is." in shown


def test_a_creator_sees_how_many_flattrs_wait_for_their_budget(client, patron, bob):
    flattr(patron, make_thing(owner=bob))
    client.force_login(bob)
    shown = text(client.get("/things/"))
    assert "1 flattr waits</strong>: you give nothing at present" in shown


def test_what_counts_with_this_month_is_not_said_to_wait(client, patron, creator, carol):
    flattr(patron, make_thing(owner=creator))
    flattr(patron, claimed_by(creator, "https://blog.example/nobodys"))
    flattr(patron, theirs := make_thing("https://blog.example/carols", carol))
    Claim.objects.create(thing=theirs, user=creator)
    client.force_login(creator)
    listed = client.get("/things/").context["listed"]
    assert [(one.thing.url, one.waiting) for one in listed] == [
        (theirs.url, 0),
        ("https://blog.example/nobodys", 1),
        (PAGE, 0),
    ]


def test_a_creator_has_a_page_looked_at_now(client, bob, monkeypatch):
    def fetch(url: str) -> None:
        raise FetchFailed("The page answered with status 500.")

    monkeypatch.setattr(ownership, "fetch_page", fetch)
    thing = make_thing()
    Claim.objects.create(thing=thing, user=bob)
    client.force_login(bob)
    assert "status 500" in text(client.post(f"/things/{thing.pk}/check/", follow=True))


def test_looking_at_once_again_is_limited(client, bob, monkeypatch):
    monkeypatch.setattr(ownership, "look_at", lambda url: ownership.Findings({}))
    thing = make_thing()
    Claim.objects.create(thing=thing, user=bob)
    client.force_login(bob)
    address = f"/things/{thing.pk}/check/"
    assert client.post(address).status_code == 302
    assert client.post(address).status_code == 429


def test_one_person_does_not_use_up_anothers_looks(client, bob, mallory, monkeypatch):
    monkeypatch.setattr(ownership, "look_at", lambda url: ownership.Findings({}))
    thing = make_thing()
    Claim.objects.create(thing=thing, user=bob)
    address = f"/things/{thing.pk}/check/"
    client.force_login(mallory)
    assert client.post(address).status_code == 404
    client.force_login(bob)
    assert client.post(address).status_code == 302


def test_nobody_has_pages_looked_at_that_they_do_not_claim(client, mallory, tea):
    client.force_login(mallory)
    assert client.post(f"/things/{tea.pk}/check/").status_code == 404


def test_a_thing_has_a_public_page(client, patron, tea):
    flattr(patron, tea)
    for address in (f"/thing/{tea.pk}", f"/thing/{tea.pk}/", f"/thing/{tea.pk}/any-slug"):
        assert client.get(address).context["thing"].flattr_count == 1
    assert client.get(f"/thing/{tea.pk + 1}").status_code == 404


def test_a_person_has_a_public_page_of_proven_things(client, creator, tea):
    hidden = make_thing("https://blog.example/hidden", creator)
    type(hidden).objects.filter(pk=hidden.pk).update(is_hidden=True)
    claimed_by(creator, "https://blog.example/claimed")
    assert list(client.get("/@BOB").context["page"]) == [tea]


def test_who_left_has_no_page(client, bob):
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)
    assert client.get("/@bob").status_code == 404


@pytest.mark.parametrize("name", ["nobody", "a%00b", "a%0Ab"])
def test_a_name_that_is_none_has_no_page(client, db, name):
    assert client.get(f"/@{name}").status_code == 404


def test_the_snippets_carry_the_persons_name_and_page(client, bob):
    client.force_login(bob)
    response = client.get("/buttons/", {"url": PAGE})
    for snippet in response.context["snippets"]:
        assert "bob" in snippet.code or bob.flattr_id in snippet.code
    assert "&amp;amp;url=https%3A%2F%2Fblog.example%2Ftea" in text(response)


def test_a_snippet_cannot_be_broken_out_of(client, bob):
    client.force_login(bob)
    response = client.get("/buttons/", {"url": 'https://blog.example/"><script>x</script>'})
    assert b"<script>x" not in response.content
    assert "%22%3E%3Cscript" in response.context["wish"].url


def test_a_bad_address_for_a_snippet_is_said_to_be_one(client, db):
    assert "Only addresses that begin with" in text(client.get("/buttons/", {"url": "ftp://a.b"}))


def count_queries(client, address: str, django_assert_max_num_queries) -> int:
    with django_assert_max_num_queries(40) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.mark.parametrize("address", ["/flattrs/", "/things/", "/@bob"])
def test_pages_ask_as_much_for_many_things_as_for_one(
    client, patron, creator, address, django_assert_max_num_queries
):
    client.force_login(creator if address == "/things/" else patron)
    flattr(patron, make_thing("https://blog.example/first", creator))
    few = count_queries(client, address, django_assert_max_num_queries)
    for number, thing in enumerate(things_of(creator, 12)):
        flattr(patron, thing)
        keep_press(patron, Submission(f"https://blog.example/press{number}", claimant=creator))
    assert count_queries(client, address, django_assert_max_num_queries) == few


@pytest.mark.parametrize("model", ["thing", "claim", "flattr", "press"])
def test_the_admin_asks_as_much_for_many_rows_as_for_one(
    client, auditor, patron, creator, model, django_assert_max_num_queries
):
    client.force_login(auditor)
    address = f"/admin/buttons/{model}/?q=blog"
    keep_press(patron, Submission(PAGE, claimant=creator))
    flattr(patron, make_thing("https://blog.example/first", creator))
    few = count_queries(client, address, django_assert_max_num_queries)
    for number, thing in enumerate(things_of(creator, 12)):
        flattr(patron, thing)
        keep_press(patron, Submission(f"https://blog.example/press{number}", claimant=creator))
    assert count_queries(client, address, django_assert_max_num_queries) == few


def test_an_admin_decides_a_disputed_claim(client, auditor, bob, carol):
    thing = make_thing()
    theirs, _ = (Claim.objects.create(thing=thing, user=u, state="frozen") for u in (bob, carol))
    client.force_login(auditor)
    decide = {"action": "approve", "_selected_action": [theirs.pk]}
    client.post("/admin/buttons/claim/", decide)
    thing.refresh_from_db()
    assert thing.owner == bob


def test_an_admin_does_not_decide_for_two_at_once(client, auditor, bob, carol):
    thing = make_thing()
    claims = [Claim.objects.create(thing=thing, user=u, state="frozen") for u in (bob, carol)]
    client.force_login(auditor)
    decide = {"action": "approve", "_selected_action": [claim.pk for claim in claims]}
    client.post("/admin/buttons/claim/", decide)
    thing.refresh_from_db()
    assert (thing.owner, {claim.state for claim in Claim.objects.all()}) == (None, {"frozen"})


def test_an_admin_without_the_right_decides_nothing(client, bob, carol):
    type(carol).objects.filter(pk=carol.pk).update(is_staff=True)
    claim = Claim.objects.create(thing=make_thing(), user=bob, state="frozen")
    client.force_login(carol)
    decide = {"action": "approve", "_selected_action": [claim.pk]}
    assert client.post("/admin/buttons/claim/", decide).status_code == 403


def test_an_admin_reads_flattrs_and_changes_none(client, auditor, patron, tea):
    made = flattr(patron, tea)
    client.force_login(auditor)
    address = f"/admin/buttons/flattr/{made.pk}/change/"
    assert client.get(address).status_code == 200
    assert client.post(address, {"state": "undone"}).status_code == 403
    assert client.post(f"/admin/buttons/flattr/{made.pk}/delete/").status_code == 403


def test_shares_of_others_do_not_change_a_patrons_estimate(client, patron, tea, carol):
    flattr(give_means(carol), tea)
    flattr(patron, tea)
    client.force_login(patron)
    assert client.get("/flattrs/").context["month"].estimate.share_micros == 5_000_000
