"""`python -m sandbox.draw_images`: draw the static badges (PNG) anew from their sources (SVG)."""

import re
from pathlib import Path

from playwright.sync_api import sync_playwright

from sandbox.browser import ARGUMENTS, installed_chromium
from sandbox.environment import ROOT

IMAGES = ROOT / "buttons" / "embed" / "art" / "images"


def draw(folder: Path) -> list[Path]:
    """Draw each SVG of a folder, in its own size and on nothing, into a PNG beside it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed_chromium(), args=[*ARGUMENTS, "--hide-scrollbars"]
        )
        page = browser.new_page()
        drawn = []
        for source in sorted(folder.glob("*.svg")):
            svg = source.read_text()
            size = re.search(r'width="(\d+)" height="(\d+)"', svg)
            assert size is not None, f"{source.name} does not say how large it is"
            page.set_viewport_size({"width": int(size[1]), "height": int(size[2])})
            page.set_content(f"<style>body{{margin:0}}svg{{display:block}}</style>{svg}")
            drawn.append(source.with_suffix(".png"))
            page.screenshot(path=drawn[-1], omit_background=True)
        browser.close()
    return drawn


if __name__ == "__main__":
    for image in draw(IMAGES):
        print(f"{image.relative_to(ROOT)}: {image.stat().st_size} bytes")
