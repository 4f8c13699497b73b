"""Foreign pages of every generation with their buttons, in a real browser."""

import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Request,
    Route,
    expect,
)

from tests.running_site import RunningSite

pytestmark = pytest.mark.e2e

POST = "/posts/sourdough-without-a-scale/"
# Browsers round what they lay out to a few of these.
SHIFTS = """
    window.shifts = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shifts += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
"""


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


Foreign = Callable[..., Page]


class OneAnswer(BaseHTTPRequestHandler):
    """Another site, with the same page everywhere."""

    body = ""
    headers_told: dict[str, str] = {}

    def do_GET(self) -> None:
        self.send_response(200)
        for name, told in {"Content-Type": "text/html; charset=utf-8", **self.headers_told}.items():
            self.send_header(name, told)
        self.end_headers()
        self.wfile.write(self.body.encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: the browser's own words are what a test reads."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), OneAnswer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def foreign(
    context: BrowserContext, running_site: RunningSite, elsewhere: str
) -> Iterator[Foreign]:
    """Show a page of another site, with SITE and PAGE filled in."""

    def show(html: str, headers: dict[str, str] | None = None, prepare: str = "") -> Page:
        page = context.new_page()
        filled = html.replace("SITE", running_site.web).replace("PAGE", running_site.blog + POST)
        OneAnswer.body, OneAnswer.headers_told = f"<!doctype html>{filled}", headers or {}
        if prepare:
            page.add_init_script(prepare)
        page.goto(f"{elsewhere}/foreign")
        return page

    yield show
    for page in context.pages:
        page.close()


def told_to_the_window(page: Page, button: Locator) -> dict[str, str]:
    """Press a button and return what the address of its window says."""
    with page.expect_popup() as opened:
        button.click()
    opened.value.wait_for_load_state()
    address = urlsplit(opened.value.url)
    assert address.path == "/submit/auto"
    opened.value.close()
    return {name: values[0] for name, values in parse_qs(address.query).items()}


def is_drawn(image: Locator) -> None:
    expect(image).to_be_visible()
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


LOADER = '<script src="SITE/js/0.6/load.js?mode=auto"></script>'
WORDPRESS = (
    '<a class="FlattrButton" style="display:none" href="PAGE" title=" Bread" '
    'rev="flattr;uid:bob;language:en_GB;category:text;tags:bread,rye;hidden:1;popout:0;'
    'button:compact;">How <b>to</b><br />bake  it</a>'
)
ALL_OF_IT = {
    "uid": "bob",
    "url": "PAGE",
    "title": "Bread",
    "language": "en_GB",
    "category": "text",
    "tags": "bread,rye",
    "hidden": "1",
    "popout": "0",
    "button": "compact",
    "description": "How to<br />bake it".replace("<br />", "<br>"),
}
GLOBALS = (
    "<script>var flattr_uid='bob', flattr_url='PAGE', flattr_btn='compact', flattr_tle='Bread',"
    "flattr_dsc='How', flattr_cat='text', flattr_tag='bread', flattr_lng='en_GB',"
    "flattr_hide=true;</script>"
)
OF_GLOBALS = {**ALL_OF_IT, "description": "How", "tags": "bread"}
del OF_GLOBALS["popout"]
INSERTED = """<script>(function () {
    var s = document.createElement('script'), t = document.getElementsByTagName('script')[0];
    s.type = 'text/javascript'; s.async = true;
    s.src = 'SITE/js/0.6/load.js?mode=auto&uid=bob&button=compact&language=sv_SE';
    t.parentNode.insertBefore(s, t);
})();</script>"""

