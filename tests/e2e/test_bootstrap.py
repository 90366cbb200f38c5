"""`make run` finds a Python, makes .venv once, says what it does, and keeps its output clean."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.small_checkout import REAL_PYTHON, add_python, bare_path, make_small_checkout, run

pytestmark = pytest.mark.slow

OLD_PYTHON = """case "$*" in *version_info*) exit 1 ;; *platform*) echo 3.10.13; exit 0 ;; esac"""
BROKEN_SHIM = "echo 'shim: command not found' >&2; exit 127"
NO_ENSUREPIP = """case "$*" in
"-c import ensurepip") exit 1 ;;
"-m venv --clear --without-pip"*) ;;
"-m venv"*) exit 1 ;;
esac"""


class Made(NamedTuple):
    """A checkout that was bootstrapped, and what the first `make run` said. kept: a copy of it from then."""

    checkout: Path
    kept: Path
    env: dict[str, str]
    said: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def made(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Made once, on a machine where a shim that does not run and an old Python come first on the PATH."""
    root = tmp_path_factory.mktemp("made")
    checkout = make_small_checkout(repository, root / "checkout")
    path_folder = bare_path(root / "bin")
    add_python(path_folder, "python3.13", BROKEN_SHIM)
    add_python(path_folder, "python3.12", OLD_PYTHON)
    add_python(path_folder, "python3")
    env = {"PATH": str(path_folder), "HOME": str(root)}
    said = run("make", "run", "ARGS=--speed max --json", env=env, cwd=checkout)
    shutil.copytree(checkout, root / "kept", symlinks=True)
    return Made(checkout, root / "kept", env, said)


@pytest.fixture
def bootstrapped(made: Made) -> Made:
    """The same as it was right after, in the same place: an environment cannot be used from another."""
    shutil.rmtree(made.checkout, ignore_errors=True)
    shutil.copytree(made.kept, made.checkout, symlinks=True)
    return made


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    return make_small_checkout(repository, tmp_path / "checkout")


@pytest.fixture
def path_folder(tmp_path: Path) -> Path:
    return bare_path(tmp_path / "bin")


@pytest.fixture
def bare(path_folder: Path, tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(path_folder), "HOME": str(tmp_path)}


def test_make_run_bootstraps_once_and_then_answers_at_once(bootstrapped: Made) -> None:
    first = bootstrapped.said
    assert first.returncode == 0, first.stderr
    assert first.stdout == "desk 0.1.0 run --speed max --json\n"
    assert "making .venv with Python" in first.stderr
    assert "hatchling" in first.stderr

    second = run("make", "run", env=bootstrapped.env, cwd=bootstrapped.checkout)
    assert (second.stdout, second.stderr) == ("desk 0.1.0 run\n", "")


def test_shims_that_do_not_run_and_old_pythons_are_passed_over(bootstrapped: Made) -> None:
    assert bootstrapped.said.stdout.startswith("desk 0.1.0 run"), bootstrapped.said.stderr
    assert (bootstrapped.checkout / ".venv" / "bin" / "python").resolve() == REAL_PYTHON


def test_a_changed_lock_is_installed_again(bootstrapped: Made) -> None:
    lock = bootstrapped.checkout / "requirements" / "run.txt"
    lock.write_text(lock.read_text() + "no-such-package==1.0 --hash=sha256:" + "0" * 64 + "\n")
    changed = run("make", "run", env=bootstrapped.env, cwd=bootstrapped.checkout)
    assert changed.returncode != 0
    assert changed.stdout == ""
    assert "no-such-package" in changed.stderr
    assert "run the same command again" in changed.stderr


def test_a_file_that_does_not_match_its_hash_is_refused(bootstrapped: Made) -> None:
    shutil.rmtree(next((bootstrapped.checkout / ".venv" / "lib").glob("python*/site-packages/pluggy")))
    for installed in (bootstrapped.checkout / ".venv" / "lib").glob("python*/site-packages/pluggy-*"):
        shutil.rmtree(installed)
    lock = bootstrapped.checkout / "requirements" / "run.txt"
    lock.write_text("pluggy==1.6.0 --hash=sha256:" + "0" * 64 + "\n")
    refused = run("make", "run", env=bootstrapped.env, cwd=bootstrapped.checkout)
    assert refused.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused.stderr
    assert not (bootstrapped.checkout / ".venv" / ".installed-run").exists()


def test_a_checkout_that_was_moved_is_bootstrapped_anew(bootstrapped: Made, tmp_path: Path) -> None:
    moved = bootstrapped.checkout.rename(tmp_path / "moved")
    result = run("make", "run", env=bootstrapped.env, cwd=moved)
    assert result.stdout == "desk 0.1.0 run\n", result.stderr


def test_python_without_ensurepip_still_bootstraps_with_its_own_pip(
    checkout: Path, path_folder: Path, bare: dict[str, str]
) -> None:
    add_python(path_folder, "python3", NO_ENSUREPIP)
    result = run("make", "run", env=bare, cwd=checkout)
    assert result.stdout == "desk 0.1.0 run\n", result.stderr
    assert "  pip==" in result.stderr


def test_without_a_usable_python_the_error_names_what_was_found_and_what_to_do(
    checkout: Path, path_folder: Path, bare: dict[str, str]
) -> None:
    add_python(path_folder, "python3.13", BROKEN_SHIM)
    add_python(path_folder, "python3", OLD_PYTHON)
    result = run("make", "run", env=bare, cwd=checkout)
    assert result.returncode != 0
    assert "no usable Python: 3.11, 3.12 or 3.13 with pip is needed" in result.stderr
    assert "python3.13 (does not run); python3 (3.10.13);" in result.stderr
    assert "NEURATRADE_PYTHON" in result.stderr
    assert not (checkout / ".venv").exists()


def test_an_interpreter_that_was_named_is_used_or_refused_by_name(
    checkout: Path, path_folder: Path, bare: dict[str, str]
) -> None:
    add_python(path_folder, "python3")
    add_python(path_folder, "mine", OLD_PYTHON)
    result = run("make", "run", env=bare | {"NEURATRADE_PYTHON": "mine"}, cwd=checkout)
    assert result.returncode != 0
    assert "NEURATRADE_PYTHON=mine cannot be used (3.10.13)" in result.stderr


def test_help_is_the_default_and_lists_every_target(checkout: Path, bare: dict[str, str]) -> None:
    listing = run("make", env=bare, cwd=checkout).stdout
    for target in ("run", "test", "check", "format", "lint", "bench", "lock", "clean"):
        assert f"make {target} " in listing
