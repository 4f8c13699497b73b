"""One spelling for each address, and a refusal with a reason for what cannot be a thing."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.provisional import urls

from buttons.canonical import (
    BackslashRefused,
    HostWithoutDot,
    IpAddressRefused,
    NotAUrl,
    PortRefused,
    PrivateHostRefused,
    SchemeRefused,
    UrlRefused,
    UrlTooLong,
    UserinfoRefused,
    WhitespaceRefused,
    canonical_url,
    is_same_site,
)

# Real addresses hardly ever hit a rule, so these are made of what the rules are about.
HOSTILE = st.from_regex(
    r"(https?|HTTP|ftp|javascript):/{0,3}([a-z%:]{0,5}@)?[a-zA-Z0-9.\-\\_%ä]{1,20}\.?(:[0-9]{0,5})?"
    r"[/.a-z%A-F0-9?#&=:~;+\\ ]{0,30}",
    fullmatch=True,
)
ANYTHING = st.one_of(st.text(), urls(), HOSTILE)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(ANYTHING)
@example("https://blog.example/?&utm_source=x&&a=1#:~:text=a")
@example("http://blog.example.:80/%7e/..%2f../a%zz?%75tm_source=1&q=%c3%bc#%aa")
def test_a_canonical_address_is_its_own_canonical_address(text):
    try:
        url = canonical_url(text)
    except UrlRefused:
        return
    assert canonical_url(url) == url


@given(ANYTHING)
@example("http://\ud800.example/")
@example("http://a.b" + "/ü" * 1_100)
def test_whatever_is_asked_gets_an_address_or_a_reason(text):
    try:
        assert canonical_url(text).startswith(("http://", "https://"))
    except UrlRefused as refused:
        assert str(refused).endswith(".")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTPS://Blog.Example", "https://blog.example/"),
        ("https://blog.example./", "https://blog.example/"),
        ("https://blog.example:443/", "https://blog.example/"),
        ("http://blog.example:80/", "http://blog.example/"),
        ("https://blög.example/", "https://xn--blg-tna.example/"),
        ("https://blog.example/a/../b/./c", "https://blog.example/b/c"),
        ("https://blog.example/%7etea", "https://blog.example/%7Etea"),
        ("  https://blog.example/  ", "https://blog.example/"),
        ("https://blog.example/?", "https://blog.example/"),
        ("https://blog.example/?utm_source=x&fbclid=y", "https://blog.example/"),
        ("https://blog.example/?b=2&UTM_Medium=x&a=1", "https://blog.example/?b=2&a=1"),
        ("https://blog.example/?%75tm_source=x", "https://blog.example/"),
        ("https://blog.example/#", "https://blog.example/"),
        ("https://blog.example/#:~:text=tea", "https://blog.example/"),
    ],
)
def test_spellings_of_one_address_become_one(text, url):
    assert canonical_url(text) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://blog.example/",
        "https://www.blog.example/",
        "https://blog.example/Tea",
        "https://blog.example/tea/",
        "https://blog.example/?b=2&a=1",
        "https://blog.example/?utm=1",
        "https://blog.example/#episode-2",
        "https://blog.example//tea",
    ],
)
def test_what_may_be_another_page_stays_another_address(url):
    assert canonical_url(url) == url


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", NotAUrl),
        ("blog.example/tea", NotAUrl),
        ("//blog.example/tea", NotAUrl),
        ("https://blog..example/", NotAUrl),
        ("https://" + "a." * 130 + "example/", NotAUrl),
        ("javascript:alert(1)//blog.example", SchemeRefused),
        ("ftp://blog.example/", SchemeRefused),
        ("mailto:bob@blog.example", SchemeRefused),
        ("data:text/html,x", SchemeRefused),
        ("https://bob@blog.example/", UserinfoRefused),
        ("https://bob:secret@blog.example/", UserinfoRefused),
        ("https://@blog.example/", UserinfoRefused),
        ("https:blog.example@evil.example/", UserinfoRefused),
        ("https://blog.example\\@evil.example/", BackslashRefused),
        ("https://blog.example/\\tea", BackslashRefused),
        ("https://blog.example/a b", WhitespaceRefused),
        ("https://blog.exa\tmple/", WhitespaceRefused),
        ("https://blog.example/\n", WhitespaceRefused),
        ("https://blog.example/\x00", WhitespaceRefused),
        ("https://blog.exam\u200bple/", WhitespaceRefused),
        ("https://blog/", HostWithoutDot),
        ("https://blog./", HostWithoutDot),
        ("http://127.0.0.1/", IpAddressRefused),
        ("http://0x7f.1/", IpAddressRefused),
        ("http://2130706433/", IpAddressRefused),
        ("http://0177.0.0.1/", IpAddressRefused),
        ("http://①②⑦.0.0.1/", IpAddressRefused),
        ("http://127.0.0.1./", IpAddressRefused),
        ("http://[::1]/", IpAddressRefused),
        ("http://8.8.8.8/", IpAddressRefused),
        ("http://localhost/", PrivateHostRefused),
        ("http://LOCALHOST./", PrivateHostRefused),
        ("http://blog.localhost/", PrivateHostRefused),
        ("http://printer.local/", PrivateHostRefused),
        ("http://metadata.google.internal/", PrivateHostRefused),
        ("http://abc.onion/", PrivateHostRefused),
        ("https://blog.example:8443/", PortRefused),
        ("https://blog.example:80/", PortRefused),
        ("https://blog.example/" + "a" * 2_028, UrlTooLong),
        ("https://blog.example/" + "ä" * 700, UrlTooLong),
    ],
)
def test_what_cannot_be_a_thing_is_refused_by_name(text, refusal):
    with pytest.raises(refusal) as refused:
        canonical_url(text)
    assert type(refused.value) is refusal


def test_the_longest_address_has_2048_bytes():
    assert len(canonical_url("https://blog.example/" + "a" * 2_027)) == 2_048


def test_the_sandbox_allows_its_own_blog_and_nothing_beside_it(settings):
    settings.FETCH_ALLOWED_HOSTS = ["127.0.0.1:8001"]
    assert canonical_url("http://127.0.0.1:8001/tea") == "http://127.0.0.1:8001/tea"
    for beside in ("http://127.0.0.1:8002/", "http://127.0.0.1/", "http://127.0.0.2:8001/"):
        with pytest.raises(UrlRefused):
            canonical_url(beside)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("https://www.blog.example/a", True),
        ("http://blog.example/a", True),
        ("https://evil.example/", False),
        ("https://carol.blog.example/", False),
    ],
)
def test_a_site_is_a_host(other, is_same):
    assert is_same_site("https://blog.example/tea", other) is is_same