# Each way in which pages of 2010 to 2018 asked for a button, and what its window is told.
GENERATIONS = {
    "WordPress, rev": (WORDPRESS + LOADER, ALL_OF_IT),
    "loader 0.5": (WORDPRESS + LOADER.replace("0.6", "0.5.0"), ALL_OF_IT),
    "documented, rel": (
        '<a class="FlattrButton" rel="flattr;uid:bob;url:PAGE;button:compact;" href="/else"></a>'
        + LOADER,
        {"uid": "bob", "url": "PAGE", "button": "compact"},
    ),
    "Drupal, rel with a capital": (
        '<a class="FlattrButton" rel="Flattr;uid:bob;" href="PAGE" title="Bread"></a>' + LOADER,
        {"uid": "bob", "url": "PAGE", "title": "Bread"},
    ),
    "HTML 5, data": (
        '<a class="FlattrButton" href="PAGE" data-flattr-uid="bob" data-flattr-tags="a,b" '
        'data-flattr-button="compact" lang="de_DE"></a>' + LOADER,
        {"uid": "bob", "url": "PAGE", "tags": "a,b", "button": "compact", "language": "de_DE"},
    ),
    "HTML 5 with a prefix": (
        '<a class="FlattrButton" href="PAGE" data-tip-uid="bob" data-flattr-uid="mallory"></a>'
        '<script src="SITE/js/0.6/load.js?mode=automatic&html5-key-prefix=data-tip"></script>',
        {"uid": "bob", "url": "PAGE"},
    ),
    "rev before rel before data": (
        '<a class="FlattrButton" href="PAGE" rev="flattr;uid:bob;" rel="flattr;uid:carol;" '
        'data-flattr-tags="never"></a>' + LOADER,
        {"uid": "bob", "url": "PAGE"},
    ),
    "another rel leaves data alone": (
        '<a class="FlattrButton" href="PAGE" rel="nofollow" data-flattr-uid="bob"></a>' + LOADER,
        {"uid": "bob", "url": "PAGE"},
    ),
    "user of the script, inserted late": (
        '<a class="FlattrButton" href="PAGE"></a>' + INSERTED,
        {"uid": "bob", "url": "PAGE", "button": "compact", "language": "sv_SE"},
    ),
    "globals, button/load.js": (
        "<p>Bread</p>" + GLOBALS + '<script src="SITE/button/load.js"></script>',
        OF_GLOBALS,
    ),
    "globals, direct": (
        "<p>Bread</p>" + GLOBALS + '<script src="SITE/js/0.6/load.js?mode=direct"></script>',
        OF_GLOBALS,
    ),
    "render": (
        '<div id="here"></div><script src="SITE/js/0.6/load.js"></script><script>'
        "FlattrLoader.addLoadEvent(function () { FlattrLoader.render({uid: 'bob', url: 'PAGE', "
        "title: 'Bread'}, 'here', 'replace'); });</script>",
        {"uid": "bob", "url": "PAGE", "title": "Bread"},
    ),
    "manual, set up twice": (
        WORDPRESS + '<script src="SITE/js/0.6/load.js?mode=manual"></script>'
        "<script>FlattrLoader.setup(); FlattrLoader.setup();</script>",
        ALL_OF_IT,
    ),
    "element": (
        '<script src="SITE/button.js" async></script>'
        '<flattr-button user="bob" url="PAGE" title="Bread" lang="en"></flattr-button>',
        {"user": "bob", "url": "PAGE", "title": "Bread", "lang": "en"},
    ),
    "old markup beside the new script": (
        WORDPRESS + '<script src="SITE/button.js" async></script>',
        ALL_OF_IT,
    ),
    "link": (
        '<a target="_blank" href="SITE/submit/auto?user_id=bob&amp;url=PAGE"><img alt="Flattr this"'
        ' src="SITE/button/flattr-badge-large.png"></a>',
        {"user_id": "bob", "url": "PAGE"},
    ),
}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_button_of_each_generation_opens_the_window(foreign, running_site, generation):
    html, wanted = GENERATIONS[generation]
    page = foreign(html)
    button = page.locator("a:has(img)")
    expect(button).to_have_count(1)
    is_drawn(button.locator("img"))
    wanted = {name: text.replace("PAGE", running_site.blog + POST) for name, text in wanted.items()}
    assert told_to_the_window(page, button) == wanted


