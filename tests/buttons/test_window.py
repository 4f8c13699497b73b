"""The click window: what it shows before the press, what a press does, and what it refuses."""

import pytest
from django.test import Client
from django.test.utils import override_script_prefix

from buttons.models import Claim, Flattr, Month, Press, SpentNonce, Thing
from buttons.months import current_month
from tests.buttons.people import PAGE, flattr, give_means, make_thing, verify_mail

# Session and user, and the press.
PRESS_QUERIES = 3

pytestmark = pytest.mark.django_db


def text(response) -> str:
    return " ".join(response.content.decode().split())


def test_looking_records_and_creates_nothing(client, patron, bob, window):
    client.force_login(patron)
    response = window.open(user_id="bob", url=PAGE, title="Tea")
    assert response.status_code == 200
    assert (Thing.objects.count(), Flattr.objects.count(), Press.objects.count()) == (0, 0, 0)


def test_a_head_request_records_nothing(client, patron, bob):
    client.force_login(patron)
    response = client.head("/submit/auto", {"user_id": "bob", "url": PAGE})
    assert (response.status_code, Flattr.objects.count()) == (200, 0)


def test_one_press_records_one_flattr(client, patron, bob, window):
    client.force_login(patron)
    response = window.press(user_id="bob", url=PAGE, title="Tea")
    made = Flattr.objects.get()
    assert response.url == f"/flattr/{made.pk}/"
    assert (made.patron, made.thing.url, made.thing.title) == (patron, PAGE, "Tea")


def test_the_result_offers_to_undo_and_tells_the_page_that_opened_the_window(
    client, patron, tea, window
):
    client.force_login(patron)
    shown = text(client.get(window.press(url=PAGE).url))
    assert f'data-origin="https://blog.example" data-url="{PAGE}" data-count="1"' in shown
    assert f"/flattr/{Flattr.objects.get().pk}/undo/" in shown


def test_the_result_says_the_owners_thanks_as_plain_text(client, patron, creator, tea, window):
    creator.thanks = '<b>Thank</b> you, "reader"'
    creator.save(update_fields=["thanks"])
    client.force_login(patron)
    assert "Thank" not in text(window.open(url=PAGE))
    shown = text(client.get(window.press(url=PAGE).url))
    assert "&lt;b&gt;Thank&lt;/b&gt; you, &quot;reader&quot;" in shown


@pytest.mark.parametrize("why", ["unproven", "left", "undone"])
def test_nobody_is_thanked_by_who_only_says_so_or_left_nor_for_what_was_undone(
    client, patron, creator, tea, window, why
):
    creator.thanks, creator.is_active = "Thank you", why != "left"
    creator.save(update_fields=["thanks", "is_active"])
    client.force_login(patron)
    address = window.press(url=PAGE).url
    if why == "unproven":
        Thing.objects.update(owner=None)
    if why == "undone":
        Flattr.objects.update(state="undone")
    assert "Thank you" not in text(client.get(address))


def test_undo_takes_the_flattr_back(client, patron, tea, window):
    client.force_login(patron)
    window.press(url=PAGE)
    made = Flattr.objects.get()
    shown = client.post(f"/flattr/{made.pk}/undo/", follow=True)
    made.refresh_from_db()
    assert made.state == "undone"
    assert "Undone" in text(shown)


def test_a_get_undoes_nothing(client, patron, tea):
    client.force_login(patron)
    made = flattr(patron, tea)
    assert client.get(f"/flattr/{made.pk}/undo/").status_code == 405


@pytest.mark.parametrize("address", ["", "undo/", "drop/"])
def test_anothers_flattr_is_not_found(client, patron, tea, mallory, address):
    made = flattr(patron, tea)
    client.force_login(mallory)
    call = client.post if address else client.get
    assert call(f"/flattr/{made.pk}/{address}").status_code == 404


def test_a_press_sooner_than_the_button_is_armed_is_refused(client, patron, tea, window, waited):
    client.force_login(patron)
    form = window.form(url=PAGE)
    waited(599)
    assert client.post("/submit/press/", {**form, "nonce": window.form(url=PAGE)["nonce"]}).context
    assert not Flattr.objects.exists()


def test_a_press_after_600_milliseconds_is_taken(client, patron, tea, window, waited, monkeypatch):
    client.force_login(patron)
    waited(0)
    form = window.form(url=PAGE)
    waited(660)
    assert client.post("/submit/press/", form).status_code == 302
    assert Flattr.objects.exists()


