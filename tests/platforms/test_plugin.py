"""The plugin's sources, by PHP's and the translators' own programs."""

import subprocess
from pathlib import Path

import pytest

from plugins.words import FOLDER, TARGET
from tests.platforms.parts import WORDPRESS_STANDARD

RULES = Path(__file__).with_name("phpcs.xml")


def said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr


# All of the standard. It is older than the PHP that runs it, whose notices are none of ours; and
# where it finds a fault it may end while it words it, which is a fault found all the same.
WHOLE = ("-d", "error_reporting=1", "--runtime-set", "installed_paths", WORDPRESS_STANDARD)
FAULTS = {
    "another style": "$a = array(1,2);\nif($a){\n    echo 'a' ;\n}\n",
    "not escaped": "echo $_GET['a'];\n",
    "not prefixed": "function other_thing() {\n\treturn 1;\n}\n",
}


@pytest.mark.needs("PHP_CodeSniffer")
def test_the_plugin_follows_the_coding_standard():
    assert said("phpcs", "-s", f"--standard={RULES}", "--extensions=php", FOLDER) == ""


@pytest.mark.needs("PHP_CodeSniffer")
def test_the_coding_standard_would_refuse_another_style(tmp_path):
    (tmp_path / "other.php").write_text(f"<?php\n{FAULTS['another style']}")
    assert "ERROR" in said("phpcs", f"--standard={RULES}", tmp_path)


@pytest.mark.needs("WordPress standard")
def test_the_plugin_follows_all_of_the_wordpress_standard():
    rules = FOLDER / "phpcs.xml.dist"
    assert said("phpcs", "-s", *WHOLE, f"--standard={rules}", "--extensions=php", FOLDER) == ""


@pytest.mark.needs("WordPress standard")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_wordpress_standard_would_refuse_it(tmp_path, fault):
    (tmp_path / "other.php").write_text(f"<?php\n{FAULTS[fault]}")
    assert said("phpcs", *WHOLE, f"--standard={FOLDER / 'phpcs.xml.dist'}", tmp_path) != ""


@pytest.mark.needs("gettext")
def test_the_words_are_a_file_that_translators_programs_read(tmp_path):
    assert said("msgfmt", "--check-format", "-o", tmp_path / "words.mo", TARGET) == ""
