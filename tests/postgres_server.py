"""A real PostgreSQL for the tests that need one: its own cluster, on a Unix socket only, gone afterwards.

Nothing that runs on the machine is touched and no port is opened. PostgreSQL refuses to run as root, so root
starts it as the user that the package made.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

SERVER_USER = "postgres"
PROGRAMS = Path("/usr/lib/postgresql")


def find_programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, the newest where there are several, or None."""
    installed = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda program: int(program.parts[-3]))
    if installed:
        return installed[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def postgres_server(programs: Path) -> Iterator[Path]:
    """Run a fresh cluster; gives the folder of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="neuratrade-pg-"))
    user = SERVER_USER if os.geteuid() == 0 else None
    if user:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)

    def control(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(folder / "data"), *arguments]
        log = folder.with_suffix(".log")
        with log.open("ab") as output:
            code = subprocess.call(command, user=user, cwd=folder, stdout=output, stderr=output, timeout=60)
        if code:
            raise RuntimeError(f"{program} exited with {code}: {log.read_text(errors='replace')[-2000:]}")

    try:
        control("initdb", "--username", SERVER_USER, "--auth", "trust", "--no-locale", "--encoding", "UTF8")
        control(
            "pg_ctl", "start", "--wait", "-o", f"-c listen_addresses='' -c unix_socket_directories={folder}"
        )
        try:
            yield folder
        finally:
            control("pg_ctl", "stop", "--wait", "--mode", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".log").unlink(missing_ok=True)


@contextmanager
def empty_database(socket_folder: Path) -> Iterator[str]:
    """A database of its own for one test; gives its SQLAlchemy address (psycopg 3)."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(host=str(socket_folder), user=SERVER_USER, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"postgresql+psycopg://{SERVER_USER}@/{name}?host={socket_folder}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
