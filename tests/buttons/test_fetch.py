"""Fetching strangers' pages: public addresses only, whatever a name says or a page redirects to."""

import gzip
import ssl
import time
from collections.abc import Iterator

import dns.name
import dns.resolver
import httpcore
import pytest

from buttons import fetch
from buttons.fetch import (
    BODY_BYTES_MAX,
    FetchError,
    FetchFailed,
    FetchRefused,
    fetch_page,
    is_public_address,
)
from tests.buttons.servers import Listener, NameServer, drip, html, status


@pytest.fixture
def listener(settings) -> Iterator[Listener]:
    """The one private host that may be reached, as the sandbox's blog may."""
    listener = Listener()
    settings.FETCH_ALLOWED_HOSTS = [listener.host]
    yield listener
    listener.stop()


@pytest.fixture
def canary(settings) -> Iterator[Listener]:
    """A private server that nobody may reach: a connection is a hole."""
    listener = Listener()
    yield listener
    listener.stop()
    assert listener.connections == []


@pytest.fixture
def connected(monkeypatch) -> list[tuple[str, int, float]]:
    """Where connections would go to, and how long each may take; none is opened."""
    tried: list[tuple[str, int, float]] = []

    def connect(self: object, host: str, port: int, timeout: float, *rest: object) -> None:
        tried.append((host, port, timeout))
        raise httpcore.ConnectError

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    return tried


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.215.14",
        "2606:4700::1111",
        "2a00:1450:4001:81b::200e",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
    ],
)
def test_addresses_of_the_internet_are_public(address):
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1111%eth0",
        "fec0::1",
        "ff02::1",
        "4000::1",
        "localhost",
        "",
    ],
)
def test_every_other_address_is_not(address):
    assert not is_public_address(address)


def test_a_page_of_an_allowed_host_is_read(listener):
    listener.answers["/tea"] = html("<h1>Täa</h1>", "text/html; charset=UTF-8")
    page = fetch_page(listener.url("/tea#leaves"))
    assert (page.text, page.content_type) == ("<h1>Täa</h1>", "text/html")
    assert [path for path, _ in listener.requests] == ["/tea"]


def test_no_cookie_and_no_address_of_ours_is_sent(listener):
    fetch_page(listener.url())
    _, headers = listener.requests[0]
    assert set(headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}
    assert headers["Host"] == listener.host


def test_proxies_of_the_environment_are_not_asked(listener, canary, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, canary.url())
    assert fetch_page(listener.url()).text == "<p>tea"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]", "[::ffff:7f00:1]", "0"]
)
def test_no_spelling_of_this_machine_is_connected_to(canary, host):
    port = canary.host.partition(":")[2]
    with pytest.raises(FetchRefused):
        fetch_page(f"http://{host}:{port}/")


def test_a_name_that_leads_into_a_private_network_is_not_connected_to(connected, names):
    names.tell("blog.example", ["127.0.0.1"])
    with pytest.raises(FetchRefused):
        fetch_page("http://blog.example/")
    assert connected == []


