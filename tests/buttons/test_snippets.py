"""The page of snippets: what is pasted where, in the language of each platform."""

import re
import tomllib
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from accounts.models import User
from buttons.evidence import read_evidence
from buttons.fetch import Page
from buttons.platforms import PLATFORMS
from buttons.snippets import MARKER, Wish, snippets_of

PAGE = "https://blog.example/tea?leaf=green&cup=2"
STATIC = ["html", "github", "feeds", "podcasts", "mastodon", "youtube", "mail"]
ASKED_FOR = """
    html wordpress blogger tumblr ghost jekyll hugo pelican eleventy drupal mediawiki github
    feeds podcasts mastodon youtube mail
"""


def codes(slug: str, person, **wished) -> dict[str, str]:
    wish = Wish.of(person, {"url": PAGE, **wished})
    return {snippet.id: snippet.code for snippet in snippets_of(PLATFORMS[slug], wish)}


def addresses(text: str) -> list[str]:
    """Return the addresses of attributes and of plain text, as a browser reads them."""
    found: list[str] = re.findall(r"https?://testserver/submit/auto[^\s\"')\]<]+", text)

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.extend(value for _, value in attrs if value and "/submit/auto?" in value)

    Reader().feed(text)
    return [address for address in found if "&amp;" not in address]


@pytest.fixture
def person() -> User:
    """Bob, who is in no database: that would make these tests ten times slower."""
    return User(username="bob", flattr_id="abc123")


@pytest.fixture(autouse=True)
def base(settings):
    settings.BASE_URL = "https://testserver"


def test_there_is_a_page_for_each_platform():
    assert set(PLATFORMS) == set(ASKED_FOR.split())


@pytest.mark.parametrize("slug", PLATFORMS)
def test_each_platforms_page_shows_its_steps(client, slug):
    page = client.get(f"/buttons/{slug}/", {"url": PAGE})
    assert page.status_code == 200
    assert [each.id for each in page.context["snippets"]] == [
        each.id for each in PLATFORMS[slug].snippets
    ]


def test_an_unknown_platform_has_no_page(client):
    assert client.get("/buttons/geocities/").status_code == 404


@pytest.mark.parametrize("slug", PLATFORMS)
def test_no_marker_is_left_in_a_snippet(person, slug):
    assert [code for code in codes(slug, person).values() if MARKER.search(code)] == []


@pytest.mark.parametrize("slug", PLATFORMS)
def test_each_platform_has_a_snippet_with_the_persons_name(person, slug):
    assert any("bob" in code for code in codes(slug, person).values())


@pytest.mark.parametrize("slug", STATIC)
def test_what_is_filled_in_leads_to_this_page_of_this_person(person, slug):
    found = [urlsplit(each) for code in codes(slug, person).values() for each in addresses(code)]
    assert found
    for address in found:
        assert parse_qs(address.query) == {"user_id": ["bob"], "url": [PAGE]}


@pytest.mark.parametrize("slug", ["blogger", "tumblr", "ghost", "drupal", "mediawiki", "jekyll"])
def test_templates_write_the_address_of_their_own_page(person, slug):
    assert PLATFORMS[slug].fills_address
    assert not [code for code in codes(slug, person).values() if "tea" in code]


@pytest.mark.parametrize(
    ("slug", "own"),
    [
        ("blogger", "data:post.url.canonical"),
        ("tumblr", "url={URLEncodedPermalink}"),
        ("ghost", 'url={{encode (url absolute="true")}}'),
        ("jekyll", "url={{ page.url | absolute_url | url_encode }}"),
        ("hugo", "url={{ .Permalink | urlquery }}"),
        ("pelican", "url={{ (SITEURL ~ '/' ~ article.url)|urlencode }}"),
        ("eleventy", "url={{ (site.url + page.url) | urlencode }}"),
        ("drupal", "|render|url_encode }}"),
        ("mediawiki", "rawurlencode( $title->getCanonicalURL() )"),
        ("wordpress", "rawurlencode( get_permalink() )"),
    ],
)
def test_each_language_escapes_the_address_in_its_own_words(person, slug, own):
    assert any(own in code for code in codes(slug, person).values())


