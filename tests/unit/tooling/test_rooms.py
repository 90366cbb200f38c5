"""The contracts of the rooms bite: they are run on a house in which imports are wrong."""

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOMS = "interfaces app brain quests research rehearsal hands memory venues feeds store core".split()
LINT_IMPORTS = """
import sys
from importlinter.cli import lint_imports
sys.path.insert(0, "src")
sys.exit(lint_imports())
"""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT_IMPORTS],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def house(repository: Path, tmp_path: Path) -> Path:
    """A house with every room, each empty, under the real contracts."""
    shutil.copy(repository / "pyproject.toml", tmp_path)
    for room in ["", *ROOMS]:
        package = tmp_path / "src" / "neuratrade" / room
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
    return tmp_path


def furnish(house: Path, room: str, *lines: str) -> None:
    (house / "src" / "neuratrade" / room / "desk.py").write_text("\n".join(lines) + "\n")


def test_each_room_may_import_the_one_below_it(house: Path) -> None:
    for upper, lower in itertools.pairwise(ROOMS):
        furnish(house, upper, f"import neuratrade.{lower}")
    result = lint_imports(house)
    assert result.returncode == 0, result.stdout


def test_no_room_may_import_the_one_above_it(house: Path) -> None:
    for upper, lower in itertools.pairwise(ROOMS):
        furnish(house, lower, f"import neuratrade.{upper}")
    result = lint_imports(house)
    assert result.returncode == 1
    for upper, lower in itertools.pairwise(ROOMS):
        assert f"neuratrade.{lower}.desk -> neuratrade.{upper}" in result.stdout


def test_a_room_that_is_not_on_the_plan_is_refused(house: Path) -> None:
    attic = house / "src" / "neuratrade" / "attic"
    attic.mkdir()
    (attic / "__init__.py").touch()
    result = lint_imports(house)
    assert result.returncode == 1
    assert "attic" in result.stdout


def test_the_core_may_not_import_what_reads_the_world(house: Path) -> None:
    modules = "asyncio logging os pathlib pydantic random rich socket sqlalchemy time typer zoneinfo".split()
    furnish(house, "core", *(f"import {module}" for module in modules))
    result = lint_imports(house)
    assert result.returncode == 1
    for module in modules:
        assert f"neuratrade.core.desk -> {module}" in result.stdout


def test_the_core_may_import_what_only_computes(house: Path) -> None:
    furnish(
        house, "core", "import decimal", "import hashlib", "import msgspec", "import numba", "import numpy"
    )
    result = lint_imports(house)
    assert result.returncode == 0, result.stdout
