"""The badge that says how many readers paid for a page: only where its owner wants it said."""

import gzip
import xml.etree.ElementTree as ElementTree
from datetime import date

import pytest
from django.core.cache import cache, caches

from accounts.models import User
from buttons.embed.badge import Kept, Look, draw_badge
from buttons.models import Readers, Thing
from tests.buttons.people import PAGE

SVG = "{http://www.w3.org/2000/svg}"
LOOK = Look.of("readers")


@pytest.fixture(autouse=True)
def _forget_figures():
    forget()


def forget():
    cache.clear()
    caches["process"].clear()


@pytest.fixture
def shown(tea: Thing, creator: User) -> Thing:
    """Bob's page, for which 41 readers paid EUR 12.30, which he shows."""
    Thing.objects.filter(pk=tea.pk).update(shows_readers=True)
    Readers.objects.create(
        thing=tea,
        owner=creator,
        month=date(2024, 8, 1),
        readers=41,
        currency="EUR",
        amount_micros=12_304_999,
    )
    return tea


def words(client, url: str = PAGE) -> list[str]:
    forget()
    answer = client.get("/badge.svg", {"url": url, "layout": "readers"})
    drawing = ElementTree.fromstring(answer.content)
    return [text.text or "" for text in drawing.iter(f"{SVG}text")]


@pytest.mark.django_db
def test_a_badge_says_how_many_readers_paid(client, shown):
    assert words(client) == ["Kept free by 41 readers"]


@pytest.mark.django_db
def test_the_sum_is_said_where_the_owner_publishes_income(client, shown, creator):
    type(creator).objects.update(publishes_income=True)
    assert words(client) == ["EUR\u00a012.30", "Kept free by 41 readers"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("amount_micros", "said"),
    [(99_999_999_999, "EUR\u00a099,999.99"), (123_456_999_999, "EUR\u00a0123,456")],
)
def test_a_sum_never_outgrows_the_badge(client, shown, creator, amount_micros, said):
    type(creator).objects.update(publishes_income=True)
    Readers.objects.update(amount_micros=amount_micros)
    assert words(client)[0] == said


@pytest.mark.django_db
def test_a_sum_that_is_not_for_everybody_is_not_said(client, shown, creator):
    type(creator).objects.update(publishes_income=True)
    Readers.objects.update(amount_micros=None, readers=1)
    assert words(client) == ["Kept free by 1 reader"]


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"shows_readers": False}, {"owner": None}])
def test_without_the_owners_wish_the_badge_says_nothing_of_readers(client, shown, change):
    Thing.objects.update(**change)
    assert words(client) == ["Flattr this"]


@pytest.mark.django_db
def test_who_owns_the_page_now_does_not_show_what_another_earned(client, shown, carol):
    Thing.objects.update(owner=carol)
    assert words(client) == ["Flattr this"]


@pytest.mark.django_db
def test_a_page_that_nobody_paid_for_yet_asks_for_a_flattr(client, shown):
    Readers.objects.update(readers=0)
    assert words(client) == ["Flattr this"]
    assert words(client, "https://blog.example/unknown") == ["Flattr this"]


@pytest.mark.django_db
def test_a_cached_badge_asks_the_database_for_nothing(client, shown, django_assert_num_queries):
    told = {"url": [PAGE, "https://blog.example/unknown"], "layout": "readers"}
    with django_assert_num_queries(1):
        first = client.get("/badge.svg", told)
    caches["process"].clear()
    with django_assert_num_queries(0):
        assert client.get("/badge.svg", told).content == first.content


@pytest.mark.parametrize("theme", ["", "light", "dark"])
@pytest.mark.parametrize("kept", [None, Kept(1), Kept(9_999_999, "EUR\u00a099,999,999.99")])
@pytest.mark.parametrize("lang", ["en", "ar"])
def test_it_is_at_most_900_bytes_compressed(theme, kept, lang):
    drawing = draw_badge(Look.of("readers", theme=theme, lang=lang), kept)
    assert len(gzip.compress(drawing.encode())) <= 900


@pytest.mark.parametrize("kept", [None, Kept(1), Kept(1_234, "EUR\u00a012.30")])
def test_it_keeps_its_size_whatever_it_says(kept):
    drawing = ElementTree.fromstring(draw_badge(LOOK, kept))
    assert (drawing.get("width"), drawing.get("height")) == ("300", "20")


def test_a_screen_reader_hears_the_exact_number_and_the_sum():
    drawing = ElementTree.fromstring(draw_badge(LOOK, Kept(1_234, "EUR\u00a012.30")))
    assert drawing.get("aria-label") == "Kept free by 1,234 readers, EUR\u00a012.30"
    assert drawing.get("aria-label") == drawing.findtext(f"{SVG}title")
