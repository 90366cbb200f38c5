"""`install.sh` puts the command in, once, upgrades it when asked, takes it out again, keeps the data."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.small_checkout import REAL_PYTHON, add_python, bare_path, make_small_checkout, run, set_version

pytestmark = pytest.mark.slow


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    return make_small_checkout(repository, tmp_path / "checkout")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def bare(tmp_path: Path, home: Path) -> dict[str, str]:
    path_folder = bare_path(tmp_path / "bin")
    add_python(path_folder, "python3")
    return {"PATH": str(path_folder), "HOME": str(home)}


def install(checkout: Path, env: dict[str, str], *options: str | Path) -> subprocess.CompletedProcess[str]:
    return run("sh", checkout / "install.sh", *options, env=env)


class Installed(NamedTuple):
    """A machine on which it was installed, and what that said. kept: what `root` held then."""

    root: Path
    kept: Path
    env: dict[str, str]
    said: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def once(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("once")
    root = folder / "machine"
    checkout = make_small_checkout(repository, root / "checkout")
    (root / "home").mkdir()
    path_folder = bare_path(root / "bin")
    add_python(path_folder, "python3")
    env = {"PATH": str(path_folder), "HOME": str(root / "home")}
    said = install(checkout, env)
    shutil.copytree(root, folder / "kept", symlinks=True)
    return Installed(root, folder / "kept", env, said)


@pytest.fixture
def installed(once: Installed) -> Installed:
    """The machine as it was right after, in the same place."""
    shutil.rmtree(once.root)
    shutil.copytree(once.kept, once.root, symlinks=True)
    return once


def test_the_command_goes_in_stays_the_same_and_comes_out_without_the_data(installed: Installed) -> None:
    checkout, home, bare, first = (
        installed.root / "checkout",
        installed.root / "home",
        installed.env,
        installed.said,
    )
    link = home / ".local" / "bin" / "neuratrade"
    data = home / ".local" / "share" / "neuratrade"

    assert first.returncode == 0, first.stderr
    assert "installed neuratrade 0.1.0" in first.stdout
    assert f"{link.parent} is not on your PATH" in first.stdout

    # The installed command must not need the checkout any more.
    shutil.move(checkout, checkout.with_name("elsewhere"))
    assert run(link, "status", env=bare).stdout == "desk 0.1.0 status\n"
    shutil.move(checkout.with_name("elsewhere"), checkout)

    stamp = (data / "venv" / ".installed-run").stat().st_mtime_ns
    second = install(checkout, bare)
    assert "neuratrade 0.1.0 is installed already: nothing to do" in second.stdout
    assert (data / "venv" / ".installed-run").stat().st_mtime_ns == stamp

    (data / "journal.db").write_text("what the desk did")
    out = install(checkout, bare, "--uninstall")
    assert out.returncode == 0, out.stderr
    assert not link.is_symlink()
    assert not (data / "venv").exists()
    assert (data / "journal.db").read_text() == "what the desk did"
    assert f"kept your data in {data}" in out.stdout

    again = install(checkout, bare, "--uninstall")
    assert again.returncode == 0
    assert "not installed" in again.stdout


def test_another_version_replaces_the_installed_one_only_with_upgrade(installed: Installed) -> None:
    checkout, bare = installed.root / "checkout", installed.env
    link = installed.root / "home" / ".local" / "bin" / "neuratrade"
    assert run(link, env=bare).stdout == "desk 0.1.0\n"
    set_version(checkout, "0.2.0")

    left = install(checkout, bare)
    assert "neuratrade 0.1.0 is installed and differs" in left.stdout
    assert run(link, env=bare).stdout == "desk 0.1.0\n"

    upgraded = install(checkout, bare, "--upgrade")
    assert "upgraded from 0.1.0: installed neuratrade 0.2.0" in upgraded.stdout, upgraded.stderr
    assert run(link, env=bare).stdout == "desk 0.2.0\n"


def test_the_script_alone_installs_from_a_git_address(
    checkout: Path, home: Path, bare: dict[str, str], tmp_path: Path
) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@t")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "a small checkout")):
        assert run("git", *command, env=bare, cwd=checkout).returncode == 0
    script = (checkout / "install.sh").read_text()

    def piped(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-s", "--", *options],
            input=script,
            env=bare,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    nowhere = piped()
    assert nowhere.returncode == 2
    assert "--from PATH_OR_URL" in nowhere.stderr

    result = piped("--from", f"file://{checkout}")
    assert result.returncode == 0, result.stderr
    assert run(home / ".local" / "bin" / "neuratrade", env=bare).stdout == "desk 0.1.0\n"
    assert "nothing to do" in piped("--from", f"file://{checkout}").stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--purge",), "unknown option --purge"),
        (("--from",), "--from needs a value"),
        (("--upgrade", "--uninstall"), "--upgrade and --uninstall exclude each other"),
    ],
)
def test_wrong_usage_is_named_and_exits_2(
    checkout: Path, bare: dict[str, str], home: Path, options: tuple[str, ...], said: str
) -> None:
    result = install(checkout, bare, *options)
    assert result.returncode == 2
    assert said in result.stderr
    assert list(home.iterdir()) == []


def test_help_names_every_option(checkout: Path, bare: dict[str, str]) -> None:
    result = install(checkout, bare, "--help")
    assert result.returncode == 0
    for option in ("--from", "--bin", "--upgrade", "--uninstall"):
        assert option in result.stdout


def test_an_old_python_is_refused_before_anything_is_made(
    checkout: Path, home: Path, bare: dict[str, str]
) -> None:
    add_python(
        Path(bare["PATH"]),
        "python3",
        'case "$*" in *version_info*) exit 1 ;; *platform*) echo 3.9.2; exit ;; esac',
    )
    result = install(checkout, bare)
    assert result.returncode == 1
    assert "no usable Python: 3.11, 3.12 or 3.13 with pip is needed" in result.stderr
    assert "python3 (3.9.2)" in result.stderr
    assert not (home / ".local" / "bin" / "neuratrade").exists()


def test_a_command_of_somebody_else_is_never_overwritten(
    checkout: Path, home: Path, bare: dict[str, str]
) -> None:
    taken = home / ".local" / "bin" / "neuratrade"
    taken.parent.mkdir(parents=True)
    taken.write_text("#!/bin/sh\necho mine\n")
    result = install(checkout, bare)
    assert result.returncode == 1
    assert f"{taken} is there and is not from this installer" in result.stderr
    assert install(checkout, bare, "--uninstall").returncode == 0
    assert taken.read_text() == "#!/bin/sh\necho mine\n"


def test_a_place_that_cannot_be_written_is_named(
    checkout: Path, tmp_path: Path, bare: dict[str, str]
) -> None:
    blocker = tmp_path / "a-file"
    blocker.write_text("")
    result = install(checkout, bare, "--bin", blocker / "bin")
    assert result.returncode == 1
    assert f"cannot write to {blocker / 'bin'}" in result.stderr


def test_the_real_checkout_installs_from_the_real_lock(
    repository: Path, home: Path, bare: dict[str, str]
) -> None:
    real_cache = os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    # Without byte code for a gigabyte of packages of which one command is asked; Python makes what it needs.
    env = bare | {
        "PIP_CACHE_DIR": real_cache,
        "PIP_NO_COMPILE": "1",
        "NEURATRADE_PYTHON": str(REAL_PYTHON),
    }
    result = install(repository, env)
    assert result.returncode == 0, result.stderr
    answer = run(home / ".local" / "bin" / "neuratrade", "--help", env=env)
    assert answer.returncode == 0, answer.stderr
    assert "run" in answer.stdout
