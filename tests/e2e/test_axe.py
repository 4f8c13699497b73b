"""axe-core finds nothing to complain of in the click window, the page of snippets and buttons.

All of its rules in the light theme; in the dark one the contrasts, which are all that differs.
"""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from sandbox.demo.people import DEMO_PASSWORD
from tests.running_site import RunningSite

pytestmark = pytest.mark.e2e

TIDE = "/posts/a-clock-that-runs-on-tide/"
WINDOW: ViewportSize = {"width": 420, "height": 640}
EVERYTHING = {"resultTypes": ["violations"]}
CONTRASTS = {**EVERYTHING, "runOnly": ["color-contrast"]}

LAYOUTS = ("large", "compact", "flat", "icon")
BADGES = "".join(
    f'<p><a href="WEB/submit/auto?user_id=dora&amp;url=PAGE">'
    f'<img src="WEB/badge.svg?layout={layout}&amp;url=PAGE" alt="Flattr this"></a></p>'
    for layout in LAYOUTS
)
ELEMENTS = "".join(
    f'<p><flattr-button user="dora" url="PAGE" layout="{layout}"></flattr-button></p>'
    for layout in LAYOUTS
)
BUTTONS = f"""<!doctype html><html lang="en"><head><title>Buttons</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<script src="WEB/button.js" async></script></head><body><main><h1>Buttons</h1>{BADGES}{ELEMENTS}
<p><a class="FlattrButton" rev="flattr;uid:dora;button:compact;" href="PAGE">A clock</a></p>
<iframe title="Flattr" src="WEB/button/view/?uid=dora&amp;url=PAGE" height="62"></iframe>
</main></body></html>"""


def complaints(page: Page) -> list[str]:
    """Say what axe-core finds wrong with a page, in light and in dark."""
    page.evaluate(AXE_SCRIPT)
    found = []
    for scheme, options in (("light", EVERYTHING), ("dark", CONTRASTS)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for wrong in page.evaluate("options => axe.run(options)", options)["violations"]:
            places = [node["html"] for node in wrong["nodes"]]
            found.append(f"{scheme}, {wrong['id']}: {wrong['help']}: {places}")
    return found


@pytest.fixture(scope="module")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=WINDOW)
    yield context
    context.close()


@pytest.fixture
def somebody(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of their own for whoever signs in."""
    context = browser.new_context(viewport=WINDOW)
    yield context
    context.close()


def window_of(context: BrowserContext, site: RunningSite, username: str = "") -> Page:
    """Open the click window of Dora's clock, by way of the sign-in for whoever has a name."""
    window = context.new_page()
    address = f"/submit/auto?user_id=dora&url={site.blog}{TIDE}"
    if username:
        window.goto(f"{site.web}/accounts/login/?next={quote(address, safe='')}")
        window.get_by_label("E-mail").fill(f"{username}@flattr.example")
        window.get_by_label("Password").fill(DEMO_PASSWORD)
        window.get_by_role("button", name="Sign in").click()
    else:
        window.goto(site.web + address)
    expect(window.locator("[data-arm]")).to_be_visible()
    return window


def press(window: Page, heading: str) -> None:
    window.locator("[data-arm]").click()
    expect(window.get_by_role("heading", name=heading)).to_be_visible()
    # Whoever does something there keeps the window open.
    window.keyboard.press("Shift")


def test_the_window_of_somebody_signed_out_before_and_after_the_press(visitor, running_site):
    window = window_of(visitor, running_site)
    assert complaints(window) == []
    press(window, "Almost flattred")
    assert complaints(window) == []


def test_the_window_of_a_patron_before_and_after_the_press(somebody, running_site):
    window = window_of(somebody, running_site, "bob")
    assert complaints(window) == []
    press(window, "Flattred")
    assert complaints(window) == []
    window.get_by_role("button", name="Undo").click()
    expect(window.get_by_role("heading", name="Undone")).to_be_visible()


def test_the_window_of_somebody_without_means(somebody, running_site):
    assert complaints(window_of(somebody, running_site, "fritz")) == []


@pytest.mark.parametrize("path", ["/buttons/", "/buttons/hugo/"])
def test_the_page_of_snippets(visitor, running_site, path):
    page = visitor.new_page()
    page.goto(running_site.web + path)
    assert complaints(page) == []


def test_a_page_of_buttons(visitor, running_site):
    page = visitor.new_page()
    html = BUTTONS.replace("WEB", running_site.web).replace("PAGE", running_site.blog + TIDE)
    page.goto(running_site.blog)
    page.set_content(html)
    expect(page.locator("flattr-button img")).to_have_count(len(LAYOUTS))
    expect(page.locator("a.FlattrLink img")).to_be_visible()
    assert complaints(page) == []


def test_a_picture_without_words_is_complained_of(visitor):
    """The counter-proof: a test that found nothing anywhere would be green too."""
    page = visitor.new_page()
    page.set_content('<main><h1>Bread</h1><img src="data:,"><p style="color:#ccc">Pale</p></main>')
    found = " ".join(complaints(page))
    assert "light, image-alt" in found
    assert "light, color-contrast" in found
