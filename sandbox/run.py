"""`make run`: the whole site on one machine, and what stands in for the outside world."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sandbox.children import Child, wait_until
from sandbox.demo.people import DEMO_PASSWORD, DEMO_PEOPLE
from sandbox.environment import PORTS, ROOT, Parts, data_folder, held_parts, port_of
from sandbox.errors import SandboxError
from sandbox.ports import LOOPBACK, answers, is_free
from sandbox.stopping import StopRequested, has_terminal, say

START_SECONDS = 60
WATCH_SECONDS = 0.5
# Who answers on which port.
PAGES = {"web": "PORT", "blog": "BLOG_PORT", "stripe": "STRIPE_PORT"}
WEB_WORKERS = 2
WEB_THREADS = 4
BANNER = """
  Flattr runs.

    The site             http://localhost:{web}/
    A blog, elsewhere    http://{loopback}:{blog}/
    Mail sent so far     http://{loopback}:{blog}/mail/
    Stripe, pretended    http://{loopback}:{stripe}/
    Admin                http://localhost:{web}/admin/

    Sign in with the password {password} as
{people}

  What to try: open the blog and press a Flattr button; or sign up, read the mail, add
  money with the card 4242 4242 4242 4242, and then run `make close` in another terminal:
  it ends the month at once, and the creators can withdraw what they earned.

  Logs: {logs}/*.log    Ctrl-C stops everything.
"""


def run() -> None:
    """Start everything, say where it is, and keep it together until a signal or a failure."""
    folder = data_folder()
    _require_free_ports()
    began_in_terminal = has_terminal()
    say("Starting Flattr ...")
    ready = folder / "ready"
    with held_parts(folder) as parts:
        try:
            environment = parts.environment()
            with _started(_commands(folder, environment), environment, folder / "logs") as site:
                ready.touch()
                say(_banner(folder))
                _watch(site, parts, began_in_terminal)
        finally:
            ready.unlink(missing_ok=True)
            say("Stopping ...")


def _require_free_ports() -> None:
    users: dict[int, str] = {}
    for name in PORTS:
        port = port_of(name)
        if port in users:
            raise SandboxError(f"{users[port]} and {name} are both {port}: give each its own port.")
        if not is_free(port):
            raise SandboxError(
                f"Port {port} is taken: stop what uses it, or choose another one with "
                f"`make run {name}=...`."
            )
        users[port] = name


def _commands(folder: Path, environment: Mapping[str, str]) -> dict[str, list[str]]:
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--app", "flattr_site"]
    # The web comes first: `_started` waits for it.
    commands = {
        "web": [
            *python,
            "gunicorn",
            "flattr_site.wsgi",
            f"--bind={LOOPBACK}:{environment['PORT']}",
            f"--workers={WEB_WORKERS}",
            f"--threads={WEB_THREADS}",
            "--preload",
            # A picture of many badges names all their pages.
            "--limit-request-line=8190",
            "--graceful-timeout=5",
            "--access-logfile=-",
            "--no-control-socket",
        ],
        # Nothing is revoked, so there is nothing to ask other workers for when one comes up.
        "worker": [*celery, "worker", "--concurrency=2", "--loglevel=INFO", "--without-mingle"],
        "beat": [*celery, "beat", f"--schedule={folder / 'beat-schedule'}", "--pidfile="],
        "blog": [*python, "sandbox.blog"],
    }
    if environment.get("STRIPE_API_BASE", "").startswith(f"http://{LOOPBACK}:"):
        commands["stripe"] = [*python, "sandbox.stripe", "--data", str(folder / "stripe")]
    return commands


@contextmanager
def _started(
    commands: Mapping[str, list[str]], environment: Mapping[str, str], logs: Path
) -> Iterator[list[Child]]:
    """Run the commands; at the end ask all to stop at once, then wait for each.

    The site itself starts alone, so that nothing slows down its first page.
    """
    started: list[Child] = []
    try:
        for name, command in commands.items():
            child = Child(name, logs / f"{name}.log")
            child.log.unlink(missing_ok=True)
            child.start(command, environment, ROOT)
            started.append(child)
            if name == "web":
                _wait_for(started, [port_of("PORT")])
        _wait_for(started, [port_of(PAGES[name]) for name in commands if name in PAGES])
        yield started
    finally:
        for child in started:
            child.ask_to_stop()
        for child in started:
            child.stop()


def _wait_for(site: list[Child], ports: list[int]) -> None:
    def is_up() -> bool:
        _require_running(site)
        return all(answers(port) for port in ports)

    if not wait_until(is_up, START_SECONDS):
        raise SandboxError(f"The site did not answer within {START_SECONDS} s: see the logs.")


def _watch(site: list[Child], parts: Parts, began_in_terminal: bool) -> None:
    embedded = [part for part in (parts.postgres, parts.redis) if part is not None]
    while all(part.is_running() for part in embedded):
        _require_running(site)
        # A closed window hangs up on make, which then waits for this process without telling it.
        if began_in_terminal and not has_terminal():
            raise StopRequested(signal.SIGHUP)
        time.sleep(WATCH_SECONDS)
    raise SandboxError(f"PostgreSQL or Redis stopped by itself: see the logs in {parts.folder}.")


def _require_running(site: list[Child]) -> None:
    for child in site:
        if not child.is_running():
            raise SandboxError(
                f"{child.name} stopped by itself; {child.log} ends with:\n{child.last_words()}"
            )


def _banner(folder: Path) -> str:
    people = [f"      {person.email:<24} {person.about}" for person in DEMO_PEOPLE]
    return BANNER.format(
        web=port_of("PORT"),
        blog=port_of("BLOG_PORT"),
        stripe=port_of("STRIPE_PORT"),
        loopback=LOOPBACK,
        password=DEMO_PASSWORD,
        people="\n".join(people),
        logs=folder / "logs",
    )
