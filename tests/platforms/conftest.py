"""The page of a platform as somebody reads it, and the parts that a test may miss."""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from tests.platforms.parts import PARTS

Codes = Callable[[str], dict[str, str]]


class Shown(HTMLParser):
    """Collects what the page shows to be copied, by the id of its step."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, str] = {}
        self._id = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs).get("id") or ""
        if tag == "code" and told.endswith("-code"):
            self._id = told.removesuffix("-code")
            self.codes[self._id] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "code":
            self._id = ""

    def handle_data(self, data: str) -> None:
        if self._id:
            self.codes[self._id] += data


@pytest.fixture
def shown(client) -> Codes:
    """Read what the page shows to a stranger, so that no database has to be made for it."""

    def read(slug: str) -> dict[str, str]:
        page = client.get(f"/buttons/{slug}/", {"url": "https://blog.example/"})
        reader = Shown()
        reader.feed(page.content.decode())
        return reader.codes

    return read


@pytest.fixture(autouse=True)
def _needs(request) -> None:
    """Skip a test whose part is not installed: `@pytest.mark.needs("Jekyll")`."""
    for mark in request.node.iter_markers("needs"):
        part = next(part for part in PARTS if part.name == mark.args[0])
        if not part.is_found():
            pytest.skip(reason=f"{part.name} is not installed")
