"""Brings a database to the schema of this program, by ordered migrations and by nothing else.

A database that is already there costs one query: Alembic is imported only when there is work to do.
A database written by a newer program is refused untouched.
"""

from pathlib import Path

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DatabaseError

from neuratrade.store.database import connect
from neuratrade.store.errors import DatabaseAbsent, DatabaseMismatch

HEAD = "0004_accounts"


def upgrade(where: str | Path) -> None:
    """Creates or upgrades the database at a path or URL. Raises DatabaseMismatch for a newer one."""
    engine = connect(where)
    try:
        upgrade_engine(engine)
    finally:
        engine.dispose()


def upgrade_engine(engine: Engine) -> None:
    """The same for a database that is already connected."""
    if version_of(engine) != HEAD:
        _run_migrations(engine)


def require_head(engine: Engine) -> None:
    """Raises DatabaseAbsent where there is no journal, DatabaseMismatch for another schema than ours."""
    try:
        found = version_of(engine)
    except DatabaseError as error:
        raise DatabaseMismatch(f"{engine.url!r} cannot be read as a database: {error.orig}") from error
    if found is None:
        raise DatabaseAbsent(
            f"the database at {engine.url!r} holds no journal yet: run `neuratrade run` first"
        )
    if found != HEAD:
        raise DatabaseMismatch(
            f"the database at {engine.url!r} stands at schema {found!r}, this program reads {HEAD!r}: "
            "`neuratrade run` upgrades an older one; for a newer one, upgrade the program"
        )


def version_of(engine: Engine) -> str | None:
    """The migration the database stands at; None for an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        answer = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if answer is None else str(answer)


def _run_migrations(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "neuratrade.store:migrations")
    found = version_of(engine)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise DatabaseMismatch(
            f"the database stands at schema {found!r}, which this program does not know (its newest is "
            f"{HEAD!r}): it was written by a newer version; nothing was changed, upgrade the program"
        )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)
