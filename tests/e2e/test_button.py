"""The button on a foreign page and the window it opens, in a real browser that blocks cookies."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from sandbox.browser import ARGUMENTS, found_chromium
from sandbox.demo.people import DEMO_PASSWORD
from tests.running_site import RunningSite

pytestmark = pytest.mark.e2e

BREAD = "/posts/sourdough-without-a-scale/"
BIRDS = "/posts/the-hour-before-the-birds/"


@contextmanager
def signed_in(
    playwright: Playwright, site: RunningSite, folder: Path, name: str, **options: Any
) -> Iterator[BrowserContext]:
    """Open a browser that blocks third-party cookies, set as people set it: in its profile."""
    preferences = {"profile": {"cookie_controls_mode": 1, "block_third_party_cookies": True}}
    (folder / "Default").mkdir()
    (folder / "Default" / "Preferences").write_text(json.dumps(preferences))
    path = found_chromium()
    assert path is not None, "no Chromium here: run `make test`, which installs one"
    context = playwright.chromium.launch_persistent_context(
        folder, executable_path=path, args=ARGUMENTS, **options
    )
    page = context.new_page()
    page.goto(f"{site.web}/accounts/login/")
    fill_sign_in(page, name)
    expect(page).to_have_url(f"{site.web}/dashboard/")
    yield context
    context.close()


def fill_sign_in(page: Page, name: str) -> None:
    page.get_by_label("E-mail").fill(f"{name}@flattr.example")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture(scope="module")
def alices(playwright, running_site, tmp_path_factory) -> Iterator[BrowserContext]:
    folder = tmp_path_factory.mktemp("alice")
    with signed_in(playwright, running_site, folder, "alice") as context:
        yield context


@pytest.fixture(autouse=True)
def _close_pages(alices) -> Iterator[None]:
    yield
    for page in alices.pages[1:]:
        page.close()


def window_of(context: BrowserContext, site: RunningSite, post: str) -> Page:
    page = context.new_page()
    page.goto(f"{site.web}/submit/auto?user_id=bob&url={site.blog}{post}")
    return page


def undo_everything(context: BrowserContext, site: RunningSite, post: str) -> None:
    """Take back what an earlier test flattred, so that each begins alike."""
    page = window_of(context, site, post)
    undo = page.get_by_role("button", name="Undo")
    if undo.count():
        undo.click()
        expect(page.get_by_role("heading", name="Undone")).to_be_visible()
    page.close()


def opened_from_bread(browser: BrowserContext, site: RunningSite) -> tuple[Page, Page]:
    """Click the button of a foreign page that listens; return that page and the window."""
    page = browser.new_page()
    page.goto(site.blog + BREAD)
    page.evaluate("addEventListener('flattr', (event) => { window.told = event.detail; })")
    with page.expect_popup() as opened:
        page.locator("flattr-button a").click()
    return page, opened.value


def test_a_press_on_a_foreign_page_raises_its_count(running_site, alices):
    undo_everything(alices, running_site, BREAD)
    page, window = opened_from_bread(alices, running_site)
    press = window.get_by_role("button", name="Flattr")
    expect(press).to_be_enabled()
    press.click()
    expect(window.get_by_role("heading", name="Flattred")).to_be_visible()
    counted = page.locator("flattr-button img")
    expect(counted).to_have_attribute("alt", re.compile(r"^Flattr this \d+$"))
    told = page.evaluate("window.told")
    assert (told["type"], told["url"]) == ("flattr", running_site.blog + BREAD)
    expect(counted).to_have_attribute("src", re.compile(rf"&seen={told['count']}&"))
    window.wait_for_event("close", timeout=8_000)
    assert alices.cookies(running_site.blog) == []


def test_a_button_is_armed_after_600_milliseconds_in_view(running_site, alices):
    undo_everything(alices, running_site, BREAD)
    page = alices.new_page()
    page.add_init_script(
        # From when the button is there, which is before any script can begin to count.
        """new MutationObserver((_, seen) => {
            const button = document.querySelector('[data-arm]');
            if (!button) return;
            seen.disconnect();
            const began = performance.now();
            new MutationObserver(() => {
                if (button.disabled) window.wasDisabled = true;
                else if (window.wasDisabled) window.armedAfter ??= performance.now() - began;
            }).observe(button, { attributes: true });
        }).observe(document, { childList: true, subtree: true })"""
    )
    page.goto(f"{running_site.web}/submit/auto?user_id=bob&url={running_site.blog}{BREAD}")
    expect(page.get_by_role("button", name="Flattr")).to_be_enabled()
    assert page.evaluate("window.wasDisabled")
    assert page.evaluate("window.armedAfter") >= 590


def test_a_press_that_no_person_made_does_nothing(running_site, alices):
    undo_everything(alices, running_site, BREAD)
    page = window_of(alices, running_site, BREAD)
    press = page.get_by_role("button", name="Flattr")
    expect(press).to_be_enabled()
    page.evaluate("document.querySelector('[data-arm]').click()")
    page.wait_for_timeout(300)
    expect(press).to_be_visible()


def test_a_button_released_over_the_window_does_nothing(running_site, alices):
    """The pointer went down before the button was armed, as in a double click from elsewhere."""
    undo_everything(alices, running_site, BREAD)
    page = window_of(alices, running_site, BREAD)
    press = page.get_by_role("button", name="Flattr")
    expect(press).to_be_disabled()
    press.hover(force=True)
    page.mouse.down()
    expect(press).to_be_enabled()
    page.mouse.up()
    page.wait_for_timeout(300)
    expect(press).to_be_visible()


def test_a_keyboard_presses_an_armed_button(running_site, alices):
    undo_everything(alices, running_site, BREAD)
    page = window_of(alices, running_site, BREAD)
    press = page.get_by_role("button", name="Flattr")
    expect(press).to_be_enabled()
    press.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Flattred")).to_be_visible()


def test_a_tab_goes_back_to_the_page(running_site, alices):
    undo_everything(alices, running_site, BIRDS)
    page = window_of(alices, running_site, BIRDS)
    press = page.get_by_role("button", name="Flattr")
    expect(press).to_be_enabled()
    press.click()
    expect(page.get_by_role("heading", name="Flattred")).to_be_visible()
    expect(page).to_have_url(running_site.blog + BIRDS, timeout=8_000)


def test_every_month_is_asked_for_by_an_armed_press(running_site, alices):
    undo_everything(alices, running_site, BREAD)
    page = window_of(alices, running_site, BREAD)
    page.get_by_role("button", name="Flattr").click()
    page.get_by_text("Flattr this every month").click()
    button = page.get_by_role("button", name="Flattr it every month")
    expect(button).to_be_disabled()
    page.get_by_label("For").select_option("6")
    expect(button).to_be_enabled()
    button.click()
    expect(page.get_by_text(re.compile("You flattr this until"))).to_be_visible()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.get_by_text("Flattr this every month")).to_be_visible()


def test_a_message_of_somebody_else_changes_no_count(running_site, alices):
    page = alices.new_page()
    page.goto(running_site.blog + BREAD)
    counted = page.locator("flattr-button img")
    before = counted.get_attribute("src")
    page.evaluate("postMessage({ type: 'flattr', url: location.href, count: 999 }, '*')")
    page.wait_for_timeout(200)
    assert counted.get_attribute("src") == before


def test_the_old_markup_becomes_a_button(running_site, alices):
    page = alices.new_page()
    page.goto(f"{running_site.blog}/")
    page.evaluate(
        """(site) => {
            const old = document.createElement('a');
            old.className = 'FlattrButton';
            old.href = '/posts/old/';
            old.title = 'Old';
            old.setAttribute('rev', 'flattr;uid:bob;button:compact;tags:a,b;');
            const script = document.createElement('script');
            script.src = site + '/button.js';
            document.body.append(old, script);
        }""",
        running_site.web,
    )
    link = page.locator("a.FlattrLink")
    expect(link).to_have_attribute("href", re.compile(r"/submit/auto\?.*uid=bob.*tags=a%2Cb"))
    expect(link.locator("img")).to_have_js_property("naturalWidth", 110)
    expect(page.locator("a.FlattrButton")).to_have_count(0)


def test_a_sign_in_leaves_the_window_with_the_page_that_opened_it(running_site, alices):
    """The sign-in's own headers cut a window off, so it gets a tab and the window waits."""
    undo_everything(alices, running_site, BREAD)
    alices.clear_cookies()
    page, window = opened_from_bread(alices, running_site)
    window.get_by_role("button", name="Flattr").click()
    with alices.expect_page() as beside:
        window.get_by_role("link", name="Sign in").click()
    expect(window.get_by_text("This window waits")).to_be_visible()
    fill_sign_in(beside.value, "alice")
    expect(window.get_by_role("heading", name="Flattred")).to_be_visible(timeout=8_000)
    told = page.wait_for_function("window.told?.url", timeout=4_000)
    assert told.json_value() == running_site.blog + BREAD


def test_the_window_works_without_a_script(playwright, running_site, tmp_path):
    without = signed_in(playwright, running_site, tmp_path, "carol", java_script_enabled=False)
    with without as context:
        undo_everything(context, running_site, BREAD)
        page = window_of(context, running_site, BREAD)
        page.wait_for_timeout(700)
        page.get_by_role("button", name="Flattr").click()
        expect(page.get_by_role("heading", name="Flattred")).to_be_visible()
