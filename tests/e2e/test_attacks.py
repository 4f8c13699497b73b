"""Pages that try to spend a reader's money (`tests/attacks/`), against a real browser.

Emil is signed in, has means, and trusts Bob's site, so that whatever opens the click window from
there records. Each attack is one page on a site of its own; whatever its visitor does on it, no
flattr is made. Honest presses and clicks, by the same gestures, make one: the counter-proof.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from sandbox.demo.people import DEMO_PASSWORD
from tests.running_site import RunningSite

pytestmark = pytest.mark.e2e

ATTACKS = Path(__file__).parent.parent / "attacks"
BREAD = "/posts/sourdough-without-a-scale/"
# Longer than the 600 ms that arm a button and than an answer takes, on a busy machine.
SETTLED_MS = 900

TRUST_BOB = """
from accounts.models import User
from buttons.models import Site, TrustedSite
site = Site.objects.create(
    origin="{blog}", user=User.objects.get(username="bob"), token="e2e", state="proven"
)
TrustedSite.objects.create(patron=User.objects.get(username="emil"), site=site)
"""
TRUST_NOBODY = """
from buttons.models import Site, TrustedSite
TrustedSite.objects.all().delete()
Site.objects.all().delete()
"""


class AttackServer(BaseHTTPRequestHandler):
    """Serves an attack page with the addresses of its victims filled in."""

    def __init__(self, site: RunningSite, *arguments: object) -> None:
        self.site = site
        super().__init__(*arguments)

    def do_GET(self) -> None:
        path = ATTACKS / Path(self.path.partition("?")[0]).name
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_text()
        page = self.site.blog + BREAD
        for name, value in (
            ("WINDOW", f"{self.site.web}/submit/auto?user_id=bob&url={quote(page, safe='')}"),
            ("PAGE", page),
            ("WEB", self.site.web),
        ):
            body = body.replace(f"@{name}@", value)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments: object) -> None:
        """Keep the tests' output to the tests."""


