"""The command line for these tests."""

import pytest

from tests.unit.interfaces.command_line import CommandLine


@pytest.fixture
def neuratrade(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Runs a command line in this process."""
    return CommandLine(monkeypatch, capsys)