@pytest.mark.parametrize("addresses", [["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "fd00::1"]])
def test_one_private_address_among_public_ones_is_enough_to_refuse(connected, names, addresses):
    names.tell("blog.example", addresses)
    with pytest.raises(FetchRefused):
        fetch_page("http://blog.example/")
    assert connected == []


def test_a_name_is_resolved_once_and_that_very_address_is_connected_to(connected, names):
    """A rebinding name is public when it is asked first and private when it is asked again."""
    names.tell("blog.example", ["8.8.8.8"], ["127.0.0.1"])
    with pytest.raises(FetchFailed):
        fetch_page("http://blog.example/")
    assert [(host, port) for host, port, _ in connected] == [("8.8.8.8", 80)]
    assert names.asked == [("blog.example", "A"), ("blog.example", "AAAA")]


def test_where_one_address_cannot_be_reached_the_next_is_tried_and_three_at_most(connected, names):
    names.tell("blog.example", ["8.8.8.8", "8.8.4.4", "2606:4700::1", "2606:4700::2"])
    with pytest.raises(FetchFailed):
        fetch_page("https://blog.example/")
    tried = [host for host, _, _ in connected]
    assert len(tried) == 3
    assert [":" in host for host in tried] == [False, True, False]


def test_the_address_that_can_be_reached_is_read(listener, names, monkeypatch):
    names.tell("blog.example", ["8.8.8.8", "2606:4700::1"])
    real = httpcore.SyncBackend.connect_tcp

    def connect(self, host: str, port: int, *rest: object) -> httpcore.NetworkStream:
        if host == "8.8.8.8":
            raise httpcore.ConnectError
        return real(self, "127.0.0.1", listener.port, *rest)

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    assert fetch_page("http://blog.example/").text == "<p>tea"


@pytest.mark.parametrize("kind", ["A", "AAAA"])
def test_a_name_server_that_knows_only_one_kind_of_address_is_enough(connected, names, kind):
    names.broken = {kind}
    names.tell("blog.example", ["8.8.8.8", "2606:4700::1"])
    with pytest.raises(FetchFailed, match="could not be reached"):
        fetch_page("http://blog.example/")
    assert [":" in host for host, _, _ in connected] == [kind == "A"]


def test_a_name_server_that_is_silent_ends_at_the_deadline(connected, names, monkeypatch):
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 0.3)
    names.silent = {"A", "AAAA"}
    began = time.monotonic()
    with pytest.raises(FetchFailed, match="in time"):
        fetch_page("http://blog.example/")
    assert time.monotonic() - began < 2
    assert connected == []


def test_connecting_may_take_what_is_left_until_the_deadline(connected, names, monkeypatch):
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 2)
    names.tell("blog.example", ["8.8.8.8"])
    with pytest.raises(FetchFailed):
        fetch_page("http://blog.example/")
    assert 0 < connected[0][2] <= 2


@pytest.fixture
def machine(names: NameServer, settings, monkeypatch) -> NameServer:
    """The name server of the machine itself, which lies in a domain of its operator's."""
    settings.DNS_SERVERS = []
    host, port = names.address

    def read(self: dns.resolver.Resolver, path: object) -> None:
        self.nameservers, self.port = [host], port
        self.search = [dns.name.from_text("corp.example")]
        self.use_search_by_default = True

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", read)
    return names


def test_without_a_setting_the_machines_own_name_servers_are_asked(connected, machine):
    machine.tell("blog.example", ["8.8.8.8"])
    with pytest.raises(FetchFailed, match="could not be reached"):
        fetch_page("http://blog.example/")


def test_a_name_is_never_completed_by_the_machines_own_domain(connected, machine):
    machine.tell("blog.example.corp.example", ["8.8.8.8"])
    with pytest.raises(FetchFailed, match="does not exist"):
        fetch_page("http://blog.example/")
    assert {name for name, _ in machine.asked} == {"blog.example"}


def test_tls_asks_for_the_name_and_not_for_the_address(names, monkeypatch):
    names.tell("blog.example", ["8.8.8.8"])
    asked: list[str | None] = []

    class Stream(httpcore.NetworkStream):
        def start_tls(
            self, ssl_context: ssl.SSLContext, server_hostname=None, timeout=None
        ) -> httpcore.NetworkStream:
            asked.append(server_hostname)
            raise httpcore.ConnectError

        def close(self) -> None:
            """Nothing was opened."""

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *args, **kwargs: Stream())
    with pytest.raises(FetchFailed):
        fetch_page("https://blog.example/")
    assert asked == ["blog.example"]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed(listener, code):
    listener.answers["/old"] = status(code, "/new?utm_source=x")
    assert fetch_page(listener.url("/old")).url == listener.url("/new?utm_source=x")


def test_a_redirect_into_a_private_network_is_refused(listener, canary):
    listener.answers["/"] = status(302, canary.url())
    with pytest.raises(FetchRefused):
        fetch_page(listener.url())


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "gopher://blog.example/",
        "//localhost/",
        "http://a@127.0.0.1/",
        "\\\\x",
    ],
)
def test_a_redirect_to_what_is_no_public_page_is_refused(listener, location):
    listener.answers["/"] = status(302, location)
    with pytest.raises(FetchRefused):
        fetch_page(listener.url())


@pytest.mark.parametrize("page", ["https://blog.example/", "HTTPS://Blog.example/"])
def test_a_redirect_from_https_to_http_is_refused(monkeypatch, page):
    monkeypatch.setattr(fetch, "_get", lambda url, deadline: "http://blog.example/")
    with pytest.raises(FetchRefused, match="https to http"):
        fetch_page(page)


