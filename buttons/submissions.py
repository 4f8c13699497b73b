"""What a button says: a URL, who claims it, and how it is described.

The names of parameters are those of the auto-submit address that pages, feeds and apps carry since
2010; what is not understood is ignored, so that old snippets keep working.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from accounts.models import User
from accounts.usernames import named
from buttons.canonical import canonical_url
from buttons.html_tokens import without_tags
from buttons.models import Claim, Thing

TITLE_LETTERS_MAX = 100
DESCRIPTION_LETTERS_MAX = 1_000
TAGS_MAX = 20
TAG_LETTERS_MAX = 50
CATEGORIES = ("text", "images", "video", "audio", "software", "people", "rest")

USERNAME_PARAMETERS = ("user_id", "uid", "owner", "user")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{2,4})?", re.ASCII)
LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
SPACES = re.compile(r"[^\S\n]+")


class ContentNotSupported(Exception):
    """Nobody can receive what this thing would earn: its owner is not known here."""


class OwnerUnknown(ContentNotSupported):
    """The button names a user who does not exist here."""


@dataclass(frozen=True)
class Words:
    """What is said about a thing, in plain text of bounded length."""

    title: str = ""
    description: str = ""
    language: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    is_hidden: bool = False


@dataclass(frozen=True)
class Submission:
    """A canonical URL, the user who is said to own it, and what the page says about it."""

    url: str
    claimant: User | None = None
    title: str = ""
    description: str = ""
    language: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    is_hidden: bool = False

    def as_parameters(self) -> dict[str, str]:
        """Return the parameters that make this submission again."""
        parameters = {
            "url": self.url,
            "user_id": self.claimant.username if self.claimant else "",
            "title": self.title,
            "description": self.description,
            "language": self.language,
            "category": self.category,
            "tags": ",".join(self.tags),
            "hidden": "1" if self.is_hidden else "",
        }
        return {name: value for name, value in parameters.items() if value}

    def as_thing(self) -> Thing:
        """Return the thing that the first flattr creates, not saved."""
        return Thing(
            url=self.url,
            title=self.title,
            description=self.description,
            language=self.language,
            category=self.category,
            tags=list(self.tags),
            is_hidden=self.is_hidden,
        )


def read_submission(parameters: Mapping[str, Any]) -> Submission:
    """Read the parameters of a button; raise UrlRefused or OwnerUnknown."""
    url, claimant = read_address(parameters)
    return Submission(url=url, claimant=claimant, **vars(read_words(parameters)))


def read_address(parameters: Mapping[str, Any]) -> tuple[str, User | None]:
    """Read the page that a button is about and whose it says that is; errors as above."""
    return canonical_url(str(parameters.get("url", ""))), _claimant(parameters)


def read_words(parameters: Mapping[str, Any]) -> Words:
    """Return what a button says about its page; what makes no sense is nothing."""
    language = str(parameters.get("language") or parameters.get("lang") or "").strip()
    category = str(parameters.get("category", "")).strip().lower()
    return Words(
        title=plain_text(parameters.get("title", ""), TITLE_LETTERS_MAX).replace("\n", " "),
        description=plain_text(parameters.get("description", ""), DESCRIPTION_LETTERS_MAX),
        language=language if LANGUAGE.fullmatch(language) else "",
        category=category if category in CATEGORIES else "",
        tags=read_tags(parameters.get("tags", "")),
        is_hidden=str(parameters.get("hidden", "")).strip().lower() in ("1", "true", "yes", "on"),
    )


def submission_of(thing: Thing) -> Submission:
    """Return a submission that only points at a thing which exists."""
    return Submission(url=thing.url)


def find_thing(submission: Submission) -> Thing | None:
    """Return the thing with its owner, or None when nobody flattred it yet.

    Raises ContentNotSupported when neither the button nor a claim says whose it could be.
    """
    thing = Thing.objects.filter(url=submission.url).select_related("owner").first()
    if submission.claimant or (thing and thing.owner_id):
        return thing
    if thing is None or not thing.claims.exclude(state=Claim.State.REFUSED).exists():
        raise ContentNotSupported
    return thing


def plain_text(value: object, letters_max: int) -> str:
    """Return text without markup, `<br>` as a line break, cut to a number of letters."""
    if not value:
        return ""
    text = without_tags(LINE_BREAK.sub("\n", str(value)))
    text = html.unescape(text).encode(errors="ignore").decode()
    lines = SPACES.sub(" ", CONTROL.sub("", text)).split("\n")
    return "\n".join(line.strip() for line in lines).strip()[:letters_max].strip()


def name_in(parameters: Mapping[str, Any]) -> str:
    """Return what a button calls its creator; `0` is how the script of 2010 says nobody."""
    told = (str(parameters.get(name) or "").strip() for name in USERNAME_PARAMETERS)
    return next((name for name in told if name not in ("", "0")), "")


def _claimant(parameters: Mapping[str, Any]) -> User | None:
    name = name_in(parameters)
    flattr_id = str(parameters.get("fid") or "").strip().lower()
    if not name and not flattr_id:
        return None
    if "\x00" in name + flattr_id:
        raise OwnerUnknown
    called = named(name) if name else Q(flattr_id=flattr_id)
    found = User.objects.filter(called, is_active=True).first()
    if found is None:
        raise OwnerUnknown
    return found


def read_tags(value: object) -> tuple[str, ...]:
    """Return tags that are separated by commas, each once, and no more than a thing may have."""
    tags = (plain_text(tag, TAG_LETTERS_MAX).replace("\n", " ") for tag in str(value).split(","))
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:TAGS_MAX]