@pytest.mark.parametrize("name", ["html", "element"])
def test_a_page_that_carries_a_snippet_is_its_persons(person, name):
    page = Page(PAGE, "text/html", f"<body>{codes('html', person)[name]}</body>")
    assert list(read_evidence(page, PAGE).how_by_username) == ["bob"]


@pytest.mark.parametrize("name", ["rss", "atom"])
def test_the_links_of_feeds_are_xml(person, name):
    told = ElementTree.fromstring(
        f'<feed xmlns:atom="http://www.w3.org/2005/Atom">{codes("feeds", person)[name]}</feed>'
    )[0]
    assert (told.get("rel"), told.get("type")) == ("payment", "text/html")
    assert parse_qs(urlsplit(str(told.get("href"))).query)["url"] == [PAGE]


def test_the_link_of_a_podcast_is_xml_of_its_namespace(person):
    code = codes("podcasts", person)
    channel = ElementTree.fromstring(
        f"{code['namespace']}<channel>{code['funding']}</channel></rss>"
    )[0]
    funding = channel.find("{https://podcastindex.org/namespace/1.0}funding")
    assert parse_qs(urlsplit(funding.get("url")).query)["url"] == [PAGE]
    assert len(funding.text) <= 128


def test_the_line_of_blogger_is_xml(person):
    code = codes("blogger", person)["paste"]
    line = ElementTree.fromstring(
        f'<p xmlns:expr="http://www.google.com/2005/gml/expr">{code}</p>'
    )[0]
    href = line.get("{http://www.google.com/2005/gml/expr}href")
    assert href == '"https://testserver/submit/auto?user_id=bob&url=" + data:post.url.canonical'


def test_the_list_of_funding_is_one_quoted_address(person):
    # A list of one quoted text reads the same in TOML, for which there is a parser here.
    read = tomllib.loads(codes("github", person)["funding"].replace(":", " =", 1))
    assert parse_qs(urlsplit(read["custom"][0]).query)["url"] == [PAGE]


def test_a_field_of_mastodon_has_room_for_a_usual_address(person):
    assert len(codes("mastodon", person)["field"]) <= 255


def test_site_generators_are_told_the_site_and_not_the_page(person):
    assert codes("hugo", person)["config"] == 'baseURL = "https://blog.example/"'


@pytest.mark.parametrize(
    ("wished", "query", "size", "attribute"),
    [
        ({}, "badge.svg?url=", 'width="110" height="20"', "></flattr-button"),
        ({"layout": "large"}, "layout=large&amp;url=", 'width="55" height="62"', ' layout="large"'),
        (
            {"layout": "icon", "theme": "dark"},
            "layout=icon+dark&amp;url=",
            'width="20" height="20"',
            ' layout="icon dark"',
        ),
    ],
)
def test_a_snippet_has_the_look_that_was_chosen(person, wished, query, size, attribute):
    chosen = codes("html", person, **wished)
    assert query in chosen["html"]
    assert size in chosen["html"]
    assert attribute in chosen["pinned"]


def test_nonsense_for_a_look_is_the_usual_one(person):
    assert codes("html", person, layout='"><script>', theme="pink") == codes("html", person)


def test_the_preview_is_the_button_itself(client, bob):
    client.force_login(bob)
    shown = client.get("/buttons/hugo/", {"url": "https://blog.example/tea", "layout": "large"})
    preview = re.findall(r'id="previewed".*?</div>', shown.content.decode(), re.DOTALL)[0]
    assert "/badge.svg?layout=large&amp;url=https%3A%2F%2Fblog.example%2Ftea" in preview
    assert "/submit/auto?user_id=bob&amp;url=https%3A%2F%2Fblog.example%2Ftea" in preview


def test_the_links_to_other_platforms_keep_what_was_filled_in(client):
    page = client.get("/buttons/", {"url": "https://blog.example/tea", "layout": "large"})
    wanted = "/buttons/jekyll/?url=https%3A%2F%2Fblog.example%2Ftea&amp;layout=large#steps"
    assert wanted in page.content.decode()


def test_who_is_signed_out_is_told_where_the_name_belongs(client):
    page = client.get("/buttons/jekyll/").content.decode()
    assert "user_id=your-name" in page
    assert "The snippets say" in page
