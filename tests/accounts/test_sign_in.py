import re

import pytest
from django.core import mail
from django.test import Client

NEW_PASSWORD = "another long sentence"
WRONG = "This address and password do not belong together."


def text_of(response):
    return response.content.decode()


def test_signing_in_leads_to_the_dashboard(client, verified, sign_in):
    assert sign_in(client).headers["Location"] == "/dashboard/"


def test_the_address_may_be_written_in_any_case(client, verified, sign_in):
    assert sign_in(client, "Alice@Example.ORG").headers["Location"] == "/dashboard/"


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org"])
def test_a_wrong_address_and_a_wrong_password_read_the_same(client, verified, sign_in, email):
    response = sign_in(client, email, "wrong")
    assert response.status_code == 200
    assert WRONG in text_of(response)


def test_the_username_does_not_sign_in(client, verified, sign_in):
    assert sign_in(client, "alice").status_code == 200


def test_a_closed_account_does_not_sign_in(client, verified, sign_in):
    verified.is_active = False
    verified.save(update_fields=["is_active"])
    sign_in(client)
    assert "_auth_user_id" not in client.session


def test_wrong_passwords_are_limited_for_an_address(still_clock, client, verified, sign_in):
    for _ in range(5):
        assert WRONG in text_of(sign_in(client, password="wrong"))
    page = text_of(sign_in(client))
    assert "Too many wrong tries." in page
    assert "_auth_user_id" not in client.session


def test_sign_up_is_limited(still_clock, client, sign_up):
    answers = [sign_up(username="admin") for _ in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert "Too many tries" in text_of(answers[-1])
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_a_forgotten_password_is_replaced(client, verified, sign_in, link_in_mail):
    client.post("/accounts/password/reset/", {"email": verified.email})
    form = client.get(link_in_mail(), follow=True)
    action = form.redirect_chain[-1][0]
    done = client.post(action, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    assert done.headers["Location"] == "/accounts/password/reset/key/done/"
    assert sign_in(Client(), password=NEW_PASSWORD).headers["Location"] == "/dashboard/"
    assert "replaced" in mail.outbox[-1].subject
    assert "used up" in text_of(client.get(link_in_mail(0), follow=True))


def test_a_reset_reads_the_same_for_an_unknown_address(client, verified):
    known = client.post("/accounts/password/reset/", {"email": verified.email})
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@example.org"})
    assert known.headers["Location"] == unknown.headers["Location"]
    assert "no account with it" in mail.outbox[-1].body


def test_changing_the_password_ends_the_other_sessions(client, verified, sign_in):
    phone = Client()
    sign_in(phone)
    sign_in(client)
    old = {"oldpassword": "correct horse battery"}
    new = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    client.post("/accounts/password/change/", {**old, **new})
    assert client.get("/accounts/profile/").status_code == 200
    assert phone.get("/accounts/profile/").status_code == 302
    assert "changed" in mail.outbox[-1].subject


def test_sign_out_everywhere_ends_the_other_sessions(client, verified, sign_in):
    phone = Client()
    sign_in(phone)
    sign_in(client)
    client.post("/accounts/sessions/")
    assert client.get("/accounts/profile/").status_code == 200
    assert phone.get("/accounts/profile/").status_code == 302


def test_one_session_can_be_ended(client, verified, sign_in):
    phone = Client(headers={"user-agent": "Mozilla/5.0 (iPhone) Safari/605"})
    sign_in(phone)
    sign_in(client)
    page = text_of(client.get("/accounts/sessions/"))
    assert "Safari on an iPhone" in page
    (path,) = re.findall(r'action="(/accounts/sessions/\d+/end/)"', page)
    assert client.post(path).headers["Location"] == "/accounts/sessions/"
    assert phone.get("/accounts/profile/").status_code == 302
    assert client.get("/accounts/profile/").status_code == 200


def test_nobody_ends_the_session_of_another(client, verified, sign_in, mallory):
    sign_in(client)
    session = verified.usersession_set.get()
    other = Client()
    other.force_login(mallory)
    assert other.post(f"/accounts/sessions/{session.pk}/end/").status_code == 404
    assert client.get("/accounts/profile/").status_code == 200


def test_people_can_sign_in_while_redis_is_down(client, verified, sign_in, settings):
    """The limits are lost for that time; the site is not."""
    broken = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": broken}
    assert sign_in(client).headers["Location"] == "/dashboard/"


def test_a_new_address_needs_the_password_and_a_confirmation(
    client, verified, sign_in, link_in_mail
):
    sign_in(client)
    asked = client.post("/accounts/email/", {"email": "new@example.org", "action_add": ""})
    assert asked.headers["Location"] == "/accounts/reauthenticate/?next=%2Faccounts%2Femail%2F"
    assert mail.outbox == []
    proof = {"password": "correct horse battery", "next": "/accounts/email/"}
    client.post("/accounts/reauthenticate/", proof)
    verified.refresh_from_db()
    assert verified.email == "alice@example.org"
    client.post(link_in_mail())
    verified.refresh_from_db()
    assert verified.email == "new@example.org"


STALE = {"login": "alice@example.org", "csrfmiddlewaretoken": "x" * 64}


def test_a_stale_form_gets_a_clear_page(verified):
    strict = Client(enforce_csrf_checks=True)
    strict.get("/accounts/login/")
    response = strict.post("/accounts/login/", STALE)
    assert response.status_code == 403
    assert "Please send that again" in text_of(response)


def test_a_browser_without_cookies_is_told_so(verified):
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", STALE)
    assert response.status_code == 403
    assert "Flattr needs cookies to know you" in text_of(response)
