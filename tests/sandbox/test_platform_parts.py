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


def test_the_long_ones_run_only_when_they_are_asked_for(monkeypatch, capsys, ran):
    monkeypatch.setattr(parts, "missing", lambda: [])
    monkeypatch.delenv("PLATFORMS", raising=False)
    parts.test()
    assert "SKIPPED 2 of" in capsys.readouterr().out
    monkeypatch.setenv("PLATFORMS", "all")
    parts.test()
    assert "SKIPPED" not in capsys.readouterr().out
    assert ["tests/platforms" in command for command in ran] == [False, True]
