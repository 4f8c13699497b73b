"""The real web server on the database of a benchmark, with two views more."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.world import World
from sandbox.children import Child, wait_until
from sandbox.environment import ROOT
from sandbox.ports import LOOPBACK, free_port


@contextmanager
def running_web(world: World) -> Iterator[int]:
    """Run the site as it is hosted, `benchmarks.web_urls` beside it, and give its port."""
    port = free_port()
    environment = world.environment("month") | {"DJANGO_SETTINGS_MODULE": "benchmarks.web_settings"}
    web = Child("web", world.folder / "web.log")
    command = [sys.executable, "-m", "gunicorn", "django.core.wsgi:get_wsgi_application()"]
    command += [f"--bind={LOOPBACK}:{port}", "--workers=2", "--threads=4", "--keep-alive=60"]
    web.start([*command, "--log-level=warning"], environment, ROOT)
    try:
        assert wait_until(lambda: answers(port), 60), f"the web server did not start; see {web.log}"
        yield port
    finally:
        web.stop(10)


def answers(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
