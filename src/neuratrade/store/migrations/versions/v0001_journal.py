"""The journal, the segments that seal it, and snapshots. The database refuses to change the first two."""

import sqlalchemy as sa
from alembic import op

revision = "0001_journal"
down_revision = None

_SEALED = ("journal", "segments", "emergency_moved")
_MESSAGE = "{} is append-only"

_POSTGRES_FUNCTIONS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE FUNCTION refuse_gap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM journal) THEN
        RAISE EXCEPTION 'journal is append-only: the next seq is given by the last';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    """Creates the tables and their guards."""
    sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "journal",
        sa.Column("seq", sequence, primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    started = sa.text("kind = 'run_started'")
    op.create_index("journal_runs", "journal", ["seq"], sqlite_where=started, postgresql_where=started)
    op.create_table(
        "segments",
        sa.Column("first_seq", sequence, primary_key=True, autoincrement=False),
        sa.Column("last_seq", sequence, nullable=False, unique=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "emergency_moved",
        sa.Column("line_id", sa.String, primary_key=True),
        sa.Column("seq", sequence, nullable=False),
    )
    op.create_table(
        "snapshots",
        sa.Column("seq", sequence, primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgres()


def _guard_sqlite() -> None:
    for table in _SEALED:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{_MESSAGE.format(table)}'); END"
            )
    # INSERT OR REPLACE removes the old row without asking a DELETE trigger, so inserts are guarded as well.
    op.execute(
        "CREATE TRIGGER journal_no_gap BEFORE INSERT ON journal "
        "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM journal) "
        "BEGIN SELECT RAISE(ABORT, 'journal is append-only: the next seq is given by the last'); END"
    )
    op.execute(
        "CREATE TRIGGER segments_no_gap BEFORE INSERT ON segments "
        "WHEN NEW.first_seq IS NOT (SELECT coalesce(max(last_seq), 0) + 1 FROM segments) "
        "OR NEW.last_seq < NEW.first_seq "
        "BEGIN SELECT RAISE(ABORT, 'segments is append-only: each begins where the last one ends'); END"
    )
    op.execute(
        "CREATE TRIGGER emergency_moved_no_replace BEFORE INSERT ON emergency_moved "
        "WHEN EXISTS (SELECT 1 FROM emergency_moved WHERE line_id = NEW.line_id) "
        "BEGIN SELECT RAISE(ABORT, 'emergency_moved is append-only'); END"
    )


def _guard_postgres() -> None:
    op.execute(_POSTGRES_FUNCTIONS)
    for table in _SEALED:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER journal_no_gap BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION refuse_gap()"
    )
