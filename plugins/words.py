"""`python -m plugins.words`: write the words of the WordPress plugin that translators translate.

The same file comes out on each machine, without a date, so that a test can compare it.
"""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "wordpress"
TARGET = FOLDER / "languages" / "flattr-button.pot"
HEADER = """\
msgid ""
msgstr ""
"Project-Id-Version: Flattr Button\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"X-Domain: flattr-button\\n"
"""
CALL = re.compile(
    r"\b(?:__|_e|esc_html__|esc_attr__|esc_html_e|esc_attr_e)\(\s*'((?:[^'\\]|\\.)*)',"
    r"\s*'flattr-button'"
)
PLUGIN_HEADERS = ("Plugin Name", "Description")


def words() -> dict[tuple[str, str], list[str]]:
    """Return where each text stands, by its context and itself."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted([*FOLDER.rglob("*.php"), *FOLDER.rglob("*.js")]):
        text = path.read_text()
        for call in CALL.finditer(text):
            line = text.count("\n", 0, call.start()) + 1
            place = f"{path.relative_to(FOLDER).as_posix()}:{line}"
            found.setdefault(("", re.sub(r"\\(.)", r"\1", call[1])), []).append(place)
    main = (FOLDER / "flattr-button.php").read_text()
    for header in PLUGIN_HEADERS:
        told = re.findall(rf"(?m)^ \* {header}: +(.+)$", main)[0]
        found.setdefault(("", told), []).append("flattr-button.php")
    block = json.loads((FOLDER / "block" / "block.json").read_text())
    for context, told in [
        ("block title", block["title"]),
        ("block description", block["description"]),
        *(("block keyword", keyword) for keyword in block["keywords"]),
    ]:
        found.setdefault((context, told), []).append("block/block.json")
    return found


def pot() -> str:
    """Return the file of words that are not yet translated."""
    entries = [HEADER]
    for (context, text), places in words().items():
        told = [f"#: {place}" for place in places]
        if context:
            told.append(f"msgctxt {json.dumps(context)}")
        told += [f"msgid {json.dumps(text, ensure_ascii=False)}", 'msgstr ""']
        entries.append("\n".join(told) + "\n")
    return "\n".join(entries)


if __name__ == "__main__":
    TARGET.write_text(pot())
