"""Wherever a stranger's address leads, nothing private is connected to.

All connections of the process are watched: those to the one public address of these tests are
answered by a page on the loopback, and any other one ends at a canary, for real.
"""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from buttons.canonical import UrlRefused, canonical_url
from buttons.fetch import FetchError, FetchRefused, fetch_page
from tests.buttons.hostile_urls import ADDRESSES, HOSTILE_URLS, NAMES
from tests.buttons.servers import Listener, NameServer, html, status

# Chosen here, and not asked of the code that is tested.
PUBLIC = "8.8.8.8"
WEB = "http://blog.example/"

REDIRECTS = [url for url in HOSTILE_URLS if url.isprintable()]
# These mean something only on a page.
SEEN_FROM_A_PAGE = ["//127.0.0.1/", "///127.0.0.1/", "/\\127.0.0.1/", "\\/127.0.0.1/", "//0/"]


class Web:
    """A site at a public address, and the canary that must hear of nobody."""

    def __init__(self, names: NameServer) -> None:
        self.site, self.canary = Listener(), Listener()
        self.names = names
        self.strayed: list[Any] = []
        self.connect = socket.create_connection
        names.tell("blog.example", [PUBLIC])

    def create_connection(self, address: tuple[str, int], *args: Any, **kwargs: Any) -> Any:
        if address[0] == PUBLIC:
            return self.connect(("127.0.0.1", self.site.port), *args, **kwargs)
        self.strayed.append(address)
        return self.connect(("127.0.0.1", self.canary.port), *args, **kwargs)

    @property
    def is_safe(self) -> bool:
        return self.strayed == [] and self.canary.connections == []


@pytest.fixture
def web(names, monkeypatch) -> Iterator[Web]:
    web = Web(names)
    for name, addresses in NAMES.items():
        names.tell(name, addresses)
    monkeypatch.setattr(socket, "create_connection", web.create_connection)
    yield web
    web.site.stop()
    web.canary.stop()


def test_the_addresses_are_many_and_all_different():
    assert len(HOSTILE_URLS) >= 150
    assert len(set(HOSTILE_URLS)) == len(HOSTILE_URLS)


def test_the_site_is_read_and_the_canary_hears_who_comes(web):
    assert fetch_page(WEB).text == "<p>tea"
    assert web.is_safe
    socket.create_connection(("10.0.0.1", 80), 5).close()
    assert not web.is_safe


def test_no_hostile_address_is_connected_to(web):
    """One test for all, since each takes a millisecond: what was reached is named."""
    reached = []
    for url in HOSTILE_URLS:
        try:
            fetch_page(url)
        except FetchRefused:
            continue
        except FetchError as error:
            reached.append((url, error))
        else:
            reached.append((url, "read"))
    assert reached == []
    assert web.is_safe


def test_no_redirect_to_a_hostile_address_is_followed(web):
    """Some are, seen from a page, only another path of the same site: `http:/127.0.0.1/`."""
    followed = []
    for url in (*REDIRECTS, *SEEN_FROM_A_PAGE):
        web.site.answers["/"] = status(302, url)
        try:
            page = fetch_page(WEB)
        except FetchError:
            continue
        if not page.url.startswith(WEB):
            followed.append(url)
    assert followed == []
    assert web.is_safe
    assert len(web.site.requests) >= len(REDIRECTS) > 200


def test_no_hostile_address_can_be_a_thing():
    taken = []
    for url in ADDRESSES:
        try:
            taken.append(canonical_url(url))
        except UrlRefused:
            continue
    assert taken == []


@pytest.mark.parametrize("private", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fd00::1"])
def test_a_name_that_changes_between_two_looks_is_never_followed_inside(web, private):
    """Rebinding: public when it is checked, private the next moment, and back."""
    for _ in range(3):
        web.names.tell("blog.example", [PUBLIC], [private], [PUBLIC])
        assert fetch_page(WEB).text == "<p>tea"
        with pytest.raises(FetchRefused):
            fetch_page(WEB)
    assert web.is_safe


def test_a_name_that_changes_between_two_redirects_is_never_followed_inside(web):
    web.names.tell("blog.example", [PUBLIC], [PUBLIC], ["127.0.0.1"])
    web.site.answers["/"] = status(302, "/a")
    web.site.answers["/a"] = status(302, "/b")
    web.site.answers["/b"] = html("inside")
    with pytest.raises(FetchRefused):
        fetch_page(WEB)
    assert [path for path, _ in web.site.requests] == ["/", "/a"]
    assert web.is_safe
