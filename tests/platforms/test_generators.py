"""Each site generator's snippet, pasted as the page shows it into a small site that is built.

The button of each page must name the address at which the built file lies, its title and its owner,
and prove the page, whatever signs the title and the address are made of.
"""

import json
import os
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from buttons.canonical import canonical_url
from buttons.evidence import read_evidence
from buttons.fetch import Page
from buttons.snippets import NAME_PLACEHOLDER
from tests.platforms.parts import ELEVENTY, PELICAN

# By the name of the file.
POSTS = {
    "tea": "Tea & biscuits",
    "quotes": """She said "no" to 'tea'""",
    # What stands for itself in a path, and for something else in a query.
    "fish&chips+peas": "Fish & chips + peas",
    "größe": "Größe, naïveté, 東京 and 🫖",
    "signs": "100 % of a+b=c? #1 <3 / 4; ok",
}
BUILD_SECONDS = 120


class Button(HTMLParser):
    """The one button of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.element: dict[str, str | None] = {}
        self.link = self.badge = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "flattr-button":
            assert not self.element, "one button a page"
            self.element = told
        if tag == "a" and "/submit/auto?" in (told.get("href") or ""):
            self.link = told["href"] or ""
        if tag == "img" and "/badge.svg?" in (told.get("src") or ""):
            self.badge = told["src"] or ""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def run(folder: Path, *command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def jekyll(folder: Path, code: dict[str, str]) -> Path:
    matter = "---\nlayout: post\ntitle: {}\n---\nSome words.\n"
    posts = {
        f"_posts/2026-11-21-{name}.md": matter.format(json.dumps(title, ensure_ascii=False))
        for name, title in POSTS.items()
    }
    layout = "<!doctype html><title>x</title>{{ content }}" + code["layout"]
    config = code["config"] + "\npermalink: /:year/:title.html\n"
    files = {"_config.yml": config, "_includes/flattr.html": code["include"]}
    write(folder, {**files, "_layouts/post.html": layout, **posts})
    run(folder, "jekyll", "build")
    return folder / "_site"


def hugo(folder: Path, code: dict[str, str]) -> Path:
    posts = {
        f"content/posts/{name}.md": json.dumps({"title": title}) + "\n\nSome words.\n"
        for name, title in POSTS.items()
    }
    single = "<!doctype html><title>x</title>{{ .Content }}" + code["layout"]
    kinds = '\ndisableKinds = ["home", "section", "taxonomy", "term", "RSS", "sitemap", "404"]\n'
    files = {"hugo.toml": code["config"] + kinds, "layouts/partials/flattr.html": code["partial"]}
    write(folder, {**files, "layouts/_default/single.html": single, **posts})
    run(folder, "hugo", "--quiet")
    return folder / "public"


def pelican(folder: Path, code: dict[str, str]) -> Path:
    posts = {
        f"content/{name}.md": f"Title: {title}\nDate: 2026-11-21\nSlug: {name}\n\nSome words.\n"
        for name, title in POSTS.items()
    }
    article = "<!doctype html><title>x</title>{{ article.content }}" + code["theme"]
    empty = {f"theme/templates/{name}.html": "" for name in ("index", "base")}
    rest = "DIRECT_TEMPLATES = []\nAUTHOR_SAVE_AS = CATEGORY_SAVE_AS = TAG_SAVE_AS = ''\n"
    rest += "TIMEZONE = 'UTC'\nARTICLE_URL = '{slug}.html'\n"
    files = {"publishconf.py": f"{code['config']}\n{rest}", "theme/static/x.css": "", **empty}
    files |= {"theme/templates/flattr.html": code["template"]}
    write(folder, {**files, "theme/templates/article.html": article, **posts})
    run(folder, PELICAN, "content", "-o", "out", "-s", "publishconf.py", "-t", "theme")
    return folder / "out"


def eleventy(folder: Path, code: dict[str, str]) -> Path:
    matter = "---\nlayout: post.njk\ntitle: {}\n---\nSome words.\n"
    posts = {
        f"posts/{name}.md": matter.format(json.dumps(title, ensure_ascii=False))
        for name, title in POSTS.items()
    }
    layout = "<!doctype html><title>x</title>{{ content | safe }}" + code["layout"]
    files = {"_data/site.json": code["data"], "_includes/flattr.njk": code["include"]}
    write(folder, {**files, "_includes/post.njk": layout, **posts})
    run(folder, ELEVENTY, "--output=out", "--quiet")
    return folder / "out"


def address_of(file: Path, site: Path) -> str:
    path = file.relative_to(site).as_posix().removesuffix("index.html")
    return canonical_url("https://blog.example/" + quote(path, safe="/&+"))


@pytest.mark.parametrize(
    ("slug", "build"),
    [
        pytest.param(each.__name__, each, marks=pytest.mark.needs(each.__name__.capitalize()))
        for each in (jekyll, hugo, pelican, eleventy)
    ],
)
def test_the_button_of_a_built_page_names_that_page_and_its_owner(
    tmp_path: Path, shown, settings, slug: str, build: Callable[[Path, dict[str, str]], Path]
):
    site = build(tmp_path, shown(slug))
    pages = {address_of(file, site): file.read_text() for file in site.rglob("*.html")}
    titles = set()
    for address, text in pages.items():
        button = Button(text)
        told = parse_qs(urlsplit(button.link).query)
        assert button.link.startswith(
            f"{settings.BASE_URL}/submit/auto?user_id={NAME_PLACEHOLDER}&url="
        )
        assert canonical_url(told["url"][0]) == address
        assert canonical_url(parse_qs(urlsplit(button.badge).query)["url"][0]) == address
        assert canonical_url(button.element["url"] or "") == address
        assert button.element["user"] == NAME_PLACEHOLDER
        evidence = read_evidence(Page(address, "text/html", text), address)
        assert list(evidence.how_by_username) == [NAME_PLACEHOLDER]
        titles.add(told["title"][0])
    assert len(pages) == len(POSTS)
    assert titles == set(POSTS.values())
