"""Reading a stranger's tags: as a browser does, and in a time that no page can stretch."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttons.html_tokens import start_tags, without_tags

HOSTILE = ["<!--", "<!--x--!", "<![CDATA[", "<a ", "<a x='", '<a x="', "<a x=", "<?", "</", "</a "]
HOSTILE += [
    "<script>",
    "<script></",
    "<textarea></textare",
    "<a/",
    "<a<",
    "<a \x00",
    "&#x",
    "<div>",
]
HOSTILE += ["<a href=&amp ", "<a =", "<a\t\n", "<title>", "<template>", "< ", "<!", "<a x = "]

# A fifth of what is fetched at most. What looks at each letter once takes 0.1 s, and what looks at
# all of them for each takes minutes.
LONG = 200_000
SOON_SECONDS = 1.2


def tags(text: str) -> list[tuple[str, dict[str, str]]]:
    return [(tag, attributes) for tag, attributes, _ in start_tags(text)]


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("<a>", {}),
        ("<A HREF=x>", {"href": "x"}),
        ("<a href='x y' title=\"1 > 0\">", {"href": "x y", "title": "1 > 0"}),
        ("<a href = x/y >", {"href": "x/y"}),
        ("<a/href=x/>", {"href": "x/"}),
        ("<a hidden href>", {"hidden": "", "href": ""}),
        ("<a href=1 href=2>", {"href": "1"}),
        ("<a href='?a=1&amp;b=&#50;'>", {"href": "?a=1&b=2"}),
        ("<a href=>", {"href": ""}),
        ("<a =x=y>", {"=x": "y"}),
    ],
)
def test_attributes_are_read_as_browsers_read_them(text, attributes):
    assert tags(text) == [("a", attributes)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a < b",
        "< a>",
        "</a>",
        "<a",
        "<a href='x>",
        "<!-- <a> -->",
        "<!-- <a> ",
        "<!-- --!x <a> -->",
        "<!a <a>",
        "<? <a>",
        "</ <a>",
        "&lt;a&gt;",
    ],
)
def test_what_is_no_start_tag_is_none(text):
    assert tags(text) == []


@pytest.mark.parametrize("text", ["<!--><a>", "<!---><a>", "<!-- --!><a>", "<!x><a>", "</1><a>"])
def test_a_comment_ends_where_browsers_end_it(text):
    assert tags(text) == [("a", {})]


@pytest.mark.parametrize("tag", ["script", "style", "textarea", "title", "template", "iframe"])
def test_inside_of_text_there_are_no_tags(tag):
    found = list(start_tags(f"<{tag}><a></a{tag}></{tag.upper()} ><b>"))
    assert [name for name, _, _ in found] == [tag, "b"]
    assert found[0][2] == f"<a></a{tag}>"


def test_text_that_is_not_closed_is_the_rest_of_the_page():
    assert [tag for tag, _ in tags("<a><title><a><a>")] == ["a", "title"]


@given(st.lists(st.sampled_from([*HOSTILE, "a", ">", "'", '"', "=", "/", " ", "-->"])))
def test_whatever_a_page_is_it_is_read(parts):
    for tag, attributes, inside in start_tags("".join(parts)):
        assert tag == tag.lower() != ""
        assert "" not in attributes
        assert isinstance(inside, str)


@pytest.mark.parametrize("part", HOSTILE, ids=repr)
def test_a_long_page_of_anything_is_read_soon(part):
    text = part * (LONG // len(part))
    began = time.process_time()
    list(start_tags(text))
    assert time.process_time() - began < SOON_SECONDS


@pytest.mark.parametrize("part", HOSTILE, ids=repr)
def test_the_text_of_a_long_page_is_read_soon(part):
    began = time.process_time()
    without_tags(part * (LONG // len(part)))
    assert time.process_time() - began < SOON_SECONDS


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a <b>c</b> d", "a c d"),
        ("1 < 2 <> 3", "1 < 2 <> 3"),
        ("a<script>b</script>c<STYLE>d</style>e", "ace"),
        ("a<!-- b -->c<a href='>'>d</a>", "acd"),
        ("a<b", "a"),
        ("a<script>b", "a"),
        ("a &lt;b&gt;", "a &lt;b&gt;"),
    ],
)
def test_text_is_what_stands_between_the_tags(text, kept):
    assert without_tags(text) == kept
