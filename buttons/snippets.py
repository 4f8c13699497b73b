"""What people paste into their pages: the same button in the forms that pages can carry."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.html import escape
from django.utils.http import urlencode

from accounts.models import User
from buttons.embed.script import checksum_of, version_of

NAME_PLACEHOLDER = "your-name"
ID_PLACEHOLDER = "abc123"
URL_PLACEHOLDER = "https://your-site.example/this-page"


@dataclass(frozen=True)
class Snippet:
    id: str
    title: str
    note: str
    code: str


def query_of(user: User | None, url: str) -> str:
    """Return the parameters of a button for a page, in the order in which people read them."""
    name = user.username if user else NAME_PLACEHOLDER
    return urlencode({"user_id": name, "url": url or URL_PLACEHOLDER})


def snippets_of(user: User | None, url: str) -> list[Snippet]:
    """Return each form of a person's button for a page, ready to paste."""
    base, query = settings.BASE_URL, query_of(user, url)
    name = user.username if user else NAME_PLACEHOLDER
    flattr_id = user.flattr_id if user else ID_PLACEHOLDER
    page = escape(url or URL_PLACEHOLDER)
    submit, badge = f"{base}/submit/auto?{query}", f"{base}/badge.svg?{query}"
    link = (
        f'<a href="{escape(submit)}"><img src="{escape(badge)}" alt="Flattr this"'
        ' width="110" height="20"></a>'
    )
    return [
        Snippet(
            "html",
            "A link with a badge",
            "Plain HTML without a script: works on any page, in a feed, and in mail.",
            link,
        ),
        Snippet(
            "element",
            "A button that counts up",
            "One small script, without cookies. The count rises as soon as somebody pressed. What "
            "is inside keeps the place free, and is there for visitors without scripts.",
            f'<script src="{base}/button.js" async></script>\n'
            f'<flattr-button user="{name}" url="{page}">{link}</flattr-button>',
        ),
        Snippet(
            "pinned",
            "The same, and never another script",
            "Your visitors' browsers take exactly this version, which stays at its address.",
            f'<script src="{base}/button-{version_of(base)}.js" async crossorigin="anonymous"\n'
            f'  integrity="{checksum_of(base)}"></script>\n'
            f'<flattr-button user="{name}" url="{page}"></flattr-button>',
        ),
        Snippet(
            "markdown",
            "README or other Markdown",
            "Shows the badge. Whose the page is must be proven in another way on shared hosts.",
            f"[![Flattr this]({badge})]({submit})",
        ),
        Snippet(
            "payment",
            "A payment link",
            "For the head of a page: podcast apps and feed readers offer it to their users.",
            f'<link rel="payment" type="text/html" title="Flattr this!" href="{escape(submit)}">',
        ),
        Snippet(
            "meta",
            "Your Flattr id",
            "Shows nothing, and proves that every page that carries it is yours.",
            f'<meta name="flattr:id" content="{flattr_id}">',
        ),
    ]
