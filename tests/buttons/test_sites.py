"""Whole sites: a token of the site's own where only who runs it can write, and nothing less."""

import time

import pytest

from buttons import fetch, sites, tasks
from buttons.fetch import FetchFailed, Page
from buttons.flattrs import OwnThing, record_flattr
from buttons.models import Claim, Flattr, Site
from buttons.ownership import (
    FAILURES_BEFORE_LAPSE,
    Findings,
    check_site,
    check_thing,
    decide_site,
    due_sites,
    recheck_claims_of,
    settle_claims,
    settle_site,
    start_site,
)
from buttons.sites import SharedHost, SiteFindings, look_at_site, proven_site, site_origin
from buttons.submissions import Submission
from tests.buttons.people import PAGE, give_means, make_thing

pytestmark = pytest.mark.django_db

ORIGIN = "https://blog.example"


@pytest.fixture
def web(monkeypatch, names) -> dict[str, Page]:
    """The pages that the fetcher finds, by their address."""
    pages: dict[str, Page] = {}

    def fetch(url: str, deadline: float | None = None) -> Page:
        if url not in pages:
            raise FetchFailed("The page answered with status 404.")
        return pages[url]

    monkeypatch.setattr(sites, "fetch_page", fetch)
    monkeypatch.setattr("buttons.ownership.fetch_page", fetch)
    return pages


def html(text: str, url: str = f"{ORIGIN}/") -> Page:
    return Page(url, "text/html", text)


def tag(site: Site) -> str:
    return f'<meta name="flattr:site" content="{site.token}">'


def prove(user, web, origin: str = ORIGIN) -> Site:
    site = start_site(user, origin)
    web[f"{origin}/"] = html(tag(site), f"{origin}/")
    return check_site(site)


def test_a_tag_on_the_front_page_proves_the_site(bob, web):
    site = prove(bob, web)
    assert (site.state, site.how) == ("proven", sites.ON_FRONT_PAGE)
    assert proven_site(PAGE) == site


def test_a_line_in_the_file_proves_the_site(bob, web):
    site = start_site(bob, f"{ORIGIN}/some/page?x=1")
    url = f"{ORIGIN}/.well-known/flattr.txt"
    web[url] = Page(url, "text/plain", f"# ours\r\nflattr-site={site.token}\r\n")
    assert check_site(site).how == sites.IN_FILE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- {tag} -->",
        "<textarea>{tag}</textarea>",
        "<script>{tag}</script>",
        '<meta name="flattr:id" content="{token}">',
        '<p>&lt;meta name="flattr:site" content="{token}"&gt;</p>',
    ],
)
def test_what_is_no_tag_of_the_front_page_proves_nothing(bob, web, text):
    site = start_site(bob, ORIGIN)
    web[f"{ORIGIN}/"] = html(text.replace("{tag}", tag(site)).replace("{token}", site.token))
    checked = check_site(site)
    assert checked.state == "unproven"
    assert checked.next_check_at is not None


def test_a_tag_on_another_page_proves_nothing(bob, web):
    site = start_site(bob, PAGE)
    web[PAGE] = html(tag(site), PAGE)
    web[f"{ORIGIN}/"] = html("")
    assert check_site(site).state == "unproven"


@pytest.mark.parametrize(
    "there", ["https://www.blog.example/", "http://blog.example/", "https://evil.example/"]
)
def test_a_front_page_that_lies_elsewhere_proves_nothing_here(bob, web, there):
    site = start_site(bob, ORIGIN)
    web[f"{ORIGIN}/"] = html(tag(site), there)
    assert check_site(site).state == "unproven"


def test_an_error_page_in_place_of_the_file_proves_nothing(bob, web):
    site = start_site(bob, ORIGIN)
    url = f"{ORIGIN}/.well-known/flattr.txt"
    web[url] = html(f"\nflattr-site={site.token}\n", url)
    assert check_site(site).state == "unproven"


def record(site: Site, text: str = "flattr-site={}") -> list[str]:
    return [f'"{text.format(site.token)}"']


def test_a_record_of_the_domain_name_system_proves_the_site(bob, web, names):
    site = start_site(bob, ORIGIN)
    names.tell("_flattr.blog.example", ['"v=spf1 -all"', *record(site)], kind="TXT")
    checked = check_site(site)
    assert (checked.state, checked.how) == ("proven", sites.IN_RECORD)


