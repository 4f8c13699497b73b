"""The scripts as they are served: with this instance's address, without comments and spaces."""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from string import ascii_letters

ART = Path(__file__).parent / "art"
# A changed script goes on being served under the versions that pages name: with their checksum in
# the page, a browser takes nothing else.
EARLIER = "button-before-*.js"

STRING = re.compile(r"""("(?:[^"\\\n]|\\.)*"|/(?:[^/\\\n ]|\\.)+/[a-z]*(?=[.,)]))""")
WORD = re.compile(r"(?<![\w$])(?:(?<!\.)|(?<=\.\.\.))[A-Za-z]\w*")
NAMES = re.compile(r"(?m)^// Served shorter: (.+)$")
AROUND_SIGNS = re.compile(r" *([=(){}\[\],;:?&|<>+!]) *")


@cache
def script(name: str, base_url: str) -> str:
    """Return a script of the art folder for an instance.

    Comments have lines of their own, and each line ends where a statement may. Besides, outside of
    strings and patterns, the space around signs goes, and the local names that the source lists
    become letters: such a name is nowhere the name of a property, except after a dot.
    """
    source = (ART / name).read_text()
    lines = (line.strip() for line in source.splitlines())
    kept = "\n".join(line for line in lines if line and not line.startswith("//"))
    parts = STRING.split(kept)
    listed = NAMES.search(source)
    letters = dict(zip(listed[1].split() if listed else (), ascii_letters, strict=False))
    parts[::2] = (_shorten(AROUND_SIGNS.sub(r"\1", part), letters) for part in parts[::2])
    return "".join(parts).replace('"BASE"', json.dumps(base_url))


def _shorten(code: str, letters: dict[str, str]) -> str:
    return WORD.sub(lambda word: letters.get(word[0], word[0]), code)


def button_script(base_url: str) -> str:
    return script("button.js", base_url)


def version_of(base_url: str) -> str:
    """Return what the script's versioned address carries: it changes whenever the script does."""
    return _version(button_script(base_url))


def checksum_of(base_url: str) -> str:
    """Return what a page writes into `integrity`, so that its browser takes this script only."""
    digest = hashlib.sha384(button_script(base_url).encode()).digest()
    return f"sha384-{base64.b64encode(digest).decode()}"


@cache
def button_scripts(base_url: str) -> dict[str, str]:
    """Return each script that was ever released by its version, today's among them."""
    names = ["button.js", *(path.name for path in ART.glob(EARLIER))]
    scripts = [script(name, base_url) for name in names]
    return {_version(each): each for each in scripts}


def _version(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()[:12]
