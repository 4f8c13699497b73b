"""The whole sandbox as another process, and a real browser to visit it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from sandbox.browser import ARGUMENTS, found_shell
from sandbox.environment import ROOT
from sandbox.ports import LOOPBACK, free_port


@dataclass(frozen=True)
class RunningSite:
    """A whole sandbox, as `make run` starts it, in a folder of its own."""

    web: str
    blog: str
    stripe: str
    folder: Path
    environment: dict[str, str]
    process: "subprocess.Popen[str]"

    def manage(self, *arguments: str) -> str:
        """Run a management command against it and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", "manage", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def sandbox_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which a sandbox brings all its own parts, on free ports."""
    named = re.findall(r'env\.\w+\(\s*"(\w+)"', (ROOT / "flattr_site" / "settings.py").read_text())
    kept = {name: value for name, value in os.environ.items() if name not in named}
    ports = {name: str(free_port()) for name in ("PORT", "BLOG_PORT", "STRIPE_PORT")}
    return {**kept, **ports, "SANDBOX_DATA": str(folder)}


@contextmanager
def running_sandbox(folder: Path, *neighbours: str) -> Iterator[RunningSite]:
    """Run a sandbox until the block ends; it may also fetch what `neighbours` on loopback serve."""
    environment = sandbox_environment(folder)
    if neighbours:
        hosts = [f"{LOOPBACK}:{environment['BLOG_PORT']}", *neighbours]
        environment["FETCH_ALLOWED_HOSTS"] = ",".join(hosts)
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "run"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        seen: list[str] = []
        for line in process.stdout:
            seen.append(line)
            if "Ctrl-C stops everything" in line:
                break
        assert process.poll() is None, "".join(seen)
        yield RunningSite(
            web=f"http://localhost:{environment['PORT']}",
            blog=f"http://127.0.0.1:{environment['BLOG_PORT']}",
            stripe=f"http://127.0.0.1:{environment['STRIPE_PORT']}",
            folder=folder,
            environment=environment,
            process=process,
        )
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stdout.close()


@pytest.fixture(scope="session")
def running_site(tmp_path_factory) -> Iterator[RunningSite]:
    """The whole site with demo data, shared by the browser tests."""
    with running_sandbox(tmp_path_factory.mktemp("a whole site")) as site:
        yield site


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What drives the browsers: one for the session, since two cannot run in one thread."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright) -> Iterator[Browser]:
    """A real Chromium; each test opens its own context, with the site's cookies apart."""
    path = found_shell()
    assert path is not None, "no Chromium here: run `make test`, which installs one"
    chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
    yield chromium
    chromium.close()
