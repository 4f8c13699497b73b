"""Every kind of page, browser and person: a press ends in one flattr, or in words that help.

72 cells in whole browsers take minutes: `make test-fallbacks`. A few of them are in `make test`.
"""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.fallbacks.grid import (
    COOKIES,
    PEOPLE,
    PLACES,
    become,
    browser_with,
    end_of,
    strangers_site,
    thing_of,
)
from tests.running_site import RunningSite

pytestmark = pytest.mark.fallbacks

# How a press ends: in one flattr, or with the words under that name in `grid.ENDS`. A window that
# its page still hears says "add money" and stays; a tab, or a window cut off, leads to "set up".
WITH_COOKIES = """
place       | signed in     | signed out    | no means
plain       | flattr        | sign in       | add money
COOP        | flattr        | sign in       | set up
COEP        | flattr        | sign in       | add money
CSP         | flattr        | sign in       | add money
no referrer | flattr        | sign in       | add money
sandboxed   | open it apart | open it apart | open it apart
no popups   | flattr        | sign in       | set up
no script   | flattr        | sign in       | set up
"""
WITHOUT_COOKIES = """
place       | signed in     | signed out    | no means
plain       | allow cookies | allow cookies | allow cookies
COOP        | allow cookies | allow cookies | allow cookies
COEP        | allow cookies | allow cookies | allow cookies
CSP         | allow cookies | allow cookies | allow cookies
no referrer | allow cookies | allow cookies | allow cookies
sandboxed   | open it apart | open it apart | open it apart
no popups   | allow cookies | allow cookies | allow cookies
no script   | allow cookies | allow cookies | allow cookies
"""
TABLES = {
    "all": WITH_COOKIES,
    "none of third parties": WITH_COOKIES,
    "none": WITHOUT_COOKIES,
}

OWN_THE_THINGS = """
import json
from accounts.models import User
from buttons.models import Thing
bob = User.objects.get(username="bob")
for url in json.loads('{urls}'):
    Thing.objects.create(url=url, owner=bob, title="A cell")
"""
COUNT_FLATTRS = """
import json
from buttons.models import Flattr
urls = Flattr.objects.filter(thing__url__contains="/cells/").values_list("thing__url", flat=True)
print(json.dumps(list(urls)))
"""


def column_of(table: str, person: str) -> dict[str, str]:
    rows = [[cell.strip() for cell in row.split("|")] for row in table.strip().splitlines()]
    column = rows[0].index(person)
    return {row[0]: row[column] for row in rows[1:]}


@pytest.fixture(scope="module")
def elsewhere(running_site: RunningSite) -> Iterator[str]:
    urls = [thing_of(running_site, c, p, w) for c in COOKIES for p in PLACES for w in PEOPLE]
    running_site.manage("shell", "-c", OWN_THE_THINGS.format(urls=json.dumps(urls)))
    with strangers_site(running_site) as address:
        yield address


@pytest.fixture(scope="module", params=COOKIES)
def cookies(request) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def context(playwright, cookies, tmp_path_factory) -> Iterator[BrowserContext]:
    with browser_with(playwright, cookies, tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.mark.parametrize("person", PEOPLE)
def test_a_press_ends_in_one_flattr_or_in_words_that_help(
    running_site, elsewhere, context, cookies, person
):
    become(context, running_site, person)
    things = {place: thing_of(running_site, cookies, place, person) for place in PLACES}
    ends = {place: end_of(context, elsewhere, place, thing) for place, thing in things.items()}
    assert ends == column_of(TABLES[cookies], person)
    recorded = json.loads(running_site.manage("shell", "-v0", "-c", COUNT_FLATTRS))
    assert {place: recorded.count(thing) for place, thing in things.items()} == {
        place: int(end == "flattr") for place, end in ends.items()
    }
