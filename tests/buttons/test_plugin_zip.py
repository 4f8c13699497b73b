"""The plugin for WordPress as a file: the same bytes everywhere, and its words complete."""

import io
import re
import subprocess
import sys
from zipfile import ZipFile

from buttons import plugin_zip
from plugins.words import TARGET, pot
from sandbox.environment import ROOT


def test_the_file_is_handed_out_as_it_is_made(client, tmp_path):
    command = [sys.executable, "-m", "buttons.plugin_zip", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True)
    answer = client.get("/buttons/wordpress/flattr-button.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.content == (tmp_path / "flattr-button.zip").read_bytes()


def test_a_file_with_another_date_makes_the_same_bytes(tmp_path, monkeypatch):
    made = []
    for second in (1, 2_000_000_000):
        folder = tmp_path / str(second)
        for path in sorted(plugin_zip.FOLDER.rglob("*.*"), reverse=True):
            copy = folder / path.relative_to(plugin_zip.FOLDER)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
        monkeypatch.setattr(plugin_zip, "FOLDER", folder)
        made.append(plugin_zip.plugin_zip.__wrapped__())
    assert made == [plugin_zip.plugin_zip()] * 2


def test_everything_is_in_the_plugins_own_folder():
    names = ZipFile(io.BytesIO(plugin_zip.plugin_zip())).namelist()
    assert all(name.startswith("flattr-button/") for name in names)
    assert {"flattr-button/flattr-button.php", "flattr-button/readme.txt"} <= set(names)


def test_no_other_place_offers_a_newer_version_of_it():
    assert " * Update URI:        false" in (plugin_zip.FOLDER / "flattr-button.php").read_text()


def test_no_file_of_it_does_anything_when_asked_for_alone():
    guards = ("defined( 'ABSPATH' ) || exit;", "defined( 'WP_UNINSTALL_PLUGIN' ) || exit;")
    files = plugin_zip.FOLDER.rglob("*.php")
    open_files = [
        path.name for path in files if not any(guard in path.read_text() for guard in guards)
    ]
    # It only returns a table.
    assert open_files == ["editor.asset.php"]


def test_the_file_of_words_is_of_today():
    assert pot() == TARGET.read_text(), "run `make wordpress-plugin`"


def test_every_word_that_people_read_can_be_translated():
    bare = re.compile(
        r"\b(?:__|_e|esc_\w+__|esc_\w+_e)\((?!\s*'(?:[^'\\]|\\.)*',\s*'flattr-button'\s*\))"
    )
    files = [*plugin_zip.FOLDER.rglob("*.php"), *plugin_zip.FOLDER.rglob("editor.js")]
    assert [path.name for path in files if bare.search(path.read_text())] == []