def test_a_form_works_once(client, patron, tea, window):
    client.force_login(patron)
    form = window.form(url=PAGE)
    window.wait()
    client.post("/submit/press/", form)
    client.post(f"/flattr/{Flattr.objects.get().pk}/undo/")
    again = client.post("/submit/press/", form)
    assert again.status_code == 409
    assert "sent already" in text(again)
    assert Flattr.objects.filter(state="made").count() == 0
    assert SpentNonce.objects.count() == 1


def test_a_form_is_good_for_its_own_thing_only(client, patron, tea, creator, window):
    other = make_thing("https://blog.example/coffee", creator)
    client.force_login(patron)
    form = window.form(url=PAGE)
    window.wait()
    refused = client.post("/submit/press/", {**form, "url": other.url})
    assert (refused.status_code, Flattr.objects.count()) == (409, 0)


def test_a_form_is_good_for_its_own_session_only(client, patron, tea, carol, window):
    client.force_login(patron)
    form = window.form(url=PAGE)
    window.wait()
    other = Client()
    other.force_login(give_means(carol))
    assert other.post("/submit/press/", form).status_code == 409
    assert not Flattr.objects.exists()


def test_a_form_that_lay_for_an_hour_is_refused(client, patron, tea, window, waited):
    client.force_login(patron)
    form = window.form(url=PAGE)
    waited(3_700_000)
    assert client.post("/submit/press/", form).status_code == 409


@pytest.mark.parametrize("nonce", ["", "x", "W10:1abc:def", "é"])
def test_a_forged_nonce_is_refused_with_a_new_form(client, patron, tea, window, nonce):
    client.force_login(patron)
    refused = client.post("/submit/press/", {"url": PAGE, "nonce": nonce})
    assert (refused.status_code, Flattr.objects.count()) == (409, 0)
    assert 'name="nonce"' in text(refused)


def test_a_form_of_another_site_is_refused(patron, tea, waited):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(patron)
    page = strict.get("/submit/auto", {"url": PAGE})
    form = {
        "url": PAGE,
        "nonce": page.context["nonce"],
        "csrfmiddlewaretoken": str(page.context["csrf_token"]),
    }
    waited()
    evil = strict.post("/submit/press/", form, headers={"origin": "https://evil.example"})
    assert (evil.status_code, Flattr.objects.count()) == (403, 0)
    own = strict.post("/submit/press/", form, headers={"origin": "http://testserver"})
    assert (own.status_code, Flattr.objects.count()) == (302, 1)


def test_a_form_without_its_token_is_refused(patron, tea, waited):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(patron)
    nonce = strict.get("/submit/auto", {"url": PAGE}).context["nonce"]
    waited()
    assert strict.post("/submit/press/", {"url": PAGE, "nonce": nonce}).status_code == 403
    assert not Flattr.objects.exists()


def test_other_sites_may_open_the_window_but_not_frame_it(client, tea):
    headers = client.get("/submit/auto", {"url": PAGE}).headers
    assert headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "no-store" in headers["Cache-Control"]


def test_every_other_page_is_cut_off_from_its_opener(client):
    assert client.get("/buttons/").headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "https://bob:secret@blog.example/",
        "https://blog.example\\@evil.example/",
        "https://blog.example/" + "a" * 3_000,
        "http://127.0.0.1/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://localhost/",
    ],
)
def test_a_bad_address_is_refused_and_creates_nothing(client, patron, bob, url):
    client.force_login(patron)
    shown = client.get("/submit/auto", {"user_id": "bob", "url": url})
    pressed = client.post("/submit/press/", {"user_id": "bob", "url": url, "nonce": "x"})
    assert (shown.status_code, pressed.status_code, Thing.objects.count()) == (400, 400, 0)
    assert shown.context["message"]


@pytest.mark.parametrize("named", [{"user_id": "nobody"}, {"fid": "zzzzzz"}, {"user_id": "\x00"}])
def test_a_button_of_nobody_is_not_found(client, db, named):
    response = client.get("/submit/auto", {"url": PAGE, **named})
    assert response.status_code == 404
    assert "does not exist here" in text(response)


def test_a_press_that_names_nobody_is_refused_although_the_page_is_known(
    client, patron, tea, window
):
    client.force_login(patron)
    form = window.form(url=PAGE) | {"user_id": "nobody"}
    window.wait()
    assert client.post("/submit/press/", form).status_code == 404
    assert (Flattr.objects.count(), SpentNonce.objects.count()) == (0, 0)


