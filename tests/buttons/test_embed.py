"""What foreign pages load: small, cacheable, the same for everybody, and never with a cookie."""

import base64
import gzip
import hashlib
import html
import re
import xml.etree.ElementTree as ElementTree

import pytest
from django.core.cache import cache, caches
from django.urls import reverse

from buttons.embed import script, views
from buttons.embed.badge import CACHE_SECONDS, Look, draw_badge, short
from buttons.embed.middleware import REMEMBERED_SECONDS
from buttons.embed.script import button_script, button_scripts, checksum_of, version_of
from tests.buttons.people import PAGE, flattr, make_thing

SVG = "{http://www.w3.org/2000/svg}"
LAYOUTS = ["flat", "compact", "large", "icon"]
COUNTED_LAYOUTS = LAYOUTS[:3]


@pytest.fixture(autouse=True)
def _forget_counts():
    forget()


def forget():
    cache.clear()
    caches["process"].clear()


def badge(client, **parameters: str):
    return client.get("/badge.svg", {"url": PAGE, **parameters})


def drawn(layout: str, *counts: int | None, **words: str) -> ElementTree.Element:
    return ElementTree.fromstring(draw_badge(Look.of(layout, **words), *counts))


def words(response) -> list[str]:
    drawing = ElementTree.fromstring(response.content)
    return [text.text or "" for text in drawing.iter(f"{SVG}text")]


@pytest.mark.django_db
def test_a_badge_shows_the_count(client, patron, tea):
    assert words(badge(client)) == ["0", "Flattr"]
    forget()
    flattr(patron, tea)
    assert words(badge(client)) == ["1", "Flattr"]


@pytest.mark.django_db
def test_a_badge_of_an_unknown_page_counts_nothing(client):
    assert words(badge(client)) == ["0", "Flattr"]


@pytest.mark.django_db
def test_spellings_of_one_address_show_one_count(client, patron, tea):
    flattr(patron, tea)
    assert words(client.get("/badge.svg", {"url": f"{PAGE}?utm_source=x"})) == ["1", "Flattr"]


def test_a_badge_without_an_address_has_no_count(client):
    response = client.get("/badge.svg", {"user_id": "bob"})
    assert (response.status_code, words(response)) == (400, ["Flattr"])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("theme", ["", "light", "dark"])
@pytest.mark.parametrize("lang", ["en", "ar"])
@pytest.mark.parametrize("count", [None, 0, 7, 999, 1_234_567])
def test_a_badge_is_at_most_900_bytes_compressed(layout, theme, lang, count):
    drawing = draw_badge(Look.of(layout, theme=theme, lang=lang), count)
    assert len(gzip.compress(drawing.encode())) <= 900


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_badge_says_what_it_is_to_a_screen_reader(layout):
    drawing = drawn(layout, 1_234)
    title = drawing.find(f"{SVG}title")
    assert title is not None
    assert (drawing.get("role"), title.text) == ("img", "Flattr this (1,234)")
    assert drawing.get("aria-label") == title.text


@pytest.mark.parametrize(
    ("layout", "size"),
    [
        ("large", ("55", "62")),
        ("compact", ("110", "20")),
        ("flat", ("110", "20")),
        ("icon", ("20", "20")),
        ("icon 16", ("16", "16")),
        ("icon 24", ("24", "24")),
        ("icon 17", ("20", "20")),
    ],
)
def test_a_badge_keeps_its_size_whatever_it_counts(layout, size):
    for count in (None, 0, 999_999):
        drawing = drawn(layout, count)
        assert (drawing.get("width"), drawing.get("height")) == size


def test_a_badge_is_light_or_dark_as_the_screen_is():
    assert "@media(prefers-color-scheme:dark)" in draw_badge(Look.of(), 1)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_may_choose_light_or_dark(theme):
    drawing = draw_badge(Look.of(theme=theme), 1)
    assert "@media" not in drawing
    assert ("#1b2114" in drawing) == (theme == "dark")
    assert drawing == draw_badge(Look.of(f"flat {theme}"), 1)


def test_an_unknown_layout_is_the_usual_one():
    assert draw_badge(Look.of("<script>"), 1) == draw_badge(Look.of("flat"), 1)


@pytest.mark.parametrize("lang", ["ar", "AR-eg", "he", "fa_IR", "ur", "az-Arab"])
def test_a_badge_reads_from_the_right_where_the_page_does(lang):
    assert Look.of(lang=lang).is_right_to_left


@pytest.mark.parametrize("lang", ["", "en", "arn", "de_DE", "undefined", "x" * 99])
def test_a_badge_reads_from_the_left_elsewhere(lang):
    assert not Look.of(lang=lang).is_right_to_left


