"""The plugin in a real WordPress: uploaded, activated and set up by hand, as people do it."""

import html
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from buttons.snippets import NAME_PLACEHOLDER
from sandbox.demo.people import DEMO_PASSWORD
from sandbox.environment import ROOT
from sandbox.ports import LOOPBACK, free_port
from tests.platforms.parts import PARTS
from tests.platforms.wordpress import (
    ADMIN,
    PASSWORD,
    WordPress,
    php_text,
    running_wordpress,
)
from tests.running_site import RunningSite, running_sandbox

pytestmark = pytest.mark.needs("WordPress")

TITLE = """Größe & "taste" of 'tea' — 東京"""
TOKEN = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def _is_there() -> None:
    part = next(part for part in PARTS if part.name == "WordPress")
    if not part.is_found():
        pytest.skip(reason="WordPress is not installed")


@pytest.fixture(scope="module")
def port(_is_there) -> int:
    return free_port()


@pytest.fixture(scope="module")
def instance(port, tmp_path_factory) -> Iterator[RunningSite]:
    """A sandbox that may look at the WordPress, which lies on loopback."""
    folder = tmp_path_factory.mktemp("instance")
    with running_sandbox(folder, f"{LOOPBACK}:{port}") as site:
        yield site


@pytest.fixture(scope="module")
def bare(port) -> Iterator[WordPress]:
    """A fresh WordPress, without the plugin."""
    with running_wordpress(port) as site:
        yield site


@pytest.fixture(scope="module")
def admin(browser: Browser, bare: WordPress) -> Iterator[BrowserContext]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{bare.home}/wp-login.php")
    page.get_by_label("Username or Email Address").fill(ADMIN)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log In").click()
    expect(page.get_by_role("heading", name="Dashboard").first).to_be_visible()
    page.close()
    yield context
    context.close()


@pytest.fixture(scope="module")
def wordpress(
    bare: WordPress, admin: BrowserContext, instance: RunningSite, tmp_path_factory
) -> WordPress:
    """The WordPress with the plugin: made, uploaded, activated, and told whose button it is."""
    folder = tmp_path_factory.mktemp("plugin")
    make = [sys.executable, "-m", "buttons.plugin_zip", str(folder)]
    subprocess.run(make, cwd=ROOT, check=True)
    page = admin.new_page()
    page.goto(f"{bare.home}/wp-admin/plugin-install.php?tab=upload")
    page.locator("#pluginzip").set_input_files(folder / "flattr-button.zip")
    page.get_by_role("button", name="Install Now").click()
    page.get_by_role("link", name="Activate Plugin").click()
    expect(page.get_by_text("Plugin activated.")).to_be_visible()
    fill_in(page, bare.home, base=f"{instance.web}/", user="bob", site=TOKEN, id="abc123")
    expect(page.get_by_text("Settings saved.")).to_be_visible()
    page.close()
    return bare


def fill_in(page: Page, home: str, **fields: str) -> None:
    page.goto(f"{home}/wp-admin/options-general.php?page=flattr-button")
    for name, value in fields.items():
        page.locator(f"#flattr-button-{name}").fill(value)
    page.get_by_role("button", name="Save Changes").click()


def read(address: str) -> str:
    with urlopen(address, timeout=30) as answer:
        return str(answer.read().decode())


