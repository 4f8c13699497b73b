"""`python -m benchmarks.embed_bytes`: what a foreign page loads until its buttons count.

Asks a running instance (`--site`) as a browser does, and counts its answers compressed, as
the proxy in front of it sends them. Headers are not counted. The last line is JSON.
"""

import argparse
import gzip
import json
import sys
from dataclasses import dataclass
from urllib.parse import quote

import httpcore

LAYOUTS = ("flat", "compact", "large", "icon")
MANY = 10


@dataclass(frozen=True)
class Loaded:
    requests: int
    raw_bytes: int
    gzip_bytes: int

    def __add__(self, other: "Loaded") -> "Loaded":
        return Loaded(
            self.requests + other.requests,
            self.raw_bytes + other.raw_bytes,
            self.gzip_bytes + other.gzip_bytes,
        )


def load(address: str) -> Loaded:
    """Return what one request for an address brings."""
    response = httpcore.request("GET", address)
    assert response.status == 200, f"{address} answered {response.status}"
    return Loaded(1, len(response.content), len(gzip.compress(response.content)))


def badge(site: str, layout: str, badges: int) -> str:
    pages = "".join(f"&url={quote(f'https://blog.example/{n}', safe='')}" for n in range(badges))
    return f"{site}/badge.svg?layout={layout}{pages}"


def as_served(site: str) -> dict[str, int]:
    """Return what `button.js` with one button loads in each layout, compressed, in bytes."""
    script = load(f"{site}/button.js")
    loaded = {layout: script + load(badge(site, layout, 1)) for layout in LAYOUTS}
    [requests] = {each.requests for each in loaded.values()}
    sizes = {f"{layout}_gzip_bytes": each.gzip_bytes for layout, each in loaded.items()}
    return {"button_js_gzip_bytes": script.gzip_bytes, "requests": requests, **sizes}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embed_bytes", description=__doc__)
    parser.add_argument("--site", default="http://localhost:8000", help="a running instance")
    site = parser.parse_args().site
    script, loader = load(f"{site}/button.js"), load(f"{site}/js/0.6/load.js?mode=auto")
    rows = {}
    for layout in LAYOUTS:
        one = load(badge(site, layout, 1))
        rows[f"{layout}, link and badge"] = one
        rows[f"{layout}, `button.js`"] = script + one
        rows[f"{layout}, `button.js`, {MANY} buttons"] = script + load(badge(site, layout, MANY))
    rows["old markup, `load.js`"] = loader + load(badge(site, "large", 1))
    rows["old frame"] = load(f"{site}/button/view/?uid=bob&url=https%3A%2F%2Fblog.example%2F0")
    for name, loaded in rows.items():
        sizes = f"{loaded.requests} | {loaded.raw_bytes:,} | {loaded.gzip_bytes:,}"
        sys.stdout.write(f"| {name} | {sizes} |\n")
    figures = {**as_served(site), "load_js_gzip_bytes": loader.gzip_bytes}
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
