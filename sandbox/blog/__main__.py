"""`python -m sandbox.blog`: serve the blog and the mail page on loopback."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.blog.pages import Blog
from sandbox.environment import port_of
from sandbox.ports import LOOPBACK


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; asks nothing, stores nothing, sets no cookie."""

    blog: Blog

    def do_GET(self) -> None:
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def _answer(self, has_body: bool) -> None:
        # Another name that leads here is a page that wants to read the mail (DNS rebinding).
        if self.headers.get("Host") != urlsplit(self.blog.own_address).netloc:
            self.send_error(421, f"This blog lives at {self.blog.own_address}/")
            return
        page = self.blog.answer(urlsplit(self.path).path)
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if has_body:
            self.wfile.write(page.body)


def main() -> None:
    port = port_of("BLOG_PORT")
    Handler.blog = Blog(
        own_address=f"http://{LOOPBACK}:{port}",
        site=os.environ["BASE_URL"].rstrip("/"),
        mail_folder=Path(os.environ["SANDBOX_DATA"]) / "mail",
    )
    ThreadingHTTPServer((LOOPBACK, port), Handler).serve_forever()


if __name__ == "__main__":
    main()