@pytest.mark.parametrize("layout", ["flat", "compact"])
def test_the_count_stands_where_reading_ends(layout):
    def place(lang: str) -> float:
        texts = drawn(layout, 7, lang=lang).iter(f"{SVG}text")
        return next(float(text.get("x", "")) for text in texts if text.text == "7")

    assert place("en") > 80
    assert place("ar") < 30


def test_many_badges_are_one_drawing_with_a_view_of_each():
    drawing = drawn("large", 1, 22, None)
    views = [(view.get("id"), view.get("viewBox")) for view in drawing.iter(f"{SVG}view")]
    assert views == [("0", "0 0 55 62"), ("1", "0 62 55 62"), ("2", "0 124 55 62")]
    assert (drawing.get("width"), drawing.get("height")) == ("55", "62")


@pytest.mark.django_db
def test_one_request_counts_many_pages(client, patron, tea, django_assert_num_queries):
    flattr(patron, tea)
    addresses = ["https://blog.example/other", PAGE, "nonsense", PAGE]
    with django_assert_num_queries(1):
        response = client.get("/badge.svg", {"url": addresses})
    assert words(response) == ["0", "Flattr", "1", "Flattr", "Flattr", "1", "Flattr"]
    with django_assert_num_queries(0):
        client.get("/badge.svg", {"url": addresses})


@pytest.mark.django_db
def test_fifty_badges_are_the_most_in_one_request(client):
    addresses = [f"https://blog.example/{number}" for number in range(51)]
    drawing = ElementTree.fromstring(client.get("/badge.svg", {"url": addresses}).content)
    assert len(list(drawing.iter(f"{SVG}view"))) == 50


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1.0k"),
        (1_999, "1.9k"),
        (9_999, "9.9k"),
        (10_000, "10k"),
        (999_999, "999k"),
        (1_000_000, "1.0M"),
        (12_345_678, "12M"),
    ],
)
def test_a_large_count_is_short_and_rounded_down(count, text):
    assert short(count) == text


@pytest.mark.django_db
def test_a_badge_asks_one_question_and_then_none(client, tea, django_assert_num_queries):
    with django_assert_num_queries(1):
        badge(client)
    caches["process"].clear()
    with django_assert_num_queries(0):
        badge(client)


@pytest.mark.django_db
def test_a_badge_is_remembered_by_the_process_for_a_part_of_its_minute(client, monkeypatch):
    first = badge(client)
    monkeypatch.setattr(views, "counts_at", None)
    again = badge(client)
    assert (again.content, again.headers) == (first.content, first.headers)
    assert REMEMBERED_SECONDS + CACHE_SECONDS == 60


@pytest.mark.django_db
def test_a_badge_is_remembered_though_the_browser_that_asked_first_has_it(client, monkeypatch):
    etag = badge(client).headers["ETag"]
    caches["process"].clear()
    assert badge_if_not(client, etag).status_code == 304
    monkeypatch.setattr(views, "counts_at", None)
    assert badge_if_not(client, etag).status_code == 304
    assert badge(client).headers["ETag"] == etag


def badge_if_not(client, etag):
    return client.get("/badge.svg", {"url": PAGE}, headers={"if-none-match": etag})


@pytest.mark.django_db
def test_a_remembered_badge_is_refused_to_a_host_that_is_not_ours(client):
    assert badge(client).status_code == 200
    refused = client.get("/badge.svg", {"url": PAGE}, headers={"host": "elsewhere.example"})
    assert refused.status_code == 400


@pytest.mark.django_db
def test_what_is_no_badge_is_not_remembered(client, monkeypatch):
    assert client.get("/badge.svg", {"url": "javascript:1"}).status_code == 400
    monkeypatch.setattr(views, "counts_at", None)
    with pytest.raises(TypeError):
        client.get("/badge.svg", {"url": "javascript:1"})


@pytest.mark.django_db
def test_a_page_that_was_told_of_a_newer_count_is_shown_it(client, patron, tea):
    badge(client)
    flattr(patron, tea)
    assert words(badge(client)) == ["0", "Flattr"]
    assert words(badge(client, seen="1")) == ["1", "Flattr"]
    # Every process asks Redis again after a few seconds.
    caches["process"].clear()
    assert words(badge(client)) == ["1", "Flattr"]


@pytest.mark.django_db
def test_a_made_up_newer_count_asks_once_a_second_at_most(client, tea, django_assert_num_queries):
    badge(client, seen="999999999")
    with django_assert_num_queries(1):
        badge(client, seen="999999999")
    with django_assert_num_queries(0):
        badge(client, seen="999999998")


