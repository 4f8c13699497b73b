"""Flattring every month from the window, and the page on which it is seen and ended."""

import pytest
from django.test import Client

from buttons.flattrs import undo_flattr
from buttons.models import Claim, Flattr, Subscription
from buttons.months import current_month, months_before
from buttons.subscriptions import subscribe
from tests.buttons.people import PAGE, flattr, give_means, make_thing

pytestmark = pytest.mark.django_db


def text(response) -> str:
    return " ".join(response.content.decode().split())


def form(client, made: Flattr, months: str = "3") -> dict[str, str]:
    """Open the result of a press and return what its form of every month would send."""
    monthly = client.get(f"/flattr/{made.pk}/").context["monthly"]
    return {"months": months, "nonce": monthly.nonce}


def send(client, made: Flattr, waited, months: str = "3"):
    sent = form(client, made, months)
    waited()
    return client.post(f"/flattr/{made.pk}/subscribe/", sent, follow=True)


@pytest.fixture
def made(client, patron, tea) -> Flattr:
    client.force_login(patron)
    return flattr(patron, tea)


@pytest.mark.parametrize(("months", "ahead"), [("3", 2), ("6", 5), ("12", 11), ("", None)])
def test_the_window_offers_months_and_no_end(client, made, waited, months, ahead):
    send(client, made, waited, months)
    last = None if ahead is None else months_before(current_month(), -ahead)
    assert Subscription.objects.get().last_month == last


def test_the_offer_names_the_month_it_would_end_in(client, made):
    shown = text(client.get(f"/flattr/{made.pk}/"))
    assert f"3 months, until {months_before(current_month(), -2):%b %Y}" in shown


def test_looking_at_the_offer_begins_nothing(client, made):
    client.get(f"/flattr/{made.pk}/")
    assert client.get(f"/flattr/{made.pk}/subscribe/").status_code == 405
    assert not Subscription.objects.exists()


def test_the_offer_is_armed_like_the_press(client, made):
    sent = form(client, made)
    client.post(f"/flattr/{made.pk}/subscribe/", sent)
    assert not Subscription.objects.exists()


def test_a_form_of_something_else_begins_nothing(client, made, window):
    """The nonce of a press, or of another thing, is none of a subscription."""
    other = make_thing("https://blog.example/other", made.thing.owner)
    nonces = [
        window.form(url=other.url)["nonce"],
        form(client, flattr(made.patron, other))["nonce"],
    ]
    window.wait()
    for nonce in nonces:
        client.post(f"/flattr/{made.pk}/subscribe/", {"months": "3", "nonce": nonce})
    assert not Subscription.objects.exists()


def test_months_that_were_not_offered_are_refused(client, made, waited):
    assert "Choose for how long." in text(send(client, made, waited, "1200"))
    assert not Subscription.objects.exists()


def test_a_form_without_its_token_is_refused(patron, made, waited):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(patron)
    sent = form(strict, made)
    waited()
    assert strict.post(f"/flattr/{made.pk}/subscribe/", sent).status_code == 403


def test_what_became_ones_own_meanwhile_is_refused(client, made, waited):
    made.thing.owner = made.patron
    made.thing.save(update_fields=["owner"])
    assert "your own page" in text(send(client, made, waited))
    assert not Subscription.objects.exists()


def test_what_became_nobodys_meanwhile_is_refused(client, made, waited):
    made.thing.claims.update(state=Claim.State.REFUSED)
    made.thing.owner = None
    made.thing.save(update_fields=["owner"])
    assert "Nobody can receive" in text(send(client, made, waited))
    assert not Subscription.objects.exists()


def test_nobody_subscribes_by_anothers_flattr(client, made, mallory, waited):
    sent = form(client, made)
    waited()
    client.force_login(give_means(mallory))
    assert client.post(f"/flattr/{made.pk}/subscribe/", sent).status_code == 404


def test_the_result_shows_what_is_subscribed_to_and_how_to_end_it(client, made, waited):
    shown = text(send(client, made, waited))
    begun = Subscription.objects.get()
    assert f"until {begun.last_month:%B %Y}" in shown
    assert f"/subscriptions/{begun.pk}/cancel/" in shown
    assert "Flattr it every month" not in shown