def told(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def links(text: str) -> list[str]:
    found = re.findall(r'<a href="([^"]*/submit/auto\?[^"]*)"', text)
    return [html.unescape(each) for each in found]


@pytest.fixture(scope="module")
def post(wordpress: WordPress) -> str:
    return wordpress.write_post(TITLE, "<p>Pour it slowly.</p>", "東京-tea")


def test_a_post_carries_one_button_that_names_it(wordpress, instance, post):
    text = read(post)
    (link,) = links(text)
    assert link.startswith(f"{instance.web}/submit/auto?")
    assert (told(link)["user_id"], told(link)["url"]) == ("bob", post)
    # WordPress turns quotes into typographic ones.
    assert told(link)["title"] == "Größe & \u201ctaste\u201d of \u2018tea\u2019 — 東京"
    assert text.count("<flattr-button ") == 1
    assert re.search(rf"<script async src='{instance.web}/button.js'", text)


def test_the_front_page_carries_no_button_and_loads_no_script(wordpress, instance, post):
    text = read(f"{wordpress.home}/")
    assert "Pour it slowly" in text
    assert "flattr-button" not in text.replace("flattr-button-inline", "")
    assert instance.web not in text


def test_the_head_carries_the_proofs_and_a_payment_link(wordpress, post):
    text = read(post)
    assert f'<meta name="flattr:site" content="{TOKEN}" />' in text
    assert '<meta name="flattr:id" content="abc123" />' in text
    assert '<link rel="payment" type="text/html"' in text
    assert f'content="{TOKEN}"' in read(f"{wordpress.home}/")


def test_the_shortcode_takes_the_place_of_the_buttons_own(wordpress):
    text = read(
        wordpress.write_post("Own place", "<p>Here: [flattr layout='large'] it is.</p>", "own")
    )
    assert len(links(text)) == 1
    assert 'layout="large"' in text
    assert re.search(r"Here: <flattr-button[^>]*>.*</flattr-button> it is", text)


def test_a_shortcode_of_the_first_flattr_is_read(wordpress):
    code = "[flattr url='https://blog.example/a?b=1&c=2' uid='carol' button='compact' /]"
    (link,) = links(read(wordpress.write_post("Old", code, "old")))
    assert told(link) == {"user_id": "carol", "url": "https://blog.example/a?b=1&c=2"}


def test_the_block_draws_a_button(wordpress):
    content = '<!-- wp:flattr-button/button {"layout":"icon"} /-->'
    address = wordpress.write_post("A block", content, "block")
    text = read(address)
    (link,) = links(text)
    assert told(link)["url"] == address
    assert 'width="20" height="20"' in text


def test_what_an_author_writes_into_a_shortcode_is_escaped(wordpress):
    code = """[flattr title='"><script>alert(1)</script>' url='javascript:alert(1)' layout='"x']"""
    text = read(wordpress.write_post("Bad <b>title</b> & <script>x</script>", code, "bad"))
    assert "<script>alert(1)" not in text
    assert "javascript:" not in text
    assert len(links(text)) == 1


def test_a_protected_post_carries_no_button(wordpress):
    address = wordpress.write_post("Secret", "Words.", "secret")
    wordpress.php(
        "$post = get_page_by_path( 'secret', OBJECT, 'post' );"
        "wp_update_post( array( 'ID' => $post->ID, 'post_password' => 'tea' ) );"
    )
    assert links(read(address)) == []


@pytest.mark.parametrize("kind", ["rss2", "atom"])
def test_the_feed_carries_payment_links_and_the_button(wordpress, post, kind):
    feed = read(f"{wordpress.home}/?feed={kind}")
    entries = ElementTree.fromstring(feed)
    found = [
        told(link.get("href", ""))["url"]
        for link in entries.iter("{http://www.w3.org/2005/Atom}link")
        if link.get("rel") == "payment"
    ]
    assert post in found
    assert "/badge.svg?" in feed
    assert "flattr-button user" not in feed


def test_settings_that_cannot_be_are_refused_and_told(wordpress, admin, instance):
    page = admin.new_page()
    fill_in(page, wordpress.home, base="javascript:alert(1)", user='"><script>', site="x")
    expect(page.get_by_text("must look like https://flattr.example")).to_be_visible()
    expect(page.get_by_text("letters, digits, hyphens and underscores")).to_be_visible()
    expect(page.locator("#flattr-button-base")).to_have_value(instance.web)
    expect(page.locator("#flattr-button-user")).to_have_value("bob")
    expect(page.locator("#flattr-button-site")).to_have_value(TOKEN)
    page.close()


def test_the_admin_asks_the_instance_for_nothing(wordpress, admin, instance, post):
    page = admin.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{wordpress.home}/wp-admin/options-general.php?page=flattr-button")
    page.goto(f"{wordpress.home}/wp-admin/plugins.php")
    page.goto(f"{wordpress.home}/wp-admin/post-new.php?post_type=post")
    page.wait_for_function("window.wp?.blocks?.getBlockType('flattr-button/button')")
    page.evaluate(
        "wp.data.dispatch('core/block-editor')"
        ".insertBlocks(wp.blocks.createBlock('flattr-button/button'))"
    )
    expect(page.get_by_label("Block: Flattr button")).to_contain_text("Flattr this")
    page.close(run_before_unload=False)
    assert [url for url in asked if url.startswith(instance.web)] == []
    assert [url for url in wordpress.log("asked.log") if instance.web in url] == []


def test_the_line_for_a_theme_names_the_post_of_the_loop(wordpress, post, shown):
    (wordpress.files / "line.php").write_text(shown("wordpress")["theme"])
    drawn = wordpress.php(
        f"global $post; $post = get_post( url_to_postid( {php_text(post)} ) );"
        "setup_postdata( $post ); include 'line.php';"
    )
    (link,) = links(drawn)
    assert told(link) == {"user_id": NAME_PLACEHOLDER, "url": post}


def test_a_click_counts_and_the_post_is_proven(wordpress, instance, browser, post):
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, instance, "alice@flattr.example")
    page.goto(post)
    button = page.locator("flattr-button a")
    expect(button.locator("img")).to_be_visible()
    with page.expect_popup() as opened:
        button.click()
    press = opened.value.get_by_role("button", name="Flattr")
    expect(press).to_be_enabled(timeout=10_000)
    press.click()
    expect(opened.value.get_by_role("heading", name="Flattred")).to_be_visible()
    expect(button.locator("img")).to_have_attribute("src", re.compile("seen=1"))
    context.close()
    badge = instance.web + "/badge.svg?" + urlsplit(page_badge(post)).query
    assert "(1)" in read(badge + "&seen=1")
    assert_proven(instance, browser, post)


