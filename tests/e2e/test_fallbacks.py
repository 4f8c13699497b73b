"""The most telling cells of the grid of fallbacks; `make test-fallbacks` walks all of them."""

import pytest

from tests.fallbacks.grid import become, browser_with, end_of, strangers_site, thing_of

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("cookies", "ends"),
    [
        ("none of third parties", {"COOP": "sign in", "sandboxed": "open it apart"}),
        ("none", {"plain": "allow cookies", "no script": "allow cookies"}),
    ],
)
def test_a_press_that_cannot_count_yet_ends_in_words_that_help(
    playwright, running_site, tmp_path, cookies, ends
):
    with (
        strangers_site(running_site) as elsewhere,
        browser_with(playwright, cookies, tmp_path) as context,
    ):
        become(context, running_site, "signed out")
        for place, end in ends.items():
            thing = thing_of(running_site, cookies, place)
            assert end_of(context, elsewhere, place, thing) == end