def test_a_record_in_two_pieces_is_one_line(bob, web, names):
    site = start_site(bob, ORIGIN)
    pieces = f'"flattr-site={site.token[:9]}" "{site.token[9:].upper()}"'
    names.tell("_flattr.blog.example", [pieces], kind="TXT")
    assert check_site(site).state == "proven"


@pytest.mark.parametrize(
    "name", ["blog.example", "_flattr.example", "_flattr.www.blog.example", "flattr.blog.example"]
)
def test_a_record_of_another_name_proves_nothing_here(bob, web, names, name):
    """`_flattr.example` is its owner's, who does not own every name below: subdomains are apart."""
    site = start_site(bob, ORIGIN)
    names.tell(name, record(site), kind="TXT")
    assert check_site(site).state == "unproven"


@pytest.mark.parametrize("text", ["{}", "x flattr-site={}", "flattr-site={}x", "flattr-id={}"])
def test_another_record_of_the_name_proves_nothing(bob, web, names, text):
    site = start_site(bob, ORIGIN)
    names.tell("_flattr.blog.example", record(site, text), kind="TXT")
    assert check_site(site).state == "unproven"


def test_a_record_holds_while_the_site_itself_is_away(bob, web, names):
    site = start_site(bob, ORIGIN)
    web[f"{ORIGIN}/"] = html("")
    names.tell("_flattr.blog.example", record(site), kind="TXT")
    assert check_site(site).state == "proven"
    web.clear()
    assert check_site(site).attempts == 0


def test_two_peoples_records_freeze_both(bob, carol, web, names):
    bobs, carols = start_site(bob, ORIGIN), start_site(carol, ORIGIN)
    names.tell("_flattr.blog.example", record(bobs) + record(carols), kind="TXT")
    assert (check_site(bobs).state, check_site(carols).state) == ("frozen", "frozen")


def test_a_name_server_in_trouble_is_said_so(bob, web, names):
    site = start_site(bob, ORIGIN)
    web[f"{ORIGIN}/"] = html("")
    names.broken = {"TXT"}
    assert check_site(site).how == sites.NO_ANSWER


def test_all_places_of_a_site_are_read_before_one_deadline(names, monkeypatch):
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 0.4)
    names.silent = {"TXT", "A", "AAAA"}
    began = time.monotonic()
    assert "in time" in look_at_site(ORIGIN).error
    assert time.monotonic() - began < 0.9


def test_each_subdomain_and_scheme_is_a_site_of_its_own(bob, web):
    prove(bob, web)
    for other in ("https://www.blog.example/", "https://a.blog.example/", "http://blog.example/"):
        assert proven_site(other) is None


def test_a_token_is_good_for_its_own_site_and_person_only(bob, carol, web):
    bobs, copied = start_site(bob, ORIGIN), start_site(carol, "https://copy.example")
    web["https://copy.example/"] = html(tag(bobs), "https://copy.example/")
    assert check_site(copied).state == "unproven"


@pytest.mark.parametrize(
    "address",
    ["https://github.io/", "https://blogspot.com/x", "http://co.uk/", "https://s3.amazonaws.com/"],
)
def test_a_host_that_many_share_is_nobodys_site(bob, address):
    with pytest.raises(SharedHost):
        start_site(bob, address)


def test_a_host_that_many_share_by_now_is_nobodys_any_more(bob, web):
    site = Site.objects.create(origin="https://github.io", user=bob, token=sites.new_token())
    web["https://github.io/"] = html(tag(site), "https://github.io/")
    assert check_site(site).state == "unproven"


def test_a_name_below_a_shared_host_is_a_site(bob):
    assert site_origin("https://bob.github.io/blog/") == "https://bob.github.io"


def test_a_proof_of_a_page_never_proves_its_site(bob, web):
    thing = make_thing("https://bob.github.io/", owner=bob)
    web[thing.url] = html(f'<meta name="flattr:id" content="{bob.flattr_id}">', thing.url)
    check_thing(thing.pk)
    assert proven_site(thing.url) is None
    assert not Site.objects.exists()


def test_things_become_proven_with_their_site(bob, web):
    known, elsewhere = make_thing(), make_thing("https://blog.example.evil.example/tea")
    prove(bob, web)
    known.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (known.owner, elsewhere.owner) == (bob, None)
    assert known.claims.get().how == "The whole site is proven to be yours."


def test_a_new_thing_on_a_proven_site_is_proven_with_its_first_flattr(bob, alice, web):
    prove(bob, web)
    made = record_flattr(give_means(alice), Submission(url=PAGE, claimant=bob))
    assert (made.thing.owner, made.state) == (bob, "made")


