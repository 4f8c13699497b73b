"""Presses that lack something: kept as consent, completed by the server, given up after a week."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.test import Client
from django.utils import timezone

from buttons import tasks
from buttons.models import Flattr, Press, Thing
from buttons.presses import attach_presses, complete_presses, keep_press
from buttons.submissions import Submission
from tests.buttons.people import PAGE, flattr, give_means, make_thing, verify_mail

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
ASKED = {"user_id": "bob", "url": PAGE, "title": "Tea"}


def test_a_signed_out_press_is_kept_and_asks_to_sign_in(client, bob, window):
    answer = window.press(**ASKED)
    kept = Press.objects.get()
    assert (kept.patron, kept.state, kept.url) == (None, "open", PAGE)
    assert answer.url == f"/press/{kept.pk}/"
    shown = client.get(answer.url).content.decode()
    assert f"/accounts/login/?next=%2Fpress%2F{kept.pk}%2F" in shown
    assert (Flattr.objects.count(), Thing.objects.count()) == (0, 0)


def test_signing_in_completes_the_press(client, patron, bob, window):
    answer = window.press(**ASKED)
    client.post("/accounts/login/", {"login": patron.email, "password": PASSWORD})
    made = Flattr.objects.get()
    assert (made.patron, Press.objects.get().state) == (patron, "done")
    assert client.get(answer.url).url == f"/flattr/{made.pk}/"


def test_signing_in_elsewhere_completes_nothing(client, patron, bob, window):
    window.press(**ASKED)
    Client().post("/accounts/login/", {"login": patron.email, "password": PASSWORD})
    assert (Flattr.objects.count(), Press.objects.get().patron) == (0, None)


def test_signing_up_takes_the_press_along(client, bob, window):
    window.press(**ASKED)
    form = {
        "email": "dora@example.org",
        "username": "dora",
        "password1": PASSWORD,
        "kind": "individual",
    }
    client.post("/accounts/signup/", form)
    kept = Press.objects.get()
    assert kept.patron is not None
    assert (kept.patron.username, kept.state) == ("dora", "open")


def test_a_press_is_completed_when_the_mail_is_confirmed_on_another_device(client, bob, window):
    window.press(**ASKED)
    form = {
        "email": "dora@example.org",
        "username": "dora",
        "password1": PASSWORD,
        "kind": "individual",
    }
    client.post("/accounts/signup/", form)
    address = EmailAddress.objects.get(email="dora@example.org")
    give_means(address.user)
    EmailAddress.objects.filter(pk=address.pk).update(verified=False)
    assert complete_presses() == 0
    address.refresh_from_db()
    key = EmailConfirmationHMAC(address).key
    Client().post(f"/accounts/confirm-email/{key}/")
    assert Flattr.objects.get().patron == address.user


def test_a_press_without_means_leads_to_adding_money(client, alice, bob, window):
    verify_mail(alice)
    client.force_login(alice)
    answer = window.press(**ASKED)
    kept = Press.objects.get()
    assert answer.url == f"/funds/add/?next=%2Fpress%2F{kept.pk}%2F"
    assert (kept.patron, Flattr.objects.count()) == (alice, 0)


def test_a_window_that_its_page_still_hears_stays_and_offers_to_add_money(
    client, alice, bob, window
):
    """Stripe's page, and our own for money, would cut it off from the page that opened it."""
    verify_mail(alice)
    client.force_login(alice)
    form = window.form(**ASKED)
    window.wait()
    answer = client.post("/submit/press/", {**form, "opened": "1"})
    assert answer.url == f"/press/{Press.objects.get().pk}/"
    assert "/funds/add/?next=" in client.get(answer.url).content.decode()


def test_a_window_that_waits_looks_again_by_itself(client, bob, window):
    address = window.press(**ASKED).url
    assert 'http-equiv="refresh"' not in client.get(address).content.decode()
    assert 'http-equiv="refresh"' in client.get(address, {"waiting": "1"}).content.decode()


def test_a_press_is_completed_by_the_tick_once_there_are_means(client, alice, bob, window):
    verify_mail(alice)
    client.force_login(alice)
    window.press(**ASKED)
    assert tasks.complete_presses() == 0
    give_means(alice)
    assert tasks.complete_presses() == 1
    assert Flattr.objects.get().patron == alice
    assert tasks.complete_presses() == 0


@pytest.mark.parametrize(("budget", "funds"), [(0, 5_000_000), (5_000_000, 0)])
def test_half_of_the_means_complete_nothing(alice, bob, budget, funds):
    keep_press(alice, Submission(PAGE, claimant=bob))
    give_means(alice, budget, funds)
    assert complete_presses() == 0
    assert Press.objects.get().state == "open"