def test_all_generations_live_on_one_page(foreign):
    """What one script says for all of its buttons is the one thing that they cannot each say."""
    apart = ("HTML 5 with a prefix", "user of the script, inserted late")
    page = foreign("".join(html for name, (html, _) in GENERATIONS.items() if name not in apart))
    images = page.locator("a > img")
    expect(images).to_have_count(len(GENERATIONS) - len(apart))
    expect(page.locator("a.FlattrButton")).to_have_count(0)
    for image in images.all():
        is_drawn(image)


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("/button/view/?uid=bob&button=compact&url=PAGE&", (110, 20)),
        ("/button/view/?uid=bob&url=PAGE", (55, 62)),
        ("/view/?e=1&user_id=bob&button=compact&url=PAGE", (110, 20)),
    ],
)
@pytest.mark.parametrize("is_isolated", [False, True])
def test_a_frame_opens_the_window(foreign, running_site, path, size, is_isolated):
    isolating = {
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    page = foreign(
        f'<iframe class="FlattrButton" width="{size[0]}" height="{size[1]}" frameborder="0" '
        f'scrolling="no" src="SITE{path}"></iframe>',
        isolating if is_isolated else {},
    )
    assert page.evaluate("crossOriginIsolated") == is_isolated
    link = page.frame_locator("iframe").locator("a")
    expect(link).to_be_visible()
    box = link.locator("svg").bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == size
    told = told_to_the_window(page, link)
    assert told["url"] == running_site.blog + POST
    assert "bob" in (told.get("uid"), told.get("user_id"))


def test_a_frame_tells_its_page_of_a_flattr(foreign):
    page = foreign('<iframe src="SITE/button/view/?uid=bob&url=PAGE"></iframe>')
    page.evaluate("addEventListener('message', (event) => { window.heard = event.data; })")
    frame = page.frame_locator("iframe")
    with page.expect_popup() as opened:
        frame.locator("a").click()
    opened.value.wait_for_load_state()
    opened.value.evaluate(
        "opener.postMessage({ type: 'flattr', url: '', count: 5 }, location.origin)"
    )
    page.wait_for_function("window.heard")
    assert json.loads(page.evaluate("heard")) == {"flattr_button_event": "click_successful"}


def test_a_message_of_another_window_tells_nobody_of_a_flattr(foreign, running_site):
    page = foreign('<iframe src="SITE/button/view/?uid=bob&url=PAGE"></iframe>')
    page.evaluate("addEventListener('message', (event) => { window.heard = event.data; })")
    expect(page.frame_locator("iframe").locator("a")).to_be_visible()
    page.evaluate("frames[0].postMessage({ type: 'flattr', url: '', count: 5 }, '*')")
    page.wait_for_timeout(200)
    assert page.evaluate("window.heard") is None


def test_a_popout_says_that_it_was_closed(foreign):
    page = foreign(
        '<iframe width="401" height="230" src="SITE/button/popout/?uid=bob&url=PAGE&dir=se">'
        "</iframe>"
    )
    page.evaluate("addEventListener('message', (event) => { window.heard = event.data; })")
    page.frame_locator("iframe").get_by_role("button", name="Close").click()
    page.wait_for_function("window.heard")
    told = json.loads(page.evaluate("heard"))
    assert told == {"flattr_button_event": "popout_close_button_clicked"}


def test_the_loader_makes_frames_for_pages_that_ask(foreign):
    page = foreign(LOADER)
    made = page.evaluate(
        """() => {
            const frame = FlattrLoader.createIframe({ uid: 'bob', url: 'https://a.example/?b&c' });
            return [frame.src, frame.width, frame.height, frame.className];
        }"""
    )
    assert made[0].endswith("/button/view/?uid=bob&url=https%3A%2F%2Fa.example%2F%3Fb%26c&")
    assert made[1:] == ["55", "62", "FlattrButton"]


def test_a_page_draws_buttons_where_it_asks(foreign):
    page = foreign('<div id="here"><p></p></div><script src="SITE/js/0.6/load.js"></script>')
    drawn = page.evaluate(
        """() => {
            const data = { uid: 'bob', url: 'https://a.example/' };
            const here = document.getElementById('here');
            FlattrLoader.render(data, 'here');
            FlattrLoader.render(data, here, 'before');
            const around = [here.lastChild.className, here.previousSibling.className];
            FlattrLoader.render(data, here, 'replace');
            return [...around, document.getElementById('here')];
        }"""
    )
    assert drawn == ["FlattrLink", "FlattrLink", None]
    expect(page.locator("a.FlattrLink")).to_have_count(2)


def test_the_functions_of_the_loader_answer_as_they_did(foreign):
    page = foreign(
        '<a class="FlattrButton" href="PAGE" title="Bread"></a>'
        '<script src="SITE/js/0.6/load.js?uid=bob&url=never"></script>'
    )
    said = page.evaluate(
        """() => {
            const called = [];
            FlattrLoader.addLoadEvent(() => called.push('addLoadEvent'));
            FlattrLoader.domReady(() => called.push('domReady'));
            const { getParam, encodeData, loadButton } = FlattrLoader;
            loadButton(document.querySelector('a.FlattrButton'));
            return [...called, getParam('uid'), getParam('url', 'none'),
                encodeData({ url: 'https://a.example/?b&c', title: ' Tea  <b>time</b>', no: 1 })];
        }"""
    )
    encoded = "title=Tea%20time&url=https%3A%2F%2Fa.example%2F%3Fb%26c&"
    assert said == ["addLoadEvent", "domReady", "bob", "none", encoded]
    drawn = page.locator("a.FlattrLink")
    expect(drawn).to_have_attribute("href", re.compile("uid=bob&title=Bread"))


def test_the_globals_of_2010_are_read_in_each_spelling(foreign):
    page = foreign(
        "<p>Bread</p><script>FLATTR_URL = 'PAGE'; flattr_uid = 12306; flattr_hide = 'true';"
        '</script><script src="SITE/button/load.js"></script>'
    )
    href = page.locator("a.FlattrLink").get_attribute("href") or ""
    told = parse_qs(urlsplit(href).query)
    assert (told["uid"], told["hidden"]) == (["12306"], ["1"])
    assert told["url"][0].endswith(POST)


def test_a_long_description_is_cut_and_freed_of_markup(foreign):
    text = "<p>x <b>y</b></p>" + "z" * 2_000
    page = foreign(f'<a class="FlattrButton" href="PAGE" data-flattr-uid="bob">{text}</a>{LOADER}')
    href = page.locator("a.FlattrLink").get_attribute("href") or ""
    description = parse_qs(urlsplit(href).query)["description"][0]
    assert (len(description), description[:5]) == (1_000, "x yzz")


# button.js

SCRIPT = '<script src="SITE/button.js" async></script>'


def badge_requests(page: Page) -> list[str]:
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/badge.svg" in request.url:
            asked.append(request.url)

    page.on("request", note)
    return asked


def test_many_buttons_ask_once(foreign):
    page = foreign("<p>Nothing yet</p>" + SCRIPT)
    asked = badge_requests(page)
    page.evaluate(
        """() => {
            for (let number = 0; number < 15; number += 1) {
                const button = document.createElement('flattr-button');
                button.setAttribute('url', `/posts/${number}/`);
                document.body.append(button);
            }
        }"""
    )
    for image in page.locator("flattr-button img").all():
        is_drawn(image)
    assert len(asked) == 1
    assert asked[0].count("url=") == 15


def test_buttons_in_the_page_ask_once(context, foreign):
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    buttons = "".join(f'<flattr-button user="bob" url="/{n}/"></flattr-button>' for n in range(9))
    page = foreign(f'<script src="SITE/button.js"></script>{buttons}')
    for image in page.locator("flattr-button img").all():
        is_drawn(image)
    assert len([url for url in asked if "/badge.svg" in url]) == 1
    assert len([url for url in asked if "localhost" in url]) == 2


def test_each_button_shows_its_own_part_of_the_picture(foreign):
    page = foreign(
        '<flattr-button url="/a" layout="large"></flattr-button>'
        '<flattr-button url="/b" layout="large"></flattr-button>' + SCRIPT
    )
    images = page.locator("flattr-button img")
    expect(images).to_have_count(2)
    for place, image in enumerate(images.all()):
        is_drawn(image)
        expect(image).to_have_attribute("src", re.compile(rf"#{place}$"))
        assert image.evaluate("image => [image.width, image.height]") == [55, 62]


@pytest.mark.parametrize("nonced", ["/button.js", "/js/0.6/load.js?mode=auto"])
def test_a_button_runs_under_a_strict_policy(foreign, context, running_site, nonced):
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    policy = (
        f"default-src 'none'; script-src 'nonce-abc'; img-src {running_site.web}; "
        "require-trusted-types-for 'script'; base-uri 'none'"
    )
    old = '<a class="FlattrButton" href="PAGE" data-flattr-uid="bob">Bread</a>'
    new = '<flattr-button user="bob" url="PAGE"></flattr-button>'
    script = f'<script nonce="abc" src="SITE{nonced}" async></script>'
    html = script + (old if "load" in nonced else new)
    page = foreign(html, {"Content-Security-Policy": policy})
    is_drawn(page.locator("a > img"))
    told_to_the_window(page, page.locator("a:has(img)"))
    assert [text for text in complaints if "Content Security Policy" in text] == []


def test_a_button_leaves_its_page_where_it_is(foreign):
    """The badge comes late, after the words around it were drawn."""

    def late(route: Route) -> None:
        page.wait_for_timeout(400)
        route.continue_()

    page = foreign(
        '<script src="SITE/button.js"></script><flattr-button layout="large" url="/a">'
        "</flattr-button><p>Words below it</p>",
        prepare=SHIFTS,
    )
    is_drawn(page.locator("flattr-button img"))
    before = page.locator("p").bounding_box()
    page.evaluate("window.shifts = 0")
    page.route("**/badge.svg*", late)
    page.evaluate("document.querySelector('flattr-button').setAttribute('url', '/b')")
    expect(page.locator("flattr-button img")).to_have_attribute("src", re.compile("%2Fb#0$"))
    is_drawn(page.locator("flattr-button img"))
    assert page.locator("p").bounding_box() == before
    assert page.evaluate("window.shifts") == 0


def test_a_badge_inside_the_element_holds_its_place(foreign, running_site):
    """As the page of snippets gives it: whoever blocks scripts sees the badge too."""
    page = foreign(
        '<flattr-button user="bob" url="PAGE"><a href="SITE/submit/auto?user_id=bob&amp;url=PAGE">'
        '<img src="SITE/badge.svg?url=PAGE" alt="Flattr this" width="110" height="20"></a>'
        "</flattr-button> <span>Words after it</span><p>Words below it</p>",
        prepare=SHIFTS,
    )
    is_drawn(page.locator("flattr-button img"))
    places = "() => [...document.querySelectorAll('span, p')].map(e => e.getBoundingClientRect().x)"
    before = page.evaluate(places)
    page.add_script_tag(
        url=page.locator("img").get_attribute("src").split("/badge")[0] + "/button.js"
    )
    expect(page.locator("flattr-button a[target]")).to_have_count(1)
    is_drawn(page.locator("flattr-button img"))
    assert page.evaluate(places) == before
    assert page.evaluate("window.shifts") == 0


def test_the_script_may_be_loaded_twice(foreign):
    page = foreign(SCRIPT + SCRIPT + '<flattr-button url="/a"></flattr-button>')
    expect(page.locator("flattr-button a")).to_have_count(1)
    told_to_the_window(page, page.locator("flattr-button a"))


def test_a_page_that_changes_without_reload_flattrs_where_it_is(foreign, elsewhere):
    page = foreign('<flattr-button user="bob"></flattr-button>' + SCRIPT)
    button = page.locator("flattr-button a")
    assert told_to_the_window(page, button)["url"] == f"{elsewhere}/foreign"
    page.evaluate("history.pushState({}, '', '/posts/another/?page=2#part')")
    assert told_to_the_window(page, button)["url"] == f"{elsewhere}/posts/another/?page=2"
    page.evaluate("document.querySelector('flattr-button').setAttribute('url', '/posts/third/')")
    assert told_to_the_window(page, button)["url"] == f"{elsewhere}/posts/third/"


def test_the_canonical_address_of_a_page_is_flattred(foreign, elsewhere):
    head = f'<link rel="canonical" href="{POST}">'
    page = foreign(f'{head}<flattr-button user="bob"></flattr-button>{SCRIPT}')
    told = told_to_the_window(page, page.locator("flattr-button a"))
    assert told["url"] == elsewhere + POST


def test_a_button_reads_as_its_page_does(foreign):
    page = foreign(f'<html lang="ar"><flattr-button url="/a"></flattr-button>{SCRIPT}</html>')
    expect(page.locator("flattr-button img")).to_have_attribute("src", re.compile("lang=ar"))


def test_a_script_with_its_checksum_runs(foreign, running_site, context):
    snippets = context.new_page()
    snippets.goto(f"{running_site.web}/buttons/")
    code = snippets.locator("#pinned-code").text_content()
    assert code is not None
    page = foreign(code)
    is_drawn(page.locator("flattr-button img"))


def test_the_preview_follows_the_form(context, running_site):
    """Without a reload; `tests/buttons/test_snippets.py` has the same page without a script."""
    page = context.new_page()
    page.goto(f"{running_site.web}/buttons/hugo/")
    page.get_by_label("Address of your page").fill("https://blog.example/tea")
    page.get_by_label("Large").check()
    preview = page.locator("#previewed img")
    expect(preview).to_have_attribute("src", re.compile(r"layout=large&url=https%3A%2F%2Fblog"))
    is_drawn(preview)
    expect(page.locator("#partial-code")).to_contain_text('layout="large"')
    expect(page.locator("#config-code")).to_contain_text("https://blog.example/")
    expect(page).to_have_url(re.compile("layout=large"))
    expect(page.get_by_role("button", name="Copy")).to_have_count(3)
