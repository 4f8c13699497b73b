"""The plugin's sources, by PHP's and the translators' own programs."""

import subprocess
from pathlib import Path

import pytest

from plugins.words import FOLDER, TARGET

RULES = Path(__file__).with_name("phpcs.xml")


def said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def standard() -> Path:
    """Return the whole WordPress standard where it is installed, else what is there of it."""
    known = subprocess.run(["phpcs", "-i"], capture_output=True, text=True, check=True).stdout
    return FOLDER / "phpcs.xml.dist" if "WordPress" in known else RULES


@pytest.mark.needs("PHP_CodeSniffer")
def test_the_plugin_follows_the_coding_standard():
    assert said("phpcs", "-s", f"--standard={standard()}", "--extensions=php", FOLDER) == ""


@pytest.mark.needs("PHP_CodeSniffer")
def test_the_coding_standard_would_refuse_another_style(tmp_path):
    (tmp_path / "other.php").write_text(
        "<?php\n/** X. */\n\n$a = [1,2];\nif($a){\n    echo $a ;\n}\n"
    )
    assert "ERROR" in said("phpcs", f"--standard={standard()}", tmp_path)


@pytest.mark.needs("gettext")
def test_the_words_are_a_file_that_translators_programs_read(tmp_path):
    assert said("msgfmt", "--check-format", "-o", tmp_path / "words.mo", TARGET) == ""