@pytest.fixture(scope="module")
def evil(running_site) -> Iterator[str]:
    """The origin of a stranger's site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(AttackServer, running_site))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def emils(browser: Browser, running_site) -> Iterator[BrowserContext]:
    running_site.manage("shell", "-c", TRUST_BOB.format(blog=running_site.blog))
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{running_site.web}/accounts/login/")
    page.get_by_label("E-mail").fill("emil@flattr.example")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{running_site.web}/dashboard/")
    page.close()
    yield context
    context.close()
    running_site.manage("shell", "-c", TRUST_NOBODY)


@pytest.fixture(autouse=True)
def _close_pages(emils) -> Iterator[None]:
    yield
    for page in emils.pages:
        page.close()


def flattrs_of(context: BrowserContext, site: RunningSite) -> set[str]:
    shown = context.request.get(f"{site.web}/flattrs/").text()
    assert "emil" in shown, "the victim is signed in"
    return set(re.findall(r"/flattr/(\d+)/undo/", shown))


def window_from(page: Page, gesture: Callable[[], None]) -> Page:
    """Return the click window that a gesture opens, with its button not armed yet."""
    with page.expect_popup() as opened:
        gesture()
    opened.value.locator("[data-arm]").wait_for()
    return opened.value


def middle_of_button(window: Page) -> tuple[float, float]:
    box = window.locator("[data-arm]").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def wait(page: Page) -> None:
    page.wait_for_timeout(SETTLED_MS)


def press_in_the_middle(page: Page) -> None:
    page.mouse.move(300, 300)
    wait(page)
    page.mouse.dblclick(300, 300)
    page.wait_for_timeout(200)


def double_click(page: Page) -> None:
    window = window_from(page, lambda: page.mouse.click(300, 300))
    window.mouse.dblclick(*middle_of_button(window))
    wait(window)


def hold_until_armed(page: Page) -> None:
    window = window_from(page, lambda: page.mouse.click(300, 300))
    window.mouse.move(*middle_of_button(window))
    window.mouse.down()
    wait(window)
    window.mouse.up()
    window.wait_for_timeout(200)


def drag_onto_the_button(page: Page) -> None:
    window = window_from(page, lambda: page.mouse.click(300, 300))
    window.mouse.move(5, 5)
    window.mouse.down()
    expect(window.locator("[data-arm]")).to_be_enabled()
    window.mouse.move(*middle_of_button(window), steps=5)
    window.mouse.up()
    window.wait_for_timeout(200)


def press_the_framed_button(page: Page) -> None:
    framed = page.frame_locator("iframe").locator("flattr-button a")
    window = window_from(page, lambda: framed.click())
    wait(window)


def press_the_button_of_the_popup(page: Page) -> None:
    with page.expect_popup() as opened:
        page.mouse.click(300, 300)
    trusted = opened.value
    wait(window_from(trusted, lambda: trusted.locator("flattr-button a").click()))


ATTACKED: dict[str, Callable[[Page], None]] = {
    "auto_opened": wait,
    "double_click": double_click,
    "drag": drag_onto_the_button,
    "fake_opener": wait,
    "forged_message": wait,
    "forged_origin": wait,
    "frame_over_frame": press_in_the_middle,
    "get_form": wait,
    "late_window": lambda page: page.wait_for_timeout(2 * SETTLED_MS),
    "moving_target": hold_until_armed,
    "nested_frame_opener": press_the_framed_button,
    "noopener": wait,
    "popup_opener": press_the_button_of_the_popup,
    "post_click": wait,
    "post_form": wait,
    "prefetch": wait,
    "trust_form": wait,
}
# These need a flattr that was made before, so they have tests of their own.
AFTER_A_FLATTR = {"history", "replay", "undo_in_a_frame"}


def test_every_attack_has_its_test():
    assert {path.stem for path in ATTACKS.glob("*.html")} == set(ATTACKED) | AFTER_A_FLATTR


@pytest.mark.parametrize("attack", sorted(ATTACKED))
def test_no_attack_makes_a_flattr(running_site, emils, evil, attack):
    before = flattrs_of(emils, running_site)
    page = emils.new_page()
    page.goto(f"{evil}/{attack}.html", wait_until="commit")
    page.wait_for_load_state("domcontentloaded")
    ATTACKED[attack](page)
    assert flattrs_of(emils, running_site) == before


def test_one_click_on_the_trusted_site_does_once_and_is_worth_nothing_elsewhere(
    running_site, emils, evil
):
    """The counter-proof of all attacks above; then a replay, and the way back in the history."""
    before = flattrs_of(emils, running_site)
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/submit/click/"):
            sent.append(request.post_data or "")

    emils.on("request", note)
    page = emils.new_page()
    page.goto(running_site.blog + BREAD)
    with page.expect_popup() as opened:
        page.locator("flattr-button a").click()
    window = opened.value
    expect(window.get_by_role("heading", name="Flattred")).to_be_visible()
    assert len(flattrs_of(emils, running_site) - before) == 1
    expect(page.locator("flattr-button img")).to_have_attribute("alt", re.compile(r" \d+$"))
    window.get_by_role("button", name="Undo").click()
    expect(window.get_by_role("heading", name="Undone")).to_be_visible()
    for _ in range(3):
        window.goto(f"{evil}/history.html", wait_until="commit")
        wait(window)
        window.go_back(wait_until="commit")
    stranger = emils.new_page()
    stranger.goto(f"{evil}/replay.html#{sent[0]}", wait_until="commit")
    wait(stranger)
    assert len(sent) == 2, "the form was sent again, by the stranger"
    assert flattrs_of(emils, running_site) == before


def test_one_click_closes_its_window_after_four_seconds(running_site, emils):
    """On another page of the trusted site, which nobody had flattred before."""
    page = emils.new_page()
    page.goto(running_site.blog + BREAD)
    page.evaluate(
        """() => {
            const button = document.createElement("flattr-button");
            button.setAttribute("user", "bob");
            button.setAttribute("url", location.origin + "/new");
            document.body.prepend(button);
        }"""
    )
    with page.expect_popup() as opened:
        page.locator("flattr-button a").first.click()
    expect(opened.value.get_by_role("heading", name="Flattred")).to_be_visible()
    opened.value.wait_for_event("close", timeout=8_000)


def test_an_honest_press_from_anywhere_does_and_its_undo_cannot_be_stolen(
    running_site, emils, evil
):
    before = flattrs_of(emils, running_site)
    page = emils.new_page()
    with page.expect_popup() as opened:
        page.goto(f"{evil}/auto_opened.html")
    press = opened.value.locator("[data-arm]")
    expect(press).to_be_enabled()
    press.click()
    expect(opened.value.get_by_role("heading", name="Flattred")).to_be_visible()
    page.goto(f"{evil}/undo_in_a_frame.html")
    press_in_the_middle(page)
    assert len(flattrs_of(emils, running_site) - before) == 1
