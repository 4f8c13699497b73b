from html import unescape

from django.utils.html import strip_tags


def text_of(response):
    return " ".join(unescape(strip_tags(response.content.decode())).split())


def test_the_home_page_says_it_in_one_screen(db, client, django_assert_num_queries):
    with django_assert_num_queries(0):
        text = text_of(client.get("/"))
    assert "The Like button that pays." in text
    assert (
        "Set aside from EUR 2 a month and click Flattr on what you love. "
        "At the month\u2019s end your money is shared evenly among it."
    ) in text
    assert (
        "EUR 6, 12 clicks: 50 cents each; 45 reach the creator, 5 keep this instance running. "
        "No clicks, your EUR 6 stays yours."
    ) in text


def test_the_home_page_prints_the_rules_of_the_instance(client, settings):
    settings.BUDGET_MIN_MICROS = 3_500_000
    settings.FEE_BASIS_POINTS = 2_000
    text = text_of(client.get("/"))
    assert "from EUR 3.50 a month" in text
    assert "40 reach the creator, 10 keep this instance running" in text


def test_who_is_signed_in_lands_on_the_dashboard(client, alice):
    client.force_login(alice)
    assert client.get("/").headers["Location"] == "/dashboard/"


def test_the_source_is_linked_where_the_operator_says(client, settings):
    assert "Source" not in text_of(client.get("/"))
    settings.SOURCE_URL = "https://code.example/flattr"
    assert '<a href="https://code.example/flattr">Source</a>' in client.get("/").content.decode()
