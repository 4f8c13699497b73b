"""`make run`: the whole site on one machine, and what stands in for the outside world."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sandbox.children import Child, wait_until
from sandbox.environment import PORTS, ROOT, Parts, data_folder, held_parts, port_of
from sandbox.errors import SandboxError
from sandbox.ports import LOOPBACK, answers, is_free
from sandbox.stopping import say

START_SECONDS = 60
WATCH_SECONDS = 0.5
WEB_WORKERS = 2
WEB_THREADS = 4
BANNER = """
  Flattr runs.

    The site             http://localhost:{web}/
    A blog, elsewhere    http://{loopback}:{blog}/
    Mail sent so far     http://{loopback}:{blog}/mail/
    Stripe, pretended    http://{loopback}:{stripe}/
    Admin                http://localhost:{web}/admin/

{sign_ins}
  What to try: open the blog and press a Flattr button; or sign up, read the mail, add
  money with the card 4242 4242 4242 4242, and then run `make close` in another terminal:
  it ends the month at once, and the creators can withdraw what they earned.

  Logs: {logs}/*.log    Ctrl-C stops everything.
"""


def run() -> None:
    """Start everything, say where it is, and keep it together until a signal or a failure."""
    folder = data_folder()
    for name in PORTS:
        if not is_free(port_of(name)):
            raise SandboxError(
                f"Port {port_of(name)} is taken: stop what uses it, or choose another one with "
                f"`make run {name}=...`."
            )
    say("Starting Flattr ...")
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    with held_parts(folder) as parts:
        try:
            environment = parts.environment()
            sign_ins = _prepare(environment)
            with _started(_children(folder), _commands(folder, environment), environment) as site:
                _wait_for_pages(site)
                ready.touch()
                say(_banner(folder, sign_ins))
                _watch(site, parts)
        finally:
            ready.unlink(missing_ok=True)
            say("Stopping ...")


def _prepare(environment: Mapping[str, str]) -> str:
    """Migrate and fill the database where needed; return what the banner says of sign-ins."""
    command = [sys.executable, "-m", "sandbox.prepare"]
    prepared = subprocess.run(
        command, cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, text=True
    )
    if prepared.returncode != 0:
        raise SandboxError("The database could not be prepared: the lines above say why.")
    return prepared.stdout


def _commands(folder: Path, environment: Mapping[str, str]) -> dict[str, list[str]]:
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--app", "flattr_site"]
    commands = {
        "web": [
            *python,
            "gunicorn",
            "flattr_site.wsgi",
            f"--bind={LOOPBACK}:{environment['PORT']}",
            f"--workers={WEB_WORKERS}",
            f"--threads={WEB_THREADS}",
            "--graceful-timeout=5",
            "--access-logfile=-",
            "--no-control-socket",
        ],
        "worker": [*celery, "worker", "--concurrency=2", "--loglevel=INFO"],
        "beat": [*celery, "beat", f"--schedule={folder / 'beat-schedule'}", "--pidfile="],
        "blog": [*python, "sandbox.blog"],
    }
    if environment.get("STRIPE_API_BASE", "").startswith(f"http://{LOOPBACK}:"):
        commands["stripe"] = [*python, "sandbox.stripe", "--data", str(folder / "stripe")]
    return commands


def _children(folder: Path) -> Mapping[str, Child]:
    names = ("web", "worker", "beat", "blog", "stripe")
    return {name: Child(name, folder / "logs" / f"{name}.log") for name in names}


@contextmanager
def _started(
    children: Mapping[str, Child],
    commands: Mapping[str, list[str]],
    environment: Mapping[str, str],
) -> Iterator[list[Child]]:
    """Run the commands; at the end ask all to stop at once, then wait for each."""
    started = []
    try:
        for name, command in commands.items():
            children[name].log.unlink(missing_ok=True)
            children[name].start(command, environment, ROOT)
            started.append(children[name])
        yield started
    finally:
        for child in started:
            child.ask_to_stop()
        for child in started:
            child.stop()


def _wait_for_pages(site: list[Child]) -> None:
    names = {child.name for child in site}
    wanted = {"web": "PORT", "blog": "BLOG_PORT", "stripe": "STRIPE_PORT"}
    ports = [port_of(port) for name, port in wanted.items() if name in names]

    def is_up() -> bool:
        _require_running(site)
        return all(answers(port) for port in ports)

    if not wait_until(is_up, START_SECONDS):
        raise SandboxError(f"The site did not answer within {START_SECONDS} s: see the logs.")


def _watch(site: list[Child], parts: Parts) -> None:
    embedded = [part for part in (parts.postgres, parts.redis) if part is not None]
    while all(part.is_running() for part in embedded):
        _require_running(site)
        time.sleep(WATCH_SECONDS)
    raise SandboxError(f"PostgreSQL or Redis stopped by itself: see the logs in {parts.folder}.")


def _require_running(site: list[Child]) -> None:
    for child in site:
        if not child.is_running():
            raise SandboxError(
                f"{child.name} stopped by itself; {child.log} ends with:\n{child.last_words()}"
            )


def _banner(folder: Path, sign_ins: str) -> str:
    return BANNER.format(
        web=port_of("PORT"),
        blog=port_of("BLOG_PORT"),
        stripe=port_of("STRIPE_PORT"),
        loopback=LOOPBACK,
        sign_ins=sign_ins,
        logs=folder / "logs",
    )
