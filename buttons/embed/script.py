"""The script of the button, as it is served: with this instance's address, without its comments."""

import hashlib
import json
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent / "art" / "button.js"


@cache
def button_script(base_url: str) -> str:
    """Return the script for an instance. Comments have lines of their own, so lines can go."""
    lines = (line.strip() for line in SOURCE.read_text().splitlines())
    kept = "\n".join(line for line in lines if line and not line.startswith("//"))
    return kept.replace('"BASE"', json.dumps(base_url))


@cache
def version_of(base_url: str) -> str:
    """Return what the script's versioned address carries: it changes whenever the script does."""
    return hashlib.sha256(button_script(base_url).encode()).hexdigest()[:12]