def test_nobody_flattrs_a_new_page_of_their_own_site(bob, carol, web):
    prove(bob, web)
    with pytest.raises(OwnThing):
        record_flattr(give_means(bob), Submission(url=PAGE, claimant=carol))
    assert not Flattr.objects.exists()


def test_anothers_button_on_a_page_of_a_proven_site_freezes_the_page(bob, carol, web):
    prove(bob, web)
    thing = make_thing()
    settle_claims(thing.pk, Findings({carol.pk: "The button is on the page."}))
    thing.refresh_from_db()
    assert thing.owner is None
    assert set(thing.claims.values_list("state", flat=True)) == {"frozen"}


def test_a_refused_claim_stays_refused_on_a_proven_site(bob, web):
    thing = make_thing()
    Claim.objects.create(thing=thing, user=bob, state=Claim.State.REFUSED)
    prove(bob, web)
    thing.refresh_from_db()
    assert thing.owner is None


def test_two_tokens_on_one_site_freeze_both_until_an_admin_decides(bob, carol, web):
    bobs, carols = start_site(bob, ORIGIN), start_site(carol, ORIGIN)
    web[f"{ORIGIN}/"] = html(tag(bobs) + tag(carols))
    assert check_site(bobs).state == "frozen"
    assert proven_site(PAGE) is None
    decide_site(carols, is_owner=True)
    assert proven_site(PAGE) == carols
    bobs.refresh_from_db()
    assert bobs.state == "refused"


def test_a_site_that_is_away_keeps_its_proof_for_a_while_and_its_things_lapse_with_it(bob, web):
    thing = make_thing()
    site = prove(bob, web)
    for _ in range(FAILURES_BEFORE_LAPSE - 1):
        settle_site(ORIGIN, SiteFindings(error="away"))
    assert proven_site(PAGE) == site
    settle_site(ORIGIN, SiteFindings(error="away"))
    assert proven_site(PAGE) is None
    for _ in range(FAILURES_BEFORE_LAPSE):
        check_thing(thing.pk)
    thing.refresh_from_db()
    assert thing.owner is None


def test_a_proof_of_a_site_is_looked_at_again_after_a_month_and_before_a_withdrawal(bob, web):
    site = prove(bob, web)
    assert site.next_check_at and site.checked_at
    assert (site.next_check_at - site.checked_at).days == 30
    assert due_sites(10) == []
    recheck_claims_of(bob)
    assert due_sites(10) == [site]


def test_the_tick_looks_at_a_site_whose_proof_is_old(bob, web):
    site = prove(bob, web)
    web.clear()
    Site.objects.update(next_check_at=site.created_at)
    tasks.check_claims()
    site.refresh_from_db()
    assert (site.attempts, site.how) == (1, "The page answered with status 404.")


def test_a_crowd_of_tokens_is_read_in_part(web):
    web[f"{ORIGIN}/"] = html("".join(f'<meta name="flattr:site" content="{n}">' for n in range(99)))
    assert len(look_at_site(ORIGIN).how_by_token) == sites.TOKENS_MAX


def test_a_creator_starts_a_site_and_is_shown_the_lines(client, bob, web):
    client.force_login(bob)
    client.post("/sites/", {"address": f"{ORIGIN}/about"})
    site = bob.sites.get()
    shown = client.get("/things/").content.decode()
    assert f'&lt;meta name="flattr:site" content="{site.token}"&gt;' in shown
    assert f"flattr-site={site.token}" in shown
    assert f'_flattr.blog.example. TXT "flattr-site={site.token}"' in shown
    web[f"{ORIGIN}/"] = html(tag(site))
    assert "Proven" in client.post(f"/sites/{site.pk}/check/", follow=True).content.decode()


@pytest.mark.parametrize("address", ["https://github.io", "nonsense", "", "http://127.0.0.1/"])
def test_what_is_no_site_of_ones_own_is_refused_with_a_sentence(client, bob, address):
    client.force_login(bob)
    shown = client.post("/sites/", {"address": address}, follow=True)
    assert len(list(shown.context["messages"])) == 1
    assert not Site.objects.exists()


def test_anothers_site_is_not_checked(client, bob, mallory):
    site = start_site(bob, ORIGIN)
    client.force_login(mallory)
    assert client.post(f"/sites/{site.pk}/check/").status_code == 404
