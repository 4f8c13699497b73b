"""Walks a press from every kind of page in every kind of browser, and says where it ends.

Pages stand on a host of their own; the browsers are whole ones, their cookies set in the profile as
a person sets them. Each cell presses the button of a thing of its own.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import BrowserContext, FrameLocator, Page, Playwright, expect

from sandbox.browser import ARGUMENTS, found_chromium
from sandbox.demo.people import DEMO_PASSWORD
from tests.running_site import RunningSite

COOKIES = {
    "all": {"profile": {"cookie_controls_mode": 0}},
    "none of third parties": {
        "profile": {"cookie_controls_mode": 1, "block_third_party_cookies": True}
    },
    "none": {"profile": {"default_content_setting_values": {"cookies": 2}}},
}
PEOPLE = {"signed in": "emil", "signed out": "", "no means": "fritz"}

SCRIPT = '<script nonce="abc" src="WEB/button.js" async></script>'
BUTTON = (
    '<flattr-button user="bob" url="THING"><a href="WEB/submit/auto?user_id=bob&amp;url=THING">'
    '<img src="WEB/badge.svg?url=THING" alt="Flattr this" width="110" height="20"></a>'
    "</flattr-button>"
)
NO_WINDOWS = "<script>window.open = () => null</script>"
FRAME = '<iframe sandbox="{}" src="/plain?THING" width="400" height="300"></iframe>'
# What a page says about itself, and what it is.
PLACES: dict[str, tuple[dict[str, str], str]] = {
    "plain": ({}, SCRIPT + BUTTON),
    "COOP": ({"Cross-Origin-Opener-Policy": "same-origin"}, SCRIPT + BUTTON),
    "COEP": ({"Cross-Origin-Embedder-Policy": "require-corp"}, SCRIPT + BUTTON),
    "CSP": (
        {
            "Content-Security-Policy": "default-src 'none'; script-src 'nonce-abc'; img-src WEB; "
            "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
        },
        SCRIPT + BUTTON,
    ),
    "no referrer": ({"Referrer-Policy": "no-referrer"}, SCRIPT + BUTTON),
    "sandboxed": ({}, FRAME.format("allow-scripts allow-popups allow-forms")),
    "no popups": ({}, NO_WINDOWS + SCRIPT + BUTTON),
    "no script": ({"Content-Security-Policy": "script-src 'none'"}, SCRIPT + BUTTON),
}

# Where a press ends, by the words that a person reads there.
ENDS = {
    "flattr": "Flattred",
    "sign in": "Sign in or sign up, and it is completed.",
    "add money": "Add money and set a monthly budget, and it is completed.",
    "set up": "Set up your month",
    "allow cookies": "Flattr needs cookies",
    "open it apart": "Open this address in a window of its own",
}
END = re.compile("|".join(f"^{re.escape(words)}" for words in ENDS.values()))


class Places(BaseHTTPRequestHandler):
    """A stranger's site: `/<place>?<thing>` is that page with the button of that thing."""

    def __init__(self, site: RunningSite, *arguments: object) -> None:
        self.site = site
        super().__init__(*arguments)

    def do_GET(self) -> None:
        place, _, thing = self.path[1:].partition("?")
        headers, body = PLACES.get(place.replace("%20", " "), ({}, ""))
        self.send_response(200 if body else 404)
        for name, told in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name, told.replace("WEB", self.site.web))
        self.end_headers()
        html = f"<!doctype html><title>{place}</title>{body}"
        self.wfile.write(html.replace("WEB", self.site.web).replace("THING", thing).encode())

    def log_message(self, *arguments: object) -> None:
        """Keep the tests' output to the tests."""


@contextmanager
def strangers_site(site: RunningSite) -> Iterator[str]:
    """Serve the places on a host that is not the site's, and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Places, site))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def browser_with(playwright: Playwright, cookies: str, folder: Path) -> Iterator[BrowserContext]:
    """Open a whole browser whose profile keeps these cookies."""
    (folder / "Default").mkdir()
    (folder / "Default" / "Preferences").write_text(json.dumps(COOKIES[cookies]))
    path = found_chromium()
    assert path is not None, "no Chromium here: run `make test`, which installs one"
    context = playwright.chromium.launch_persistent_context(
        folder, executable_path=path, args=ARGUMENTS
    )
    yield context
    context.close()


def become(context: BrowserContext, site: RunningSite, person: str) -> None:
    """Sign in as somebody, or be nobody; without cookies the site says why it cannot be."""
    context.clear_cookies()
    username = PEOPLE[person]
    if not username:
        return
    page = context.new_page()
    page.goto(f"{site.web}/accounts/login/")
    page.get_by_label("E-mail").fill(f"{username}@flattr.example")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name=re.compile("Welcome back"))).to_have_count(0)
    page.close()


def thing_of(site: RunningSite, *cell: str) -> str:
    return f"{site.blog}/cells/{'/'.join(cell).replace(' ', '-')}/"


def end_of(context: BrowserContext, elsewhere: str, place: str, thing: str) -> str:
    """Press the button of a thing in one place, and return how that ends."""
    page = context.new_page()
    page.goto(f"{elsewhere}/{place}?{thing}")
    inside: Page | FrameLocator = page
    if "iframe" in PLACES[place][1]:
        inside = page.frame_locator("iframe")
    button = inside.locator("flattr-button a")
    is_scripted = place != "no script"
    expect(inside.locator("flattr-button a[target]")).to_have_count(int(is_scripted))
    window = _opened(context, button.click) if is_scripted else page
    if not is_scripted:
        button.click()
    end = _press(window)
    for opened in context.pages[1:]:
        opened.close()
    return end


def _opened(context: BrowserContext, gesture: Callable[[], None]) -> Page:
    """Return the window that a gesture opens, also where the page is cut off from it."""
    with context.expect_page() as opened:
        gesture()
    return opened.value


def _press(window: Page) -> str:
    """Press where there is something to press, and name what is then read."""
    expect(window).to_have_url(re.compile("/submit/auto"))
    window.wait_for_load_state()
    press = window.locator("[data-arm]")
    if press.is_visible():
        # It is armed in view only, and a low window may show it after a scroll.
        press.scroll_into_view_if_needed()
        press.click(timeout=10_000)
    seen = window.locator("h1, h2, [role=status], [role=alert] strong").locator("visible=true")
    found = seen.filter(has_text=END).first
    expect(found).to_be_visible(timeout=10_000)
    words = found.inner_text().strip()
    return next(end for end, begin in ENDS.items() if words.startswith(begin))
