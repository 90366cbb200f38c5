"""One command line in this process, as `neuratrade` would end it."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from neuratrade.interfaces.cli.main import main


@dataclass(frozen=True)
class Ended:
    """How it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


class CommandLine:
    """Runs command lines; stdout and stderr are captured apart."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str) -> Ended:
        """Runs to the end."""
        self._monkeypatch.setattr("sys.argv", ["neuratrade", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = self._capsys.readouterr()
        assert "Traceback" not in said.err, said.err
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, said.out, said.err)
