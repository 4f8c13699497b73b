import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from accounts.adapter import AccountAdapter
from accounts.models import User

PASSWORD = "correct horse battery"


def text_of(response):
    return response.content.decode()


def test_sign_up_sends_a_link_that_signs_in(client, sign_up, link_in_mail):
    response = sign_up(kind="company")
    assert response.headers["Location"] == "/accounts/confirm-email/"
    assert "_auth_user_id" not in client.session
    page = client.get(link_in_mail())
    assert "dora@example.org" in text_of(page)
    response = client.post(link_in_mail())
    assert response.headers["Location"] == "/dashboard/"
    assert User.objects.get(pk=client.session["_auth_user_id"]).kind == User.Kind.COMPANY


def test_opening_the_link_alone_confirms_nothing(client, sign_up, link_in_mail):
    """Mail scanners open links too."""
    sign_up()
    client.get(link_in_mail())
    assert not EmailAddress.objects.get().verified


def test_an_unconfirmed_address_cannot_act(client, sign_up, sign_in):
    sign_up()
    response = sign_in(client, "dora@example.org")
    assert response.headers["Location"] == "/accounts/confirm-email/"
    assert client.get("/dashboard/").status_code == 302


def test_next_survives_sign_up_in_the_same_browser(client, sign_up, link_in_mail):
    sign_up("?next=/how-it-works/")
    response = client.post(link_in_mail())
    assert response.headers["Location"] == "/how-it-works/"


def test_next_survives_the_mail_opened_on_another_device(sign_up, link_in_mail, sign_in):
    sign_up("?next=/accounts/profile/")
    phone = Client()
    page = text_of(phone.get(link_in_mail()))
    assert '<input type="hidden" name="next" value="/accounts/profile/">' in page
    path = link_in_mail().split("?")[0]
    there = phone.post(path, {"next": "/accounts/profile/"}, follow=True)
    assert there.redirect_chain[-1][0] == "/accounts/login/?next=/accounts/profile/"
    back = sign_in(phone, "dora@example.org", query="?next=/accounts/profile/")
    assert back.headers["Location"] == "/accounts/profile/"


@pytest.mark.parametrize("going_to", ["https://evil.example/", "//evil.example", "javascript:a()"])
def test_next_never_leads_to_another_site(client, sign_up, link_in_mail, going_to):
    sign_up(f"?next={going_to}")
    assert "evil" not in link_in_mail()
    assert client.post(link_in_mail(), {"next": going_to}).headers["Location"] == "/dashboard/"


def test_a_used_address_is_not_told(client, sign_up, alice):
    """The page is the same as for a new address; only the owner of the mailbox reads more."""
    new = sign_up()
    Client().post("/accounts/logout/")
    used = sign_up(email=alice.email, username="somebody")
    assert (used.status_code, used.headers["Location"]) == (302, new.headers["Location"])
    assert mail.outbox[-1].to == [alice.email]
    assert "already has an account" in mail.outbox[-1].body
    assert not User.objects.filter(username="somebody").exists()


@pytest.mark.parametrize(
    "username", ["admin", "Ad-Min", "submit", "api", "healthz", "how-it-works", "flattr", "support"]
)
def test_names_of_the_site_are_reserved(sign_up, username):
    response = sign_up(username=username)
    assert "This name belongs to the site." in text_of(response)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "username", ["do ra", "döra", "-dora", "dora-", "do/ra", "d" * 40, "@dora", "12306"]
)
def test_odd_usernames_are_refused(sign_up, username):
    assert sign_up(username=username).status_code == 200
    assert not User.objects.exists()


@pytest.mark.parametrize("username", ["d", "Dora-2", "do_ra", "d" * 39, "12306a"])
def test_plain_usernames_are_taken(sign_up, username):
    assert sign_up(username=username).status_code == 302
    assert User.objects.get().username == username


def test_a_username_is_taken_in_any_case(sign_up, alice):
    assert "This username is taken." in text_of(sign_up(username="Alice"))


def test_two_who_take_one_name_at_once_make_one_user(client, sign_up, alice, monkeypatch):
    """Both forms were checked before either user was written."""
    monkeypatch.setattr(AccountAdapter, "clean_username", lambda self, name, shallow=False: name)
    response = sign_up(username="ALICE")
    assert response.headers["Location"] == "/accounts/signup/"
    assert "taken a moment ago" in text_of(client.get("/accounts/signup/"))
    assert User.objects.get() == alice
    assert mail.outbox == []


@pytest.mark.parametrize("password", ["elevenchars", "password1234", "dora@example.org"])
def test_weak_passwords_are_refused(sign_up, password):
    assert sign_up(password1=password).status_code == 200
    assert not User.objects.exists()


def test_passwords_are_kept_with_argon2(sign_up):
    sign_up()
    assert User.objects.get().password.startswith("argon2$argon2id$")


def test_a_refused_form_names_its_fields_and_errors(sign_up):
    """Each error is tied to its field for those who do not see it."""
    page = text_of(sign_up(username="admin"))
    assert 'id="id_username_error"' in page
    assert 'aria-describedby="id_username_helptext id_username_error"' in page
    assert 'aria-invalid="true"' in page


def test_the_mail_has_text_and_html(sign_up):
    sign_up()
    message = mail.outbox[0]
    assert isinstance(message, EmailMultiAlternatives)
    assert message.body_contains("Confirm that this is your address")
    assert "Confirm my address" in str(message.alternatives[0][0])
    assert message.alternatives[0][1] == "text/html"
    assert message.subject == "Confirm your address for Flattr"