def test_a_redirect_from_http_to_https_is_followed(monkeypatch):
    gone_to: list[str] = []

    def get(url, deadline):
        gone_to.append(url.href)
        return "https://blog.example/" if len(gone_to) == 1 else fetch.Page(url.href, "", "")

    monkeypatch.setattr(fetch, "_get", get)
    assert fetch_page("http://blog.example/").url == "https://blog.example/"


def test_three_redirects_are_followed_and_four_are_not(listener):
    for step in range(1, 5):
        listener.answers[f"/{step}"] = status(302, f"/{step - 1}")
    assert fetch_page(listener.url("/3")).text == "<p>tea"
    with pytest.raises(FetchFailed):
        fetch_page(listener.url("/4"))


@pytest.mark.parametrize("code", [204, 401, 404, 410, 500, 302])
def test_what_is_not_a_page_fails(listener, code):
    listener.answers["/"] = status(code)
    with pytest.raises(FetchFailed):
        fetch_page(listener.url())


@pytest.mark.parametrize("content_type", ["image/png", "application/json", "application/pdf", ""])
def test_only_text_and_html_are_read(listener, content_type):
    listener.answers["/"] = html("x", content_type)
    with pytest.raises(FetchFailed):
        fetch_page(listener.url())


def test_plain_text_is_read(listener):
    listener.answers["/"] = html("x", "text/plain")
    assert fetch_page(listener.url()).content_type == "text/plain"


def test_of_a_large_page_the_first_megabyte_is_read(listener):
    listener.answers["/"] = html("a" * (BODY_BYTES_MAX + 1_000))
    assert len(fetch_page(listener.url()).text) == BODY_BYTES_MAX


def test_a_compressed_page_is_read(listener):
    listener.answers["/"] = html(gzip.compress(b"<p>tea"), Content_Encoding="gzip")
    assert fetch_page(listener.url()).text == "<p>tea"


def test_a_bomb_is_cut_at_a_megabyte(listener):
    bomb = gzip.compress(b"a" * 50_000_000)
    listener.answers["/"] = html(bomb, Content_Encoding="gzip")
    assert len(fetch_page(listener.url()).text) == BODY_BYTES_MAX


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "compress"])
def test_a_compression_that_was_not_asked_for_is_refused(listener, encoding):
    listener.answers["/"] = html(b"x", Content_Encoding=encoding)
    with pytest.raises(FetchFailed):
        fetch_page(listener.url())


def test_broken_compression_fails(listener):
    listener.answers["/"] = html(b"no gzip", Content_Encoding="gzip")
    with pytest.raises(FetchFailed):
        fetch_page(listener.url())


@pytest.mark.parametrize("charset", ["rot13", "zlib", "unicode_escape", "nonsense", "utf-7"])
def test_a_charset_of_no_web_page_is_read_as_utf8(listener, charset):
    listener.answers["/"] = html("Täa", f"text/html; charset={charset}")
    assert fetch_page(listener.url()).text == "Täa"


def test_an_old_charset_is_read(listener):
    listener.answers["/"] = html("Täa".encode("latin-1"), 'text/html; charset="ISO-8859-1"')
    assert fetch_page(listener.url()).text == "Täa"


def test_a_page_that_drips_ends_at_the_deadline(listener, monkeypatch):
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 0.6)
    listener.answers["/"] = drip(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200, 0.05)
    began = time.monotonic()
    with pytest.raises(FetchFailed):
        fetch_page(listener.url())
    assert time.monotonic() - began < 3


def test_a_server_that_speaks_nonsense_fails(listener):
    listener.answers["/"] = lambda handler: handler.wfile.write(b"\x00\xff nonsense\r\n\r\n")
    with pytest.raises(FetchError):
        fetch_page(listener.url())


def test_a_name_that_is_not_there_fails(names):
    with pytest.raises(FetchFailed, match="does not exist"):
        fetch_page("http://blog.invalid/")


def test_a_name_with_a_part_that_is_too_long_fails(names):
    with pytest.raises(FetchFailed):
        fetch_page(f"http://{'a' * 64}.example/")
