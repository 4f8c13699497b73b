"""Fetch a stranger's page without being led into a private network.

The host is resolved once, every address found must be public, and the connection goes to one of
those very addresses while SNI and Host keep the name: a name that resolves differently the next
moment gains nothing. Redirects are followed by hand, each checked anew. No cookies, no proxies.
Everything, looking up and connecting included, ends at one deadline.
"""

import ipaddress
import ssl
import time
import typing
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import httpcore
from ada_url import URL, join_url
from django.conf import settings

from buttons.canonical import UrlRefused, is_allowed_host, public_url
from buttons.names import LookUpFailed, addresses_of

REDIRECTS_MAX = 3
CONNECT_SECONDS = 5.0
# Of a host with many addresses the first are tried, so that a page makes nobody knock at a crowd.
ADDRESSES_TRIED_MAX = 3
TOTAL_SECONDS = 10.0
BODY_BYTES_MAX = 1_000_000
CONTENT_TYPES = ("text/html", "text/plain")
REDIRECTS = (301, 302, 303, 307, 308)
# Codecs of Python that are no encodings of web pages stay out of a stranger's reach.
CHARSET_PREFIXES = ("utf-8", "utf8", "iso-8859-", "windows-125", "us-ascii", "koi8-", "shift_jis")

IPV4_REFUSED = [ipaddress.ip_network(net) for net in ("192.0.0.0/24", "192.88.99.0/24")]
IPV6_GLOBAL = ipaddress.ip_network("2000::/3")
IPV6_REFUSED = [
    ipaddress.ip_network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]
# IPv4 addresses that are reached by an IPv6 one: mapped, and translated by the network (NAT64).
IPV4_IN_IPV6 = [ipaddress.ip_network(net) for net in ("::ffff:0:0/96", "64:ff9b::/96")]


class FetchError(Exception):
    """The page was not read; the message says why, for its owner."""


class FetchRefused(FetchError):
    """The page lies where the server does not go."""


class FetchFailed(FetchError):
    """The page did not answer as a page does; later it may."""


@dataclass(frozen=True)
class Page:
    """What was read: the address at the end of the redirects, and the text, perhaps cut."""

    url: str
    content_type: str
    text: str


def new_deadline() -> float:
    """Return the moment of the monotonic clock at which a look that begins now must end."""
    return time.monotonic() + TOTAL_SECONDS


def fetch_page(url: str, deadline: float | None = None) -> Page:
    """Return the page at a URL, following at most three redirects, or raise a FetchError."""
    deadline = deadline or new_deadline()
    for _ in range(REDIRECTS_MAX + 1):
        checked = _checked(url)
        answer = _get(checked, deadline)
        if isinstance(answer, Page):
            return answer
        url = _redirect_target(checked.href, answer)
    raise FetchFailed("The page redirects more than three times.")


