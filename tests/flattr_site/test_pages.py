"""What every page keeps to: the browser's rules, one heading, names for every control."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.views.defaults import server_error

TEMPLATES = sorted(
    path.relative_to(settings.BASE_DIR)
    for path in (settings.BASE_DIR / "templates").rglob("*.html")
    # Mail programs load no style sheet.
    if "mail" not in path.parts and "email" not in path.parts
)
PUBLIC = [
    "/",
    "/how-it-works/",
    "/privacy/",
    "/transparency/",
    "/patterns/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/confirm-email/",
    "/accounts/confirm-email/wrong/",
    "/no/such/page/",
]
SIGNED_IN = [
    "/dashboard/",
    "/statements/",
    "/accounts/profile/",
    "/accounts/sessions/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/logout/",
]


class Page(HTMLParser):
    """The facts of a page that people who do not see it depend on."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.headings, self.landmarks, self.labels = [], [], [], set()
        self.controls, self.references = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.headings += [tag] if re.fullmatch("h[1-6]", tag) else []
        self.landmarks += [tag] if tag in ("header", "main", "footer") else []
        if tag == "label":
            self.labels.add(given.get("for"))
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.controls.append(given)
        for name in ("for", "aria-labelledby", "aria-describedby"):
            self.references += (given.get(name) or "").split()


@pytest.fixture(params=[*PUBLIC, *SIGNED_IN])
def page(request, client, alice):
    if request.param in SIGNED_IN:
        client.force_login(alice)
    return Page(client.get(request.param).content.decode())


def test_a_page_has_one_main_heading_and_its_landmarks(page):
    assert page.headings.count("h1") == 1
    assert page.landmarks.count("main") == 1
    assert {"header", "footer"} <= set(page.landmarks)


def test_ids_are_given_once(page):
    assert sorted(page.ids) == sorted(set(page.ids))


def test_every_control_has_a_label(page):
    assert [c for c in page.controls if c.get("id") not in page.labels] == []


def test_what_is_referred_to_is_there(page):
    assert set(page.references) <= set(page.ids)


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_templates_carry_no_script_or_style(path: Path):
    """The policy of the site would refuse it, and the page would look and act otherwise."""
    html = (settings.BASE_DIR / path).read_text()
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", html) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)", html) == []


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/no/such/page/"])
def test_the_browser_is_told_the_rules(client, db, path):
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_cookies_are_kept_from_scripts_and_other_sites(client, alice):
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True)
    client.post("/accounts/login/", {"login": alice.email, "password": "correct horse battery"})
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_the_patterns_are_for_developers(client, db, settings):
    settings.DEBUG = False
    assert client.get("/patterns/").status_code == 404


def test_an_unknown_page_says_so(client, db):
    response = client.get("/no/such/page/")
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


@pytest.mark.parametrize("path", ["/no/such/page/", "/@nobody", "/flattr/1/"])
def test_the_sandbox_says_so_as_well(client, alice, settings, path):
    settings.DEBUG = True
    client.force_login(alice)
    response = client.get(path)
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


@pytest.mark.parametrize(
    ("method", "path"), [("get", "/submit/press/"), ("post", "/transparency/")]
)
def test_an_address_that_is_asked_the_wrong_way_says_so(client, db, method, path):
    response = getattr(client, method)(path)
    assert response.status_code == 405
    assert response["Allow"] == {"get": "POST", "post": "GET, HEAD"}[method]
    assert "Nothing was changed" in response.content.decode()


def test_a_page_that_breaks_says_so_without_what_broke(rf):
    response = server_error(rf.get("/"))
    assert response.status_code == 500
    assert "Something broke on our side" in response.content.decode()