def page_badge(post: str) -> str:
    return html.unescape(re.findall(r'<img [^>]*src="([^"]*/badge.svg\?[^"]*)"', read(post))[0])


def sign_in(page: Page, site: RunningSite, address: str) -> None:
    page.goto(f"{site.web}/accounts/login/")
    page.get_by_label("E-mail").fill(address)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.web}/dashboard/")


def assert_proven(site: RunningSite, browser: Browser, post: str) -> None:
    """The server itself has read the post, and found Bob's button on it."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, site, "bob@flattr.example")
    page.goto(f"{site.web}/things/")
    row = page.locator("li").filter(has_text=urlsplit(post).netloc).first
    check = row.get_by_role("button")
    if check.count():
        check.click()
    expect(row.get_by_text("Proven", exact=True)).to_be_visible()
    context.close()


@pytest.mark.needs("gettext")
def test_words_are_translated(wordpress, post, tmp_path: Path):
    (tmp_path / "de.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
        'msgid "Flattr this"\nmsgstr "Das flattrn"\n'
    )
    folder = wordpress.files / "wp-content/plugins/flattr-button/languages"
    target = folder / "flattr-button-de_DE.mo"
    subprocess.run(["msgfmt", "-o", target, tmp_path / "de.po"], check=True)
    # WordPress takes a language only when it speaks it itself.
    (wordpress.files / "wp-content/languages").mkdir()
    shutil.copy(target, wordpress.files / "wp-content/languages/de_DE.mo")
    wordpress.php("update_option( 'WPLANG', 'de_DE' );")
    try:
        assert 'alt="Das flattrn"' in read(post)
    finally:
        wordpress.php("update_option( 'WPLANG', '' );")


def test_nothing_of_the_plugin_was_wrong_to_php(wordpress):
    assert [line for line in wordpress.log("debug.log") if "flattr" in line] == []


def test_deleting_it_leaves_nothing(wordpress):
    left = wordpress.php(
        "require 'wp-admin/includes/plugin.php'; require 'wp-admin/includes/file.php';"
        "deactivate_plugins( 'flattr-button/flattr-button.php' );"
        "delete_plugins( array( 'flattr-button/flattr-button.php' ) );"
        'global $wpdb; echo $wpdb->get_var( "SELECT COUNT(*) FROM $wpdb->options'
        " WHERE option_name LIKE '%flattr%'\" );"
    )
    assert left == "0"
    assert not (wordpress.files / "wp-content/plugins/flattr-button").exists()
