"""The lines for MediaWiki's settings, in a real MediaWiki on SQLite and PHP's own web server."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from urllib.request import urlopen

import pytest

from buttons.snippets import NAME_PLACEHOLDER
from sandbox.children import Child, wait_until
from sandbox.ports import LOOPBACK, answers, free_port
from tests.platforms.parts import MEDIAWIKI
from tests.platforms.test_generators import Button

pytestmark = pytest.mark.needs("MediaWiki")

TITLE = """Größe & "taste" of 'tea' + 東京"""


@pytest.fixture
def wiki(tmp_path: Path, shown) -> Iterator[str]:
    """A wiki with one page of our own, and with the lines that the page of snippets shows."""
    port = free_port()
    home, folder = f"http://{LOOPBACK}:{port}", tmp_path / "wiki"
    shutil.copytree(MEDIAWIKI, folder, ignore_dangling_symlinks=True)
    for name in ("extensions", "images"):
        (folder / name).mkdir()
    options = ["--dbtype=sqlite", f"--dbpath={tmp_path}", "--dbname=wiki", f"--server={home}"]
    options += ["--scriptpath=", "--pass=a quiet hour before the birds"]
    run(folder, "php", "maintenance/install.php", *options, "Tea", "Editor")
    with (folder / "LocalSettings.php").open("a") as settings:
        settings.write("\n" + shown("mediawiki")["settings"])
    run(folder, "php", "maintenance/edit.php", "--user=Editor", TITLE, told="Pour it slowly.")
    server = Child("PHP", tmp_path / "php.log")
    server.start(["php", "-S", f"{LOOPBACK}:{port}", "-t", str(folder)], os.environ, folder)
    try:
        assert wait_until(lambda: answers(port), 30), server.last_words()
        yield home
    finally:
        server.stop()


def run(folder: Path, *command: str, told: str = "") -> None:
    done = subprocess.run(
        command, cwd=folder, input=told, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def read(address: str) -> str:
    with urlopen(address, timeout=30) as answer:
        return str(answer.read().decode())


def test_a_page_of_the_wiki_carries_a_button_that_names_it(wiki):
    address = f"{wiki}/index.php/{quote(TITLE.replace(' ', '_'))}"
    text = read(address)
    assert "Pour it slowly." in text
    told = parse_qs(urlsplit(Button(text).link).query)
    assert told["user_id"] == [NAME_PLACEHOLDER]
    assert read(told["url"][0]).count("Pour it slowly.") == text.count("Pour it slowly.")
    assert parse_qs(urlsplit(Button(text).badge).query)["url"] == told["url"]


def test_a_page_without_content_carries_none(wiki):
    assert Button(read(f"{wiki}/index.php/Special:Version")).link == ""
