"""The button for paper."""

import struct
import xml.etree.ElementTree as ElementTree
from io import BytesIO
from urllib.parse import quote

import pytest
import segno

from buttons.embed.qr import ADDRESS_LETTERS_MAX, address_on_paper, draw_qr
from buttons.models import Thing
from tests.buttons.people import PAGE, make_thing

pytestmark = pytest.mark.django_db


def test_the_code_is_of_the_address_that_a_badge_links_to(settings, tea):
    address = f"{settings.BASE_URL}/submit/auto?url={quote(PAGE, safe='')}"
    assert address_on_paper(tea) == address
    wanted = BytesIO()
    segno.make(address, error="m", micro=False).save(wanted, kind="png", scale=8, border=4)
    assert draw_qr(tea, "png") == wanted.getvalue()


def test_a_long_address_leads_to_the_page_of_the_thing(settings, creator):
    start = len(f"{settings.BASE_URL}/submit/auto?url=") + len(
        quote("https://blog.example/", safe="")
    )
    room = ADDRESS_LETTERS_MAX - start
    fits = make_thing(owner=creator, url=f"https://blog.example/{'a' * room}")
    assert "/submit/auto?" in address_on_paper(fits)
    long = make_thing(owner=creator, url=f"https://blog.example/{'a' * (room + 1)}")
    assert address_on_paper(long) == f"{settings.BASE_URL}/thing/{long.pk}"


@pytest.mark.parametrize("end", ["", ".svg"])
def test_it_is_a_drawing_with_a_name(client, tea, end):
    response = client.get(f"/thing/qr/{tea.pk}{end}")
    assert response.headers["Content-Type"].startswith("image/svg+xml")
    drawing = ElementTree.fromstring(response.content)
    title = drawing.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == "Flattr blog.example"


def test_it_is_an_image_large_enough_to_print(client, tea):
    response = client.get(f"/thing/qr/{tea.pk}.png")
    width, height = struct.unpack(">II", response.content[16:24])
    assert response.headers["Content-Type"] == "image/png"
    assert width == height > 250


def test_it_is_the_same_for_everybody_and_kept(client, patron, tea):
    client.force_login(patron)
    response = client.get(f"/thing/qr/{tea.pk}")
    assert not response.cookies
    assert response.headers["Cache-Control"].startswith("public, max-age=86400")
    again = client.get(f"/thing/qr/{tea.pk}", headers={"if-none-match": response.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/thing/qr/0", "/thing/qr/1.gif", f"/thing/qr/{'9' * 18}"])
def test_there_is_none_of_what_is_not_there(client, path):
    assert not Thing.objects.exists()
    assert client.get(path).status_code == 404