@pytest.mark.django_db
@pytest.mark.parametrize("seen", ["-1", "x", "1" * 50, "٣"])
def test_nonsense_about_a_newer_count_is_ignored(client, seen):
    assert badge(client, seen=seen).status_code == 200


@pytest.mark.django_db
def test_no_session_is_looked_at_and_no_cookie_set(client, patron, tea, django_assert_num_queries):
    client.force_login(patron)
    with django_assert_num_queries(1):
        response = badge(client)
    assert not response.cookies
    assert "Cookie" not in response.headers.get("Vary", "")


@pytest.mark.django_db
@pytest.mark.parametrize("address", [f"/badge.svg?url={PAGE}", "/button.js"])
def test_any_page_may_load_it(client, address):
    headers = client.get(address).headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.django_db
@pytest.mark.parametrize("address", [f"/badge.svg?url={PAGE}", "/button.js"])
def test_what_a_browser_has_is_not_sent_again(client, address):
    first = client.get(address)
    again = client.get(address, headers={"if-none-match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert client.get(address, headers={"if-none-match": '"x"'}).status_code == 200


@pytest.mark.django_db
def test_a_badge_is_kept_for_a_minute(client):
    headers = badge(client).headers
    assert headers["Cache-Control"] == "public, max-age=60, stale-while-revalidate=600"
    assert headers["Content-Type"] == "image/svg+xml; charset=utf-8"


@pytest.mark.django_db
def test_markup_in_an_address_is_not_drawn(client):
    assert b"<script" not in badge(client, layout="<script>").content


@pytest.mark.parametrize("base_url", ["http://localhost:8000", "https://flattr.example.org"])
def test_the_script_is_at_most_1000_bytes_compressed(base_url):
    assert len(gzip.compress(button_script(base_url).encode())) <= 1_000


def test_the_script_knows_its_instance(settings):
    assert f'"{settings.BASE_URL}"' in button_script(settings.BASE_URL)


def test_the_script_sets_nothing_on_the_page_and_keeps_nothing():
    script = button_script("https://flattr.example.org")
    for word in ("cookie", "localStorage", "eval(", "innerHTML", "iframe", ".style"):
        assert word not in script


def test_the_versioned_script_is_kept_for_ever(client, settings):
    version = version_of(settings.BASE_URL)
    response = client.get(reverse("buttons:button-js-version", args=[version]))
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.content == client.get("/button.js").content


def test_a_script_that_was_released_is_served_as_long_as_pages_name_it(
    client, settings, monkeypatch, tmp_path
):
    """A page that names its checksum would otherwise lose its button with the next release."""
    (tmp_path / "button.js").write_text("new();\n")
    (tmp_path / "button-before-2027.js").write_text("old();\n")
    monkeypatch.setattr(script, "ART", tmp_path)
    for cached in (script.script, button_scripts):
        cached.cache_clear()
    old = script._version("old();")
    try:
        assert client.get("/button.js").content == b"new();"
        assert client.get(f"/button-{old}.js").content == b"old();"
    finally:
        for cached in (script.script, button_scripts):
            cached.cache_clear()


def test_the_checksum_is_the_one_a_browser_computes(client, settings):
    response = client.get(f"/button-{version_of(settings.BASE_URL)}.js")
    digest = base64.b64encode(hashlib.sha384(response.content).digest()).decode()
    assert checksum_of(settings.BASE_URL) == f"sha384-{digest}"


@pytest.mark.django_db
def test_the_snippet_page_shows_the_version_and_its_checksum(client, settings):
    page = html.unescape(client.get("/buttons/").content.decode())
    assert f"/button-{version_of(settings.BASE_URL)}.js" in page
    assert checksum_of(settings.BASE_URL) in page


def test_strings_of_the_script_are_served_as_written():
    source = (script.ART / "button.js").read_text()
    served = button_script("https://flattr.example.org")
    code = "\n".join(line for line in source.splitlines() if not line.startswith("//"))
    for text in set(re.findall(r'"[^"]*"', code)) - {'"BASE"'}:
        assert text in served


def test_an_old_version_leads_to_the_script(client):
    response = client.get("/button-000000000000.js")
    assert (response.status_code, response.url) == (302, "/button.js")
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.django_db
def test_hidden_things_have_badges_too(client, patron, creator):
    thing = make_thing(owner=creator)
    type(thing).objects.filter(pk=thing.pk).update(is_hidden=True)
    flattr(patron, thing)
    assert words(badge(client)) == ["1", "Flattr"]
