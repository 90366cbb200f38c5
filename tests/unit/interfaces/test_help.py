"""Help: every command has an example, knows `--json`, and help loads nothing heavy."""

import subprocess
import sys

import typer

from neuratrade.interfaces.cli.main import app
from tests.unit.interfaces.command_line import CommandLine

GROUPS = {(), ("intent",), ("audit",), ("data",)}


def command_names() -> list[tuple[str, ...]]:
    """Every command there is, as words."""
    found: list[tuple[str, ...]] = [()]
    for name, command in vars(typer.main.get_command(app))["commands"].items():
        found.append((name,))
        found.extend((name, inner) for inner in getattr(command, "commands", {}))
    return found


def test_every_command_has_help_with_an_example(neuratrade: CommandLine) -> None:
    names = command_names()
    assert len(names) >= 18
    for words in names:
        ended = neuratrade(*words, "--help")
        assert ended.code == 0
        assert f"Example: neuratrade {' '.join(words)}".rstrip() in ended.out, words


def test_every_command_knows_json(neuratrade: CommandLine) -> None:
    for words in command_names():
        if words not in GROUPS:
            assert "--json" in neuratrade(*words, "--help").out, words


def test_no_line_of_help_is_cut_short(neuratrade: CommandLine) -> None:
    for words in GROUPS:
        assert "..." not in neuratrade(*words, "--help").out.replace("[ARGS]...", ""), words


def test_help_imports_nothing_heavy() -> None:
    """What is imported decides how long help takes, on every machine alike."""
    heavy = ("numba", "numpy", "polars", "sqlalchemy", "pydantic", "rich", "cryptography", "asyncio")
    code = (
        "import sys\nfrom neuratrade.interfaces.cli.main import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"
