"""One click on a trusted site: chosen by its patron, never by a GET, and only as far as it goes."""

import pytest
from django.test import Client

from buttons.models import Claim, Flattr, Site, TrustedSite
from buttons.submissions import Submission
from buttons.trust import FLATTRS_AN_HOUR, CannotTrust, NotTrusted, record_click, trust_site
from tests.buttons.people import PAGE, flattr, give_means, make_thing

pytestmark = pytest.mark.django_db

ORIGIN = "https://blog.example"


@pytest.fixture
def site(creator) -> Site:
    """Bob's blog, proven as a whole."""
    return Site.objects.create(
        origin=ORIGIN, user=creator, token="0" * 32, state=Claim.State.PROVEN
    )


@pytest.fixture
def trusted(patron, site, tea) -> TrustedSite:
    return trust_site(patron, tea)


def click_form(client, **parameters: str) -> dict[str, str]:
    """Return what the window would send by itself; without a nonce when it would not."""
    context = client.get("/submit/auto", parameters).context
    return {**context["parameters"], "nonce": context.get("click_nonce") or ""}


def test_a_click_on_a_trusted_site_records_one_flattr(client, patron, trusted):
    client.force_login(patron)
    form = click_form(client, url=PAGE)
    assert not Flattr.objects.exists()
    response = client.post("/submit/click/", form)
    assert response.url == f"/flattr/{Flattr.objects.get().pk}/"


def test_a_new_page_of_a_trusted_site_needs_no_press_either(client, patron, trusted):
    client.force_login(patron)
    client.post("/submit/click/", click_form(client, url=f"{ORIGIN}/new", user_id="bob"))
    assert Flattr.objects.get().thing.url == f"{ORIGIN}/new"


def test_a_get_of_the_click_records_nothing(client, patron, trusted):
    client.force_login(patron)
    form = click_form(client, url=PAGE)
    assert client.get("/submit/click/", form).status_code == 405
    assert not Flattr.objects.exists()


def test_a_site_that_nobody_chose_to_trust_asks_for_the_press(client, patron, site, tea):
    client.force_login(patron)
    assert click_form(client, url=PAGE)["nonce"] == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://www.blog.example/tea",
        "http://blog.example/tea",
        "https://blog.example.evil.example/",
    ],
)
def test_trust_is_for_one_origin(client, patron, trusted, url):
    client.force_login(patron)
    assert click_form(client, url=url, user_id="bob")["nonce"] == ""


def test_a_page_of_somebody_else_on_the_site_asks_for_the_press(client, patron, trusted, carol):
    make_thing(f"{ORIGIN}/carol", owner=give_means(carol))
    client.force_login(patron)
    assert click_form(client, url=f"{ORIGIN}/carol")["nonce"] == ""
    assert click_form(client, url=f"{ORIGIN}/new", user_id="carol")["nonce"] == ""


def test_what_was_taken_back_is_not_made_again_without_a_press(client, patron, trusted):
    client.force_login(patron)
    client.post("/submit/click/", click_form(client, url=PAGE))
    client.post(f"/flattr/{Flattr.objects.get().pk}/undo/")
    assert click_form(client, url=PAGE)["nonce"] == ""
    with pytest.raises(NotTrusted):
        record_click(patron, Submission(url=PAGE))


def test_a_form_works_once_and_leads_back_to_the_press(client, patron, trusted):
    client.force_login(patron)
    form = click_form(client, url=PAGE)
    client.post("/submit/click/", form)
    Flattr.objects.all().delete()
    again = client.post("/submit/click/", form, follow=True)
    assert "click_nonce" not in again.context
    assert not Flattr.objects.exists()


def test_the_nonce_of_a_press_is_none_of_a_click_nor_the_other_way_round(
    client, patron, trusted, window
):
    client.force_login(patron)
    pressed, clicked = window.form(url=PAGE), click_form(client, url=PAGE)
    window.wait()
    client.post("/submit/click/", pressed)
    assert client.post("/submit/press/", clicked).status_code == 409
    assert not Flattr.objects.exists()