def is_public_address(text: str) -> bool:
    """Say whether an address belongs to the public internet.

    `ipaddress.is_global` alone is no guard: it takes multicast, 6to4 and mapped loopback addresses
    for global ones on the Python versions in use.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if any(address in network for network in IPV4_IN_IPV6):
            return is_public_address(str(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)))
        return address in IPV6_GLOBAL and not any(address in net for net in IPV6_REFUSED)
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in net for net in IPV4_REFUSED)
    )


def public_addresses_of(host: str, deadline: float) -> list[str]:
    """Return the addresses to connect to, refusing the host when any of them is private."""
    try:
        addresses = addresses_of(host, deadline)
    except LookUpFailed as error:
        raise FetchFailed(str(error)) from error
    if not all(is_public_address(address) for address in addresses):
        raise FetchRefused("The host name leads into a private network.")
    return addresses[:ADDRESSES_TRIED_MAX]


def seconds_left(deadline: float, seconds_max: float | None) -> float:
    """Return how long a single step may take, or raise httpcore.TimeoutException."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.TimeoutException("the deadline has passed")
    return left if seconds_max is None else min(left, seconds_max)


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose every read and write ends at one deadline, however slowly bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, seconds_left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, seconds_left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = seconds_left(self._deadline, timeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return DeadlineStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> typing.Any:
        return self._stream.get_extra_info(info)


class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections to public addresses only, resolving a name exactly once."""

    def __init__(self, deadline: float) -> None:
        self._sync = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        is_allowed = is_allowed_host(f"{host}:{port}")
        addresses = [host] if is_allowed else public_addresses_of(host, self._deadline)
        while True:
            address = addresses.pop(0)
            left = seconds_left(self._deadline, timeout)
            try:
                stream = self._sync.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                # A machine without IPv6, or without IPv4, reaches only one kind.
                if not addresses:
                    raise
            else:
                return DeadlineStream(stream, self._deadline)


def _checked(url: str) -> URL:
    try:
        return public_url(url)
    except UrlRefused as error:
        raise FetchRefused(str(error)) from error


def _redirect_target(url: str, location: str) -> str:
    try:
        target = str(join_url(url, location))
    except ValueError as error:
        raise FetchFailed("The page redirects to an address that is none.") from error
    if url.startswith("https:") and target.startswith("http:"):
        raise FetchRefused("The page redirects from https to http.")
    return target


def _get(url: URL, deadline: float) -> Page | str:
    """Return the page, or the address that it redirects to."""
    headers = [
        ("Host", url.host),
        ("User-Agent", f"Flattr (+{settings.BASE_URL})"),
        ("Accept", "text/html, text/plain;q=0.5"),
        ("Accept-Encoding", "gzip"),
        ("Connection", "close"),
    ]
    timeout = {"connect": CONNECT_SECONDS, "read": TOTAL_SECONDS, "write": CONNECT_SECONDS}
    try:
        with (
            httpcore.ConnectionPool(network_backend=GuardedBackend(deadline)) as pool,
            pool.stream(
                "GET",
                _request_url(url),
                headers=headers,
                extensions={"timeout": timeout},
            ) as response,
        ):
            return _read(url, response)
    except httpcore.TimeoutException as error:
        raise FetchFailed("The page did not answer within ten seconds.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise FetchFailed("The server could not be reached.") from error
    except (OSError, zlib.error) as error:
        raise FetchFailed("The server's answer could not be read.") from error


def _request_url(url: URL) -> httpcore.URL:
    """Hand on what one parser read: httpcore's own would read the address a second time."""
    return httpcore.URL(
        scheme=url.protocol.removesuffix(":"),
        host=url.hostname,
        port=int(url.port) if url.port else None,
        target=url.pathname + url.search,
    )


def _read(url: URL, response: httpcore.Response) -> Page | str:
    headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
    location = headers.get(b"location", "")
    if response.status in REDIRECTS and location:
        return location
    if response.status != 200:
        raise FetchFailed(f"The page answered with status {response.status}.")
    content_type, _, rest = headers.get(b"content-type", "").partition(";")
    content_type = content_type.strip().lower()
    if content_type not in CONTENT_TYPES:
        raise FetchFailed("The address is not a page of text or HTML.")
    body = _body(response, headers.get(b"content-encoding", "").strip().lower())
    return Page(url.href, content_type, body.decode(_charset(rest), errors="replace"))


def _body(response: httpcore.Response, encoding: str) -> bytes:
    """Read at most a megabyte, counted after decompression: the rest is not looked at."""
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise FetchFailed("The page is compressed in a way that was not asked for.")
    unzip = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    body = b""
    for chunk in response.iter_stream():
        wanted = BODY_BYTES_MAX - len(body)
        body += unzip.decompress(chunk, wanted) if unzip else chunk[:wanted]
        if len(body) >= BODY_BYTES_MAX:
            break
    return body


def _charset(parameters: str) -> str:
    name = parameters.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    if not name.startswith(CHARSET_PREFIXES):
        return "utf-8"
    try:
        b"".decode(name)
    except LookupError:
        return "utf-8"
    return name
