"""`python -m sandbox.browser`: the Chromium of the browser tests, found here or installed."""

import os
import shutil
import subprocess
import sys

from playwright.sync_api import sync_playwright

from sandbox.errors import SandboxError

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
SHELL = "chromium-headless-shell"
INSTALL_SECONDS = 600
# Root has no sandbox of the kind Chromium wants; the rest keeps it from calling home.
ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]


def found_chromium() -> str | None:
    """Return a Chromium of this machine, or the one that playwright installed before."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None


def found_shell() -> str | None:
    """Return the Chromium without windows, for tests that need no profile: a fifth of the work."""
    return shutil.which(SHELL) or found_chromium()


def installed_chromium() -> str:
    """Return a Chromium, installed by playwright or by the system's packages where none is."""
    if path := found_chromium():
        return path
    attempts = [[[sys.executable, "-m", "playwright", "install", "chromium"]]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "-qy", "chromium"]
        attempts.append([["apt-get", "update", "-q"], [*install, SHELL]])
        # A system older than the package of the shell.
        attempts.append([install])
    for commands in attempts:
        is_done = all(_succeeds(command) for command in commands)
        if is_done and (path := found_chromium()):
            return path
    raise SandboxError(
        "The browser tests need Chromium: install it with your system's packages "
        "(Debian: apt-get install chromium) and run this again."
    )


def _succeeds(command: list[str]) -> bool:
    print("+", *command, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    try:
        print(f"The browser tests use {installed_chromium()}.")
    except SandboxError as error:
        sys.exit(str(error))
