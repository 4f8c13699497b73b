"""One month, whole, as people live it: in a real browser, on real parts, across two sites."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Playwright, expect

from sandbox.browser import ARGUMENTS, found_chromium
from sandbox.demo.people import DEMO_PASSWORD
from tests.running_site import RunningSite

PASSWORD = "a quiet hour before the birds"
POST = "/posts/sourdough-without-a-scale/"

pytestmark = pytest.mark.e2e


@pytest.fixture
def blocking(playwright: Playwright, tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser that blocks third-party cookies, set as a person sets it: in its profile."""
    profile = tmp_path / "profile" / "Default"
    profile.mkdir(parents=True)
    preferences = {"profile": {"cookie_controls_mode": 1, "block_third_party_cookies": True}}
    (profile / "Preferences").write_text(json.dumps(preferences))
    context = playwright.chromium.launch_persistent_context(
        profile.parent, executable_path=found_chromium(), args=ARGUMENTS
    )
    yield context
    context.close()


def test_a_month_from_sign_up_to_withdrawal(running_site: RunningSite, blocking: BrowserContext):
    page = blocking.new_page()
    sign_up(page, running_site)
    set_up_the_month(page, running_site)
    flattr_a_post(page, running_site)
    sign_out(page, running_site)
    running_site.manage("close_month", "--now")
    sign_in(page, running_site, "bob@flattr.example")
    see_the_share(page, running_site)
    withdraw(page, running_site)
    sign_out(page, running_site)
    sign_in(page, running_site, "admin@flattr.example")
    follow_the_money(page, running_site)


def sign_up(page: Page, site: RunningSite) -> None:
    page.goto(site.web)
    page.get_by_role("link", name="Sign up").first.click()
    page.get_by_label("E-mail").fill("nora@example.org")
    page.get_by_label("Public username").fill("nora")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text("nora@example.org")).to_be_visible()
    page.goto(f"{site.blog}/mail/")
    page.get_by_role("link", name=re.compile("confirm", re.IGNORECASE)).first.click()
    page.locator(f"a[href^='{site.web}/accounts/confirm-email/']").click()
    confirm = page.get_by_role("button", name=re.compile("confirm", re.IGNORECASE))
    confirm.click()
    if page.url.startswith(f"{site.web}/accounts/login"):
        sign_in(page, site, "nora@example.org", PASSWORD)
    expect(page).to_have_url(f"{site.web}/dashboard/")


def set_up_the_month(page: Page, site: RunningSite) -> None:
    """Set the budget and the first payment in one form, and pay with the test card."""
    page.goto(f"{site.web}/funds/add/")
    expect(page.get_by_role("heading", name="Set up your month")).to_be_visible()
    page.get_by_label("EUR 5", exact=True).check()
    page.get_by_role("button", name="Continue to payment").click()
    expect(page).to_have_url(re.compile(f"^{site.stripe}/"))
    page.get_by_label("Card number").fill("4242 4242 4242 4242")
    page.get_by_role("button", name=re.compile("^Pay EUR")).click()
    expect(page).to_have_url(re.compile(f"^{site.web}/"))
    expect(page.get_by_text(re.compile("EUR.5.00")).first).to_be_visible(timeout=30_000)


def flattr_a_post(page: Page, site: RunningSite) -> None:
    """Press the button of a page on another site; its count rises there."""
    page.goto(site.blog + POST)
    button = page.locator("flattr-button a")
    before = count_shown(page, button)
    with page.expect_popup() as opened:
        button.click()
    window = opened.value
    expect(window.get_by_role("heading", name="Sourdough without a scale")).to_be_visible()
    press = window.get_by_role("button", name="Flattr")
    expect(press).to_be_disabled()
    expect(press).to_be_enabled(timeout=2_000)
    press.click()
    expect(window.get_by_role("heading", name="Flattred")).to_be_visible()
    window.wait_for_event("close", timeout=10_000)
    expect(button.locator("img")).to_have_attribute("src", re.compile(rf"seen={before + 1}\b"))
    assert count_shown(page, button) == before + 1


def count_shown(page: Page, button: Locator) -> int:
    """Read the count that the badge shows, from the very image that the page shows."""
    badge = page.request.get(button.locator("img").get_attribute("src") or "").text()
    found = re.search(r"<title>[^<]*?(\d+)", badge)
    return int(found[1]) if found else 0


def see_the_share(page: Page, site: RunningSite) -> None:
    """The month that was just closed names the thing, what it earned, and the fee."""
    page.goto(f"{site.web}/revenue/")
    page.get_by_role("link", name=f"{datetime.now(UTC):%B %Y}").click()
    row = page.get_by_role("row").filter(has_text="Sourdough without a scale")
    expect(row).to_be_visible()
    expect(page.get_by_text("Fee").first).to_be_visible()


def withdraw(page: Page, site: RunningSite) -> None:
    """Set up at Stripe's hosted page, then withdraw all of it."""
    page.goto(f"{site.web}/revenue/withdraw/")
    page.get_by_role("button", name="Set up at Stripe").click()
    expect(page).to_have_url(re.compile(f"^{site.stripe}/"))
    page.get_by_role("button", name="Agree and submit").click()
    expect(page).to_have_url(re.compile(f"^{site.web}/"))
    reload_until(page, page.get_by_role("button", name="Withdraw", exact=True))
    page.get_by_role("button", name="Withdraw", exact=True).click()
    expect(page).to_have_url(re.compile(f"^{site.web}/revenue/withdrawals/"))
    reload_until(page, page.get_by_text("Paid", exact=True).first)


def follow_the_money(page: Page, site: RunningSite) -> None:
    """From the withdrawal an admin comes to the flattr and the top-up behind it."""
    page.goto(f"{site.web}/admin/payouts/withdrawal/")
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("link", name="Follow the money back").click()
    page.get_by_role("link", name="Shares and flattrs").last.click()
    share = page.get_by_role("row").filter(has_text="nora")
    expect(share).to_contain_text("Sourdough without a scale")
    expect(share).to_contain_text("EUR\u00a05.00")
    share.get_by_role("link", name="Statement").click()
    page.get_by_role("link", name=re.compile("top.?up", re.IGNORECASE)).last.click()
    expect(page.locator("#content")).to_contain_text("nora")


def reload_until(page: Page, wanted: Locator, seconds: int = 30) -> None:
    """Look again until it is there, as a person would who waits for Stripe."""
    deadline = time.monotonic() + seconds
    while not wanted.is_visible():
        assert time.monotonic() < deadline, page.locator("main").inner_text()
        page.wait_for_timeout(500)
        page.reload()


def sign_in(page: Page, site: RunningSite, email: str, password: str = DEMO_PASSWORD) -> None:
    page.goto(f"{site.web}/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.web}/dashboard/")


def sign_out(page: Page, site: RunningSite) -> None:
    page.goto(f"{site.web}/accounts/logout/")
    page.get_by_role("button", name="Sign out").last.click()
    expect(page).to_have_url(f"{site.web}/")