def test_a_form_is_good_for_its_own_session_and_thing_only(client, patron, trusted, carol, creator):
    make_thing(f"{ORIGIN}/other", owner=creator)
    client.force_login(patron)
    form = click_form(client, url=PAGE)
    client.post("/submit/click/", {**form, "url": f"{ORIGIN}/other"})
    other = Client()
    other.force_login(give_means(carol))
    other.post("/submit/click/", form)
    assert not Flattr.objects.exists()


def test_a_form_of_another_site_is_refused(patron, trusted):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(patron)
    form = click_form(strict, url=PAGE)
    refused = strict.post("/submit/click/", form, headers={"origin": "https://evil.example"})
    assert (refused.status_code, Flattr.objects.count()) == (403, 0)


def test_more_than_a_reader_clicks_needs_a_press(client, patron, trusted, creator):
    for number in range(FLATTRS_AN_HOUR - 1):
        flattr(patron, make_thing(f"{ORIGIN}/{number}", owner=creator))
    client.force_login(patron)
    ninth, tenth = (
        click_form(client, url=PAGE),
        click_form(client, url=f"{ORIGIN}/x", user_id="bob"),
    )
    client.post("/submit/click/", ninth)
    client.post("/submit/click/", tenth)
    assert Flattr.objects.count() == FLATTRS_AN_HOUR
    assert click_form(client, url=f"{ORIGIN}/y", user_id="bob")["nonce"] == ""


def test_a_proof_that_ends_ends_the_trust(client, patron, trusted, site):
    client.force_login(patron)
    form = click_form(client, url=PAGE)
    Site.objects.update(state=Claim.State.UNPROVEN)
    client.post("/submit/click/", form)
    assert not Flattr.objects.exists()


def test_a_site_that_changes_hands_is_not_trusted_any_more(
    client, patron, trusted, site, carol, tea
):
    Site.objects.update(state=Claim.State.REFUSED)
    Site.objects.create(origin=ORIGIN, user=carol, token="1" * 32, state=Claim.State.PROVEN)
    client.force_login(patron)
    assert click_form(client, url=f"{ORIGIN}/new", user_id="carol")["nonce"] == ""


def test_owners_cannot_trust_their_own_site(creator, site, tea):
    with pytest.raises(CannotTrust):
        trust_site(creator, tea)


def test_a_proof_of_the_page_alone_is_not_enough_for_trust(patron, tea):
    with pytest.raises(CannotTrust):
        trust_site(patron, tea)


def test_the_first_press_offers_one_click_for_the_next_time(client, patron, site, tea, window):
    client.force_login(patron)
    result = window.press(url=PAGE).url
    shown = client.get(result)
    assert "Next time here: one click" in shown.content.decode()
    window.wait(1_300)
    client.post(f"{result}trust/", {"nonce": shown.context["nonce"]})
    assert TrustedSite.objects.get().patron == patron
    assert "One click does on" in client.get(result).content.decode()


@pytest.mark.parametrize("how", ["too soon", "forged", "get", "another's"])
def test_trust_is_given_by_an_armed_press_only(client, patron, site, tea, window, mallory, how):
    client.force_login(patron)
    result = window.press(url=PAGE).url
    nonce = "x" if how == "forged" else client.get(result).context["nonce"]
    if how == "another's":
        client.force_login(mallory)
    call = client.get if how == "get" else client.post
    call(f"{result}trust/", {"nonce": nonce})
    assert not TrustedSite.objects.exists()


def test_a_press_on_a_site_that_is_not_proven_offers_nothing(client, patron, tea, window):
    client.force_login(patron)
    assert "one click" not in client.get(window.press(url=PAGE).url).content.decode()


def test_trusted_sites_are_listed_and_taken_back(client, patron, trusted, mallory):
    client.force_login(mallory)
    client.post(f"/trusted/{trusted.pk}/stop/")
    assert TrustedSite.objects.exists()
    client.force_login(patron)
    assert ORIGIN in client.get("/flattrs/").content.decode()
    client.post(f"/trusted/{trusted.pk}/stop/")
    assert click_form(client, url=PAGE)["nonce"] == ""
