"""`make bench-peers`, first half: an environment for every pinned peer, with pip.

Peers need versions of numpy and pandas that exclude each other, so each has its own. One that does not
install here is said and left out; the others are measured without it.
"""

import argparse
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.backtest.contenders import peers_folder, pinned, python_of


def install(folder: Path, name: str, version: str) -> str:
    """Makes or completes one environment; why it could not, or nothing."""
    python = python_of(folder, name)
    if not python.exists():
        venv.create(folder / name, with_pip=True)
    wanted = f"{name}=={version}"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).strip().splitlines()
    return said[-1] if said else f"pip ended with {done.returncode}"


def main() -> None:
    """Installs all peers, or those named; ends with 1 only where none could be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backtest.install", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *pinned()], default=[], help="only these")
    chosen = parser.parse_args().names or list(pinned())
    folder, failed = peers_folder(), 0
    for name in chosen:
        sys.stderr.write(f"installing {name} {pinned()[name]} into {folder / name} ...\n")
        reason = install(folder, name, pinned()[name])
        if reason:
            failed += 1
            sys.stderr.write(f"{name} was not installed: {reason}\n")
    sys.exit(1 if failed == len(chosen) else 0)


if __name__ == "__main__":
    main()