def test_a_press_leads_on_under_the_prefix_that_it_came_by(client, patron, tea, window):
    """One process answers for both: the prefix of one request is not that of the next."""
    client.force_login(patron)
    other = make_thing(f"{PAGE}/other", owner=tea.owner)
    forms = {"/elsewhere": window.form(url=tea.url), "": window.form(url=other.url)}
    window.wait()
    for prefix, form in forms.items():
        with override_script_prefix(f"{prefix}/"):
            answer = client.post("/submit/press/", form)
        made = Flattr.objects.latest("id")
        assert answer.headers["Location"] == f"{prefix}/flattr/{made.pk}/"


def test_a_page_that_nobody_claims_is_not_supported(client, db):
    response = client.get("/submit/auto", {"url": PAGE})
    assert response.status_code == 404
    assert "content not supported" in text(response)


@pytest.mark.parametrize("name", ["user_id", "uid", "owner", "user"])
def test_a_button_names_its_owner_in_any_of_the_old_ways(client, bob, name):
    look = client.get("/submit/auto/", {name: "BOB", "url": PAGE}).context["look"]
    assert look.owner == bob


def test_a_button_names_its_owner_by_flattr_id(client, bob):
    look = client.get("/submit/auto", {"fid": bob.flattr_id, "url": PAGE}).context["look"]
    assert look.owner == bob


def test_markup_in_a_title_is_text(client, bob):
    asked = {"user_id": "bob", "url": PAGE, "title": "<b>Tea</b> &lt;i&gt;<script>x</script>"}
    shown = client.get("/submit/auto", asked)
    assert shown.context["look"].title == "Tea <i>"
    assert "Tea &lt;i&gt;" in text(shown)


def test_what_old_snippets_carry_beside_is_ignored(client, bob):
    asked = {"user_id": "bob", "url": PAGE, "popout": "0", "revsharekey": "x", "hidden": "1"}
    assert client.get("/submit/auto", asked).status_code == 200


def test_the_window_says_what_the_share_would_be(client, patron, tea, creator):
    flattr(patron, make_thing("https://blog.example/coffee", creator))
    client.force_login(patron)
    shown = text(client.get("/submit/auto", {"url": PAGE}))
    assert "EUR 2.50" in shown and "as to the other thing you flattred" in shown


def test_the_window_says_that_an_unproven_thing_waits(client, patron, bob):
    client.force_login(patron)
    look = client.get("/submit/auto", {"user_id": "bob", "url": PAGE}).context["look"]
    assert look.waits_because == "unproven"


def test_the_window_says_that_an_owner_without_means_waits(client, patron, bob):
    make_thing(owner=bob)
    client.force_login(patron)
    response = client.get("/submit/auto", {"url": PAGE})
    assert response.context["look"].waits_because == "without_means"
    assert "only who gives receives" in text(response)


def test_the_result_says_that_the_flattr_waits_and_why(client, patron, bob, window):
    make_thing(owner=bob)
    client.force_login(patron)
    shown = text(client.get(window.press(url=PAGE).url))
    assert "Flattred, and waiting" in shown and "only who gives receives" in shown


def test_the_result_says_the_share_as_the_month_stands(client, patron, tea, creator, window):
    flattr(patron, make_thing("https://blog.example/coffee", creator))
    client.force_login(patron)
    result = window.press(url=PAGE).url
    shown = text(client.get(result))
    assert "this would give" in shown and "EUR 2.50" in shown
    client.post(f"{result}undo/")
    assert "this would give" not in text(client.get(result))


def test_what_is_flattred_already_says_its_share(client, patron, tea):
    flattr(patron, tea)
    client.force_login(patron)
    shown = text(client.get("/submit/auto", {"url": PAGE}))
    assert "this would give" in shown and "EUR 5.00" in shown


def test_the_result_of_what_waits_promises_no_share(client, patron, tea, bob, window):
    flattr(patron, tea)
    make_thing("https://blog.example/coffee", owner=bob)
    bob.monthly_budget.delete()
    client.force_login(patron)
    result = window.press(url="https://blog.example/coffee").url
    assert "this would give" not in text(client.get(result))


def test_the_result_is_shown_when_nobody_claims_the_page_any_more(client, patron, bob, window):
    client.force_login(patron)
    address = window.press(user_id="bob", url=PAGE).url
    Claim.objects.update(state=Claim.State.REFUSED)
    assert "nobody has proven yet" in text(client.get(address))


