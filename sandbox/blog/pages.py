"""What each address of the blog answers."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from django.template import Context, Engine

from sandbox.blog.mailbox import mail_of, mails
from sandbox.blog.posts import BYLINE, POSTS, Post, post_of

FOLDER = Path(__file__).parent
ENGINE = Engine(dirs=[str(FOLDER / "templates")], autoescape=True)


@dataclass(frozen=True)
class Page:
    """An answer: its status, its type and its bytes."""

    body: bytes
    status: int = 200
    content_type: str = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Blog:
    """Where the blog and the site are, and where the site's mail lands."""

    own_address: str
    site: str
    mail_folder: Path

    def answer(self, path: str) -> Page:
        parts = [part for part in path.split("/") if part]
        match parts:
            case []:
                return self._page("index.html", {"posts": POSTS})
            case ["posts", slug] if post := post_of(slug):
                return self._page("post.html", self._post(post))
            case ["mail"]:
                return self._page("mailbox.html", {"mails": mails(self.mail_folder)})
            case ["mail", name] if mail := mail_of(self.mail_folder, name):
                return self._page("mail.html", {"mail": mail})
            case ["blog.css"]:
                return Page((FOLDER / "static" / "blog.css").read_bytes(), 200, "text/css")
            case _:
                return self._page("missing.html", {}, status=404)

    def _post(self, post: Post) -> dict[str, object]:
        url = post.url(self.own_address)
        asked = {"user_id": post.author, "url": url, "title": post.title}
        shown = {"user_id": post.author, "url": url}
        return {
            "post": post,
            "url": url,
            "submit_url": f"{self.site}/submit/auto?{urlencode(asked)}",
            "badge_url": f"{self.site}/badge.svg?{urlencode(shown)}",
        }

    def _page(self, template: str, context: dict[str, object], status: int = 200) -> Page:
        shown = {"site": self.site, "byline": BYLINE, **context}
        text = ENGINE.get_template(template).render(Context(shown))
        return Page(text.encode(), status)
