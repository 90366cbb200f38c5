"""A checkout of a few kilobytes that installs in seconds, with the real scripts, build and hashes in it.

Only the package is a stand-in (it prints its version), and the lock is cut down to what the build needs.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

BUILD_PACKAGES = ("hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers")
SYSTEM_TOOLS = (
    "awk cat cksum cmp cp dirname env find git grep gzip id ln make mkdir mktemp mv readlink rm rmdir sed sh "
    "sleep sort tail tar touch tr uname which xargs"
).split()
REAL_PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def make_small_checkout(repository: Path, folder: Path) -> Path:
    """Copy the scripts of `repository` into `folder` around a package that takes no time to install."""
    for name in (
        "install.sh",
        "Makefile",
        "pyproject.toml",
        "LICENSE",
        "tools/venv.sh",
        "requirements/pip.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, folder / name)
    (folder / "README.md").write_text("# a small checkout\n")
    lock = (repository / "requirements" / "run.txt").read_text()
    entries = re.findall(r"^\S.*?(?=^\S|\Z)", lock, re.DOTALL | re.MULTILINE)
    wanted = "".join(entry for entry in entries if entry.split("==")[0] in BUILD_PACKAGES)
    for name in ("run.txt", "dev.txt"):
        (folder / "requirements" / name).write_text(wanted)
    command = folder / "src" / "neuratrade" / "interfaces" / "cli" / "main.py"
    command.parent.mkdir(parents=True)
    command.write_text(
        "import sys\nimport neuratrade\n\n\n"
        "def main() -> None:\n    print('desk', neuratrade.__version__, *sys.argv[1:])\n"
    )
    set_version(folder, "0.1.0")
    return folder


def set_version(checkout: Path, version: str) -> None:
    (checkout / "src" / "neuratrade" / "__init__.py").write_text(f'__version__ = "{version}"\n')


def bare_path(folder: Path) -> Path:
    """A folder with the tools of a bare machine and no Python; put it alone on the PATH."""
    folder.mkdir()
    for tool in SYSTEM_TOOLS:
        if found := shutil.which(tool):
            (folder / tool).symlink_to(found)
    return folder


def add_python(path_folder: Path, name: str, script: str = "") -> None:
    """Put an interpreter called `name` on the bare PATH: the real one, unless the shell `script` exits."""
    program = path_folder / name
    program.write_text(f'#!/bin/sh\n{script}\nexec {REAL_PYTHON} "$@"\n')
    program.chmod(0o755)


def run(
    *command: str | Path, env: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end with no input and two minutes at most; the caller judges the exit code."""
    return subprocess.run(
        [str(part) for part in command],
        env=dict(env),
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
