"""The plugin for WordPress as a file to upload; `python -m buttons.plugin_zip` writes it.

The same bytes come out on each machine: names in order, one date, and nothing compressed, since
what zlib makes of a text differs from version to version.
"""

import sys
from functools import cache
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "plugins" / "wordpress"
PLUGIN = "flattr-button"
KINDS = (".php", ".js", ".json", ".txt", ".pot")
# The earliest date that the format knows.
DATE = (1980, 1, 1, 0, 0, 0)


@cache
def plugin_zip() -> bytes:
    """Return the plugin's files in a folder of its name, as WordPress wants them."""
    archive = BytesIO()
    with ZipFile(archive, "w", ZIP_STORED) as files:
        for path in sorted(path for path in FOLDER.rglob("*") if path.suffix in KINDS):
            entry = ZipInfo(f"{PLUGIN}/{path.relative_to(FOLDER).as_posix()}", DATE)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            files.writestr(entry, path.read_bytes())
    return archive.getvalue()


def main() -> None:
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{PLUGIN}.zip").write_bytes(plugin_zip())


if __name__ == "__main__":
    main()