def test_a_second_look_at_the_button_shows_it_too(client, made, window):
    assert "Flattr it every month" in text(window.open(url=PAGE))
    begun = subscribe(made.patron, made.thing, None)
    assert f"/subscriptions/{begun.pk}/cancel/" in text(window.open(url=PAGE))


def test_what_was_undone_offers_no_month_but_shows_the_subscription(client, made):
    undo_flattr(made.patron, made.pk)
    assert "every month" not in text(client.get(f"/flattr/{made.pk}/"))
    begun = subscribe(made.patron, made.thing, None)
    assert f"/subscriptions/{begun.pk}/cancel/" in text(client.get(f"/flattr/{made.pk}/"))


def test_cancelling_in_the_window_leads_back_to_it(client, made):
    begun = subscribe(made.patron, made.thing, 3)
    here = f"/flattr/{made.pk}/"
    answer = client.post(f"/subscriptions/{begun.pk}/cancel/", {"next": here})
    assert answer.url == here
    begun.refresh_from_db()
    assert begun.cancelled_at


@pytest.mark.parametrize("next_page", ["https://evil.example/", "//evil.example/", ""])
def test_cancelling_leads_nowhere_else(client, made, next_page):
    begun = subscribe(made.patron, made.thing, 3)
    answer = client.post(f"/subscriptions/{begun.pk}/cancel/", {"next": next_page})
    assert answer.url == "/subscriptions/"


def test_a_get_cancels_nothing(client, made):
    begun = subscribe(made.patron, made.thing, 3)
    assert client.get(f"/subscriptions/{begun.pk}/cancel/").status_code == 405


def test_anothers_subscription_is_not_found(client, made, mallory):
    begun = subscribe(made.patron, made.thing, 3)
    client.force_login(mallory)
    assert client.post(f"/subscriptions/{begun.pk}/cancel/").status_code == 404
    begun.refresh_from_db()
    assert begun.cancelled_at is None


# The page.


def test_the_page_names_the_next_month_and_how_many_are_left(client, made):
    subscribe(made.patron, made.thing, 6)
    shown = text(client.get("/subscriptions/"))
    assert f"Next in {months_before(current_month(), -1):%B} · 5 months left" in shown
    assert f"/flattr/{made.pk}/undo/" in shown


def test_the_page_leaves_out_what_was_cancelled_and_what_is_anothers(client, made, carol):
    subscribe(give_means(carol), made.thing, 6)
    begun = subscribe(made.patron, made.thing, 6)
    client.post(f"/subscriptions/{begun.pk}/cancel/")
    assert client.get("/subscriptions/").context["subscriptions"] == []


def test_the_page_says_why_nothing_is_flattred(client, made, mallory):
    subscribe(made.patron, made.thing, None)
    made.thing.owner = mallory
    made.thing.save(update_fields=["owner"])
    assert "It has changed hands" in text(client.get("/subscriptions/"))
    made.thing.owner = made.patron
    made.thing.save(update_fields=["owner"])
    assert "It is your own now" in text(client.get("/subscriptions/"))


def test_the_page_says_that_a_flattr_waits(client, made):
    subscribe(made.patron, made.thing, None)
    Flattr.objects.update(state="waiting")
    assert "still waits for its owner" in text(client.get("/subscriptions/"))


def test_the_page_says_that_money_is_missing(client, carol, tea):
    give_means(carol, funds_micros=0)
    subscribe(carol, tea, 3)
    client.force_login(carol)
    shown = text(client.get("/subscriptions/"))
    assert "no budget or no funds" in shown
    assert f"Next in {current_month():%B} · 3 months left" in shown


def test_the_page_is_for_who_is_signed_in(client):
    assert client.get("/subscriptions/").url.startswith("/accounts/login/")


def test_the_month_says_which_flattrs_come_by_themselves(client, patron, tea):
    subscribe(patron, tea, None)
    client.force_login(patron)
    assert "· every month" in text(client.get("/flattrs/"))


def test_the_pages_queries_do_not_grow_with_its_rows(
    client, patron, creator, django_assert_max_num_queries
):
    client.force_login(patron)
    counts = []
    for number in range(6):
        subscribe(patron, make_thing(f"https://blog.example/{number}", creator), 3)
        if number in (0, 5):
            with django_assert_max_num_queries(15) as queries:
                client.get("/subscriptions/")
            counts.append(len(queries))
    assert counts[0] == counts[1]
