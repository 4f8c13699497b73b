"""Fetching strangers' pages: public addresses only, whatever a name says or a page redirects to."""

import gzip
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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

Answer = Callable[[BaseHTTPRequestHandler], None]


class Listener:
    """A server on the loopback that answers as told, and remembers every connection."""

    def __init__(self) -> None:
        self.connections: list[tuple[str, int]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, Answer] = {}
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                listener.connections.append(self.client_address)
                super().setup()

            def do_GET(self) -> None:
                listener.requests.append((self.path, dict(self.headers)))
                answer = listener.answers.get(self.path, html("<p>tea"))
                try:
                    answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Say nothing: the tests read what was remembered."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}{path}"


def html(text: str | bytes, content_type: str = "text/html", **headers: str) -> Answer:
    body = text.encode() if isinstance(text, str) else text

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", content_type)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def status(code: int, location: str = "") -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        if location:
            handler.send_header("Location", location)
        handler.end_headers()

    return answer


@pytest.fixture
def listener(settings) -> Iterator[Listener]:
    """The one private host that may be reached, as the sandbox's blog may."""
    listener = Listener()
    settings.FETCH_ALLOWED_HOSTS = [listener.host]
    yield listener
    listener.server.shutdown()
    listener.server.server_close()


@pytest.fixture
def canary(settings) -> Iterator[Listener]:
    """A private server that nobody may reach: a connection is a hole."""
    listener = Listener()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()
    assert listener.connections == []


@pytest.fixture
def names(monkeypatch):
    """What names resolve to, instead of what the world's servers say."""
    known: dict[str, list[list[str]]] = {}

    def resolve(host: str, port: int) -> list[str]:
        answers = known[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    monkeypatch.setattr(fetch, "resolve", resolve)
    return known


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


def test_a_name_that_leads_into_a_private_network_is_not_connected_to(canary, names):
    names["blog.example"] = [["127.0.0.1"]]
    with pytest.raises(FetchRefused):
        fetch_page("http://blog.example/")


def test_one_private_address_among_public_ones_is_enough_to_refuse(names, monkeypatch):
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", pytest.fail)
    names["blog.example"] = [["8.8.8.8", "10.0.0.1"]]
    with pytest.raises(FetchRefused):
        fetch_page("http://blog.example/")


def test_a_name_is_resolved_once_and_that_very_address_is_connected_to(names, monkeypatch):
    """A rebinding name is public when it is asked first and private when it is asked again."""
    names["blog.example"] = [["8.8.8.8"], ["127.0.0.1"]]
    connected: list[tuple[object, ...]] = []

    def connect(self: object, host: str, port: int, *rest: object) -> None:
        connected.append((host, port))
        raise httpcore.ConnectError

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with pytest.raises(FetchFailed):
        fetch_page("http://blog.example/")
    assert connected == [("8.8.8.8", 80)]
    assert names["blog.example"] == [["127.0.0.1"]]


def test_tls_asks_for_the_name_and_not_for_the_address(names, monkeypatch):
    names["blog.example"] = [["8.8.8.8"]]
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


def test_a_redirect_from_https_to_http_is_refused():
    with pytest.raises(FetchRefused):
        fetch._redirect_target("https://blog.example/", "http://blog.example/")
    secured = fetch._redirect_target("http://blog.example/", "https://blog.example/")
    assert secured == "https://blog.example/"


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

    def drip(handler: BaseHTTPRequestHandler) -> None:
        for letter in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200:
            handler.wfile.write(bytes([letter]))
            handler.wfile.flush()
            time.sleep(0.05)

    listener.answers["/"] = drip
    began = time.monotonic()
    with pytest.raises(FetchFailed):
        fetch_page(listener.url())
    assert time.monotonic() - began < 3


def test_a_server_that_speaks_nonsense_fails(listener):
    listener.answers["/"] = lambda handler: handler.wfile.write(b"\x00\xff nonsense\r\n\r\n")
    with pytest.raises(FetchError):
        fetch_page(listener.url())


def test_a_name_that_is_not_there_fails():
    with pytest.raises(FetchFailed):
        fetch_page("http://blog.invalid/")
