"""Read the tags of a stranger's page in one pass, by the tokenizer of the HTML standard.

A tree is not needed to find a button, and building one can be made slow by nesting; the parser of
the standard library takes a minute for 100 kB of `<a x='` (before Python 3.11.14). Here every
letter is looked at a fixed number of times: what is not closed ends with the page.
https://html.spec.whatwg.org/multipage/parsing.html#tokenization
"""

import html
import re
from collections.abc import Iterator

Attributes = dict[str, str]

# Their content is text, or is not shown: a tag in there is none.
RAW_TAGS = frozenset(
    (
        "script",
        "style",
        "textarea",
        "title",
        "template",
        "xmp",
        "iframe",
        "noembed",
        "noframes",
    )
)
TAG = re.compile(r"</?([A-Za-z][^\s/>]*)")
GAP = re.compile(r"[\s/]*")
ATTRIBUTE_NAME = re.compile(r"=?[^\s/>=]*")
EQUALS = re.compile(r"\s*=\s*")
UNQUOTED = re.compile(r"[^\s>]*")
COMMENT_END = re.compile(r"--!?>")
RAW_ENDS = {tag: re.compile(rf"</{tag}(?=[\s/>])", re.IGNORECASE) for tag in RAW_TAGS}


def start_tags(text: str) -> Iterator[tuple[str, Attributes, str]]:
    """Yield each start tag with its attributes, and with the text inside where that is all text.

    Of an attribute that is there twice, the first counts, as in browsers.
    """
    place = 0
    while (place := text.find("<", place)) >= 0:
        tag = TAG.match(text, place)
        if tag is None:
            place = _after_comment(text, place)
            continue
        attributes, place = _attributes(text, tag.end())
        if place > len(text):
            return
        name = tag[1].lower()
        if text[tag.start() + 1] == "/":
            continue
        inside = ""
        if name in RAW_TAGS:
            closed = RAW_ENDS[name].search(text, place)
            end = closed.start() if closed else len(text)
            inside, place = text[place:end], end
        yield name, attributes, inside


def without_tags(text: str) -> str:
    """Return the text between the tags; what scripts and styles contain is no text."""
    kept: list[str] = []
    place = 0
    while (start := text.find("<", place)) >= 0:
        kept.append(text[place:start])
        tag = TAG.match(text, start)
        if tag is None:
            place = _after_comment(text, start)
            kept.append("<" if place == start + 1 else "")
            continue
        _, place = _attributes(text, tag.end())
        if tag[0].lower() in ("<script", "<style"):
            closed = RAW_ENDS[tag[1].lower()].search(text, place)
            place = closed.start() if closed else len(text)
    return "".join(kept) + text[place:]


def _after_comment(text: str, place: int) -> int:
    """Return the place after what begins with `<` and is no tag: a comment, or only the letter."""
    following = text[place + 1 : place + 2]
    if text.startswith("<!--", place):
        # `<!-->` and `<!--->` are comments too: their dashes may do both jobs.
        ended = COMMENT_END.search(text, place + 2)
        return ended.end() if ended else len(text)
    if following in ("!", "?", "/"):
        end = text.find(">", place + 2)
        return end + 1 if end >= 0 else len(text)
    return place + 1


def _attributes(text: str, place: int) -> tuple[Attributes, int]:
    """Return the attributes of a tag, and the place after it: beyond the text if it has no end."""
    attributes: Attributes = {}
    while True:
        place = _end(GAP, text, place)
        if place >= len(text):
            return attributes, len(text) + 1
        if text[place] == ">":
            return attributes, place + 1
        after_name = _end(ATTRIBUTE_NAME, text, place)
        name, place = text[place:after_name].lower(), after_name
        value, place = _value(text, place)
        attributes.setdefault(name, html.unescape(value))


def _value(text: str, place: int) -> tuple[str, int]:
    equals = EQUALS.match(text, place)
    if equals is None:
        return "", place
    place = equals.end()
    quote = text[place : place + 1]
    if quote in ('"', "'") and quote:
        end = text.find(quote, place + 1)
        return (text[place + 1 : end], end + 1) if end >= 0 else ("", len(text))
    end = _end(UNQUOTED, text, place)
    return text[place:end], end


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    assert found, "the pattern also matches nothing"
    return found.end()
