"""What pages made for the original Flattr load and link to: the same addresses, answered here."""

import re
import struct

import pytest
from django.core.cache import cache

from accounts.models import User
from buttons.embed.script import script
from buttons.submissions import read_submission
from tests.buttons.people import PAGE, flattr

LOADERS = ["/js/0.5/load.js", "/js/0.5.0/load.js", "/js/0.6/load.js", "/js/0.7/load.js"]
FRAMES = ["/button/view/", "/button/view", "/view/", "/button/popout/"]
IMAGES = {
    "/button/flattr-badge-large.png": (93, 20),
    "/flattr-badge-large.png": (93, 20),
    "/button/flattr-badge-small.png": (16, 16),
    "/button/button-static-50x60.png": (50, 60),
    "/button-static-50x60.png": (50, 60),
    "/button/button-compact-static-100x17.png": (100, 17),
    "/_img/icons/flattr_logo_16.png": (16, 16),
}


@pytest.fixture(autouse=True)
def _forget_counts():
    cache.clear()


@pytest.mark.parametrize("path", [*LOADERS, "/button/load.js"])
def test_every_address_of_the_loader_is_one_script(client, settings, path):
    response = client.get(f"{path}?mode=auto&uid=bob")
    assert response.content.decode() == script("load.js", settings.BASE_URL)
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Cache-Control"].startswith("public, max-age=3600")


def test_an_address_that_no_page_carries_is_not_found(client, db):
    assert client.get("/js/0.4/load.js").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("path", FRAMES)
def test_a_frame_loads_in_an_isolated_page_and_anywhere(client, path):
    headers = client.get(path, {"url": PAGE, "uid": "bob"}).headers
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "X-Frame-Options" not in headers
    assert "frame-ancestors *" in headers["Content-Security-Policy"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/buttons/", f"/submit/auto?url={PAGE}&uid=bob"])
def test_no_other_page_may_be_framed(client, bob, path):
    headers = client.get(path).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*FRAMES, *LOADERS, *IMAGES])
def test_nobody_is_known_by_what_old_pages_load(
    client, patron, tea, path, django_assert_max_num_queries
):
    client.force_login(patron)
    with django_assert_max_num_queries(1):
        response = client.get(path, {"url": PAGE, "uid": "bob"})
    assert response.status_code == 200
    assert not response.cookies
    assert "Cookie" not in response.headers.get("Vary", "")
    assert response.headers["Cache-Control"].startswith("public")


@pytest.mark.django_db
def test_a_frame_shows_the_count_and_hands_on_what_it_was_told(client, patron, tea):
    flattr(patron, tea)
    told = {"url": PAGE, "uid": "bob", "title": "Tea & cake", "tags": "a,b", "e": "1"}
    page = client.get("/button/view/", told).content.decode()
    assert 'aria-label="Flattr this (1)"' in page
    address = re.search(r'href="([^"]+)"', page)
    assert address is not None
    assert address[1].endswith(
        "/submit/auto?uid=bob&amp;url=https%3A%2F%2Fblog.example%2Ftea"
        "&amp;title=Tea+%26+cake&amp;tags=a%2Cb"
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("button", "size"), [("", ("55", "62")), ("compact", ("110", "20")), ("x", ("55", "62"))]
)
def test_a_frame_has_a_badge_of_the_size_that_its_page_left_room_for(client, button, size):
    page = client.get("/view/", {"url": PAGE, "fid": "abc123", "button": button}).content.decode()
    assert f'width="{size[0]}" height="{size[1]}"' in page


@pytest.mark.django_db
@pytest.mark.parametrize("path", FRAMES)
def test_markup_told_to_a_frame_stays_text(client, path):
    evil = '"><script>alert(1)</script><a href="javascript:x'
    told = {"url": PAGE, "title": evil, "language": evil, "uid": evil, "button": evil}
    page = client.get(path, told).content.decode()
    assert "alert(1)" not in re.sub(r"href=\"[^\"]*\"", "", page) or "&lt;script" in page
    assert page.count("<script>") == 1
    assert "javascript:x" not in re.sub(r"href=\"http[^\"]*\"", "", page)


@pytest.mark.django_db
def test_a_frame_without_an_address_says_only_flattr(client):
    response = client.get("/button/view/", {"uid": "bob"})
    assert (response.status_code, b"Flattr this" in response.content) == (200, True)


@pytest.mark.parametrize(("path", "size"), IMAGES.items())
def test_static_badges_keep_their_sizes(client, path, size):
    response = client.get(path)
    assert response.headers["Content-Type"] == "image/png"
    assert struct.unpack(">II", response.content[16:24]) == size
    assert len(response.content) < 2_000


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["profile", "user", "donation/give/to"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_people_are_found_where_they_were(client, bob, path, slash):
    response = client.get(f"/{path}/bob{slash}")
    assert (response.status_code, response.url) == (301, "/@bob")
    assert client.get("/@bob/").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["", "/", "/tea-and-cake", "/tea-and-cake/", "/Té,_2"])
def test_a_thing_is_found_by_its_number_and_any_slug(client, tea, end):
    assert client.get(f"/thing/{tea.pk}{end}").status_code == 200


@pytest.mark.django_db
def test_the_window_knows_the_creator_by_the_number_of_an_old_button(client, bob):
    type(bob).objects.filter(pk=bob.pk).update(old_flattr_number=12306)
    assert client.get("/submit/auto", {"url": PAGE, "uid": "12306"}).context["look"].owner == bob
    assert client.get("/submit/auto", {"url": PAGE, "uid": str(bob.pk)}).status_code == 404


def test_the_zero_of_an_old_button_names_nobody_and_leaves_the_word_to_the_next(client, bob):
    told = {"url": PAGE, "user_id": "0", "uid": " ", "fid": bob.flattr_id}
    assert client.get("/submit/auto", told).context["look"].owner == bob


@pytest.mark.parametrize("name", ["user_id", "uid", "owner", "user"])
def test_an_owner_is_named_in_any_of_the_ways_seen(bob, name):
    assert read_submission({"url": PAGE, name: "Bob"}).claimant == bob


@pytest.mark.django_db
def test_an_owner_is_found_by_the_id_of_their_profile(bob):
    assert read_submission({"url": PAGE, "fid": bob.flattr_id.upper()}).claimant == bob


@pytest.mark.django_db
def test_every_parameter_of_the_old_plugins_is_taken(client, bob):
    told = {
        "url": PAGE,
        "user_id": "bob",
        "title": " Tea",
        "description": "One<br>two",
        "language": "en_GB",
        "category": "text",
        "tags": "a,b",
        "hidden": "1",
        "popout": "0",
        "revsharekey": "key",
        "button": "compact",
    }
    assert client.get("/submit/auto", told).status_code == 200
    submission = read_submission(told)
    assert (submission.title, submission.description) == ("Tea", "One\ntwo")
    assert (submission.tags, submission.is_hidden) == (("a", "b"), True)


@pytest.mark.django_db
def test_an_address_alone_finds_the_thing_or_says_that_nobody_owns_it(client, tea):
    assert client.get("/submit/auto", {"url": PAGE}).status_code == 200
    assert client.get("/submit/auto", {"url": "https://blog.example/other"}).status_code == 404
    assert User.objects.filter(username="blog").count() == 0