def test_looking_at_a_kept_press_completes_nothing(client, alice, bob, window):
    verify_mail(alice)
    client.force_login(alice)
    window.press(**ASKED)
    give_means(alice)
    assert client.get(f"/press/{Press.objects.get().pk}/").status_code == 200
    assert not Flattr.objects.exists()


def test_pressing_twice_keeps_one_press(client, alice, bob, window):
    verify_mail(alice)
    client.force_login(alice)
    window.press(**ASKED)
    window.press(**ASKED)
    assert Press.objects.count() == 1


def test_the_same_press_on_two_devices_becomes_one_flattr(patron, bob):
    submission = Submission(PAGE, claimant=bob)
    keep_press(patron, submission)
    attach_presses(patron, [str(keep_press(None, submission).pk)])
    complete_presses()
    assert sorted(Press.objects.values_list("state", flat=True)) == ["done", "dropped"]
    assert Flattr.objects.count() == 1


def test_what_was_flattred_meanwhile_settles_the_press(patron, tea):
    keep_press(patron, Submission(PAGE))
    made = flattr(patron, tea)
    assert complete_presses() == 1
    assert Press.objects.get().flattr == made


def test_a_press_on_ones_own_thing_is_refused_for_good(creator, tea):
    keep_press(creator, Submission(PAGE))
    assert complete_presses() == 1
    kept = Press.objects.get()
    assert (kept.state, kept.why) == (
        "refused",
        "This is your own page: nobody flattrs their own things.",
    )


def test_a_press_whose_owner_left_is_refused_for_good(patron, bob):
    keep_press(patron, Submission(PAGE, claimant=bob))
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)
    complete_presses()
    assert Press.objects.get().state == "refused"


def test_one_refused_press_does_not_stop_the_others(patron, creator, bob):
    keep_press(patron, Submission("https://blog.example/gone"))
    keep_press(patron, Submission(PAGE, claimant=bob))
    complete_presses()
    assert Flattr.objects.count() == 1


def test_a_press_is_kept_for_a_week(patron, bob):
    kept = keep_press(patron, Submission(PAGE, claimant=bob))
    assert timedelta(days=6) < kept.expires_at - timezone.now() <= timedelta(days=7)
    Press.objects.filter(pk=kept.pk).update(expires_at=timezone.now())
    assert complete_presses() == 0
    assert (Press.objects.get().state, Flattr.objects.count()) == ("expired", 0)


def test_a_signed_out_press_is_not_left_for_the_next_person(patron, bob):
    kept = keep_press(None, Submission(PAGE, claimant=bob))
    Press.objects.filter(pk=kept.pk).update(created_at=timezone.now() - timedelta(minutes=61))
    attach_presses(patron, [str(kept.pk)])
    assert Press.objects.get().patron is None


def test_nobody_sees_or_drops_anothers_press(client, alice, mallory, bob):
    kept = keep_press(alice, Submission(PAGE, claimant=bob))
    client.force_login(mallory)
    assert client.get(f"/press/{kept.pk}/").status_code == 404
    assert client.post(f"/press/{kept.pk}/drop/").status_code == 404
    assert Press.objects.get().state == "open"


def test_a_signed_out_press_is_seen_in_its_own_browser_only(client, bob, window):
    address = window.press(**ASKED).url
    assert client.get(address).status_code == 200
    assert Client().get(address).status_code == 404


def test_a_press_is_given_up(client, alice, bob):
    kept = keep_press(alice, Submission(PAGE, claimant=bob))
    client.force_login(alice)
    client.post(f"/press/{kept.pk}/drop/")
    give_means(alice)
    assert complete_presses() == 0
    assert Press.objects.get().state == "dropped"


def test_the_completed_flattr_keeps_what_the_button_said(patron, bob):
    keep_press(patron, Submission(PAGE, claimant=bob, title="Tea", tags=("a", "b"), is_hidden=True))
    complete_presses()
    thing = Thing.objects.get()
    assert (thing.title, thing.tags, thing.is_hidden) == ("Tea", ["a", "b"], True)


def test_many_presses_are_completed_at_once(patron, creator):
    for number in range(5):
        thing = make_thing(f"https://blog.example/{number}", creator)
        keep_press(patron, Submission(thing.url))
    assert complete_presses(patron) == 5


def test_a_kept_press_goes_by_the_title_of_its_thing(client, alice, tea, window):
    verify_mail(alice)
    client.force_login(alice)
    window.press(url=PAGE)
    assert Press.objects.get().submission["title"] == "Tea"


def test_a_kept_press_whose_owner_left_is_still_shown(client, alice, bob):
    kept = keep_press(alice, Submission(PAGE, claimant=bob))
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)
    client.force_login(alice)
    assert client.get(f"/press/{kept.pk}/").status_code == 200