def test_the_result_of_a_flattr_that_counts_says_nothing_of_waiting(client, patron, tea, window):
    client.force_login(patron)
    assert "wait" not in text(client.get(window.press(url=PAGE).url))


def test_the_window_says_that_an_owner_who_was_deactivated_waits(client, patron, tea, creator):
    type(creator).objects.filter(pk=creator.pk).update(is_active=False)
    client.force_login(patron)
    look = client.get("/submit/auto", {"url": tea.url}).context["look"]
    assert look.waits_because == "without_means"


def test_an_exempt_owner_receives_without_giving(client, patron, bob):
    type(bob).objects.filter(pk=bob.pk).update(is_exempt_from_means=True)
    make_thing(owner=bob)
    client.force_login(patron)
    assert client.get("/submit/auto", {"url": PAGE}).context["look"].waits_because == ""


def test_owners_read_that_their_button_works(client, creator, tea, window):
    client.force_login(creator)
    assert "Your button works" in text(window.open(url=PAGE))


def test_owners_cannot_press_their_own_button(client, creator, tea, window):
    client.force_login(creator)
    form = {"url": PAGE, "nonce": window.open(url=PAGE).context["nonce"]}
    window.wait()
    assert client.post("/submit/press/", form).status_code == 409
    assert not Flattr.objects.exists()


def test_owners_without_means_cannot_press_their_own_button_either(client, bob, window):
    verify_mail(bob)
    client.force_login(bob)
    form = {
        "user_id": "bob",
        "url": PAGE,
        "nonce": window.open(user_id="bob", url=PAGE).context["nonce"],
    }
    window.wait()
    assert client.post("/submit/press/", form).status_code == 409
    assert not Press.objects.exists()


def test_a_second_press_leads_to_the_first_flattr(client, patron, tea, window):
    client.force_login(patron)
    form = window.form(url=PAGE)
    made = flattr(patron, tea)
    window.wait()
    assert client.post("/submit/press/", form).url == f"/flattr/{made.pk}/"
    assert Flattr.objects.count() == 1


def test_a_press_asks_a_fixed_number_of_questions(
    client, patron, tea, window, django_assert_num_queries
):
    client.force_login(patron)
    form = window.form(url=PAGE)
    window.wait()
    with django_assert_num_queries(PRESS_QUERIES):
        client.post("/submit/press/", form)
    assert Flattr.objects.count() == 1


def test_a_press_that_records_nothing_does_not_use_up_its_form(client, patron, tea, window):
    client.force_login(patron)
    form = window.form(url=PAGE)
    window.wait()
    Thing.objects.filter(pk=tea.pk).update(owner=patron)
    assert client.post("/submit/press/", form).status_code == 409
    Thing.objects.filter(pk=tea.pk).update(owner=tea.owner)
    assert client.post("/submit/press/", form).status_code == 302
    assert Flattr.objects.count() == 1


def test_what_is_flattred_already_offers_the_undo(client, patron, tea, window):
    made = flattr(patron, tea)
    client.force_login(patron)
    shown = text(window.open(url=PAGE))
    assert f"/flattr/{made.pk}/undo/" in shown
    assert "/submit/press/" not in shown


def test_what_waits_already_offers_to_drop_it(client, patron, tea, window):
    made = flattr(patron, tea)
    Month.objects.create(month=current_month(), opened_at=made.created_at)
    Flattr.objects.filter(pk=made.pk).update(state="waiting")
    client.force_login(patron)
    assert f"/flattr/{made.pk}/drop/" in text(window.open(url=PAGE))
    client.post(f"/flattr/{made.pk}/drop/", {"next": "https://evil.example/"})
    made.refresh_from_db()
    assert made.state == "dropped"


def test_after_an_undo_no_other_site_is_led_to(client, patron, tea):
    made = flattr(patron, tea)
    client.force_login(patron)
    for wanted in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        answer = client.post(f"/flattr/{made.pk}/undo/", {"next": wanted})
        assert answer.url == f"/flattr/{made.pk}/"
    assert client.post(f"/flattr/{made.pk}/undo/", {"next": "/flattrs/"}).url == "/flattrs/"


def test_a_disputed_thing_says_so(client, patron, bob, carol):
    thing = make_thing()
    for person in (bob, carol):
        Claim.objects.create(thing=thing, user=person, state="frozen")
    client.force_login(patron)
    assert client.get("/submit/auto", {"url": PAGE}).context["look"].waits_because == "disputed"
