"""What `make test` does about platforms whose programs are not on every machine."""

import subprocess

import pytest

from tests.platforms import parts


@pytest.fixture
def ran(monkeypatch) -> list[list[str]]:
    """What would have been run."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(parts.subprocess, "run", run)
    return commands


def test_where_nothing_is_installed_nothing_runs_and_the_number_is_said(monkeypatch, capsys, ran):
    monkeypatch.setattr(parts, "missing", lambda: list(parts.PARTS))
    assert parts.test() == 0
    assert ran == []
    assert f"SKIPPED {len(parts.PARTS)} of {len(parts.PARTS)} programs" in capsys.readouterr().out


def test_what_is_installed_is_tested_and_the_rest_is_named(monkeypatch, capsys, ran):
    monkeypatch.setattr(parts, "missing", lambda: list(parts.PARTS[-2:]))
    assert parts.test() == 0
    names = ", ".join(part.name for part in parts.PARTS[-2:])
    assert f"SKIPPED 2 of {len(parts.PARTS)} programs of platforms: {names}." in (
        capsys.readouterr().out
    )
    assert ["tests/platforms" in command for command in ran] == [True]


def test_where_everything_is_installed_nothing_is_skipped(monkeypatch, capsys, ran):
    monkeypatch.setattr(parts, "missing", lambda: [])
    assert parts.test() == 0
    assert "SKIPPED" not in capsys.readouterr().out
    assert len(ran) == 1
