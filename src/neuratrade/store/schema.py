"""The tables as the program sees them. Only the migrations create or change them.

Three kinds: the journal and what seals it (append-only, refused by the database itself to change),
projections (rows for people, made again from the journal at any time), and snapshots (a cache).
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = MetaData()


class Exact(TypeDecorator[Decimal]):
    """A Decimal kept to its last digit: text on SQLite (whose numbers are floats), NUMERIC on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """NUMERIC without bounds where the database has it."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> object:
        """Plain digits, never an exponent: people read this column too."""
        if value is None or dialect.name == "postgresql":
            return value
        return format(value, "f")

    def process_result_value(self, value: object, dialect: Dialect) -> Decimal | None:
        """The Decimal that was stored."""
        return None if value is None else Decimal(str(value))


# SQLite gives a gapless rowid alias only to INTEGER; elsewhere the same column needs eight bytes.
_Sequence = BigInteger().with_variant(Integer, "sqlite")

journal = Table(
    "journal",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=False),
    Column("run_id", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("payload", Text, nullable=False),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # Public keys are looked up by this alone, and one row a run costs the writer nothing.
    Index(
        "journal_runs",
        "seq",
        sqlite_where=text("kind = 'run_started'"),
        postgresql_where=text("kind = 'run_started'"),
    ),
)

segments = Table(
    "segments",
    metadata,
    Column("first_seq", _Sequence, primary_key=True, autoincrement=False),
    Column("last_seq", _Sequence, nullable=False, unique=True),
    Column("hash", LargeBinary, nullable=False),
)

emergency_moved = Table(
    "emergency_moved",
    metadata,
    Column("line_id", String, primary_key=True),
    Column("seq", _Sequence, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

projected = Table(
    "projected",
    metadata,
    Column("name", String, primary_key=True),
    Column("seq", _Sequence, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=False),
    Column("run_id", String, nullable=False, index=True),
    Column("account_id", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("paper_trade", Boolean, nullable=False),
    Column("source", String, nullable=False),
    Column("version", String, nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
    Column("end_reason", String, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=False),
    Column("intent_id", String, nullable=False, index=True),
    Column("bracket_id", String, nullable=False, index=True),
    Column("run_id", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("operator_id", String, nullable=False),
    Column("strategy_ref", String, nullable=False),
    Column("lane", String, nullable=False),
    Column("source", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("instrument", String, nullable=False),
    Column("direction", String, nullable=False),
    Column("trigger_price", Exact),
    Column("stop_price", Exact),
    Column("target_price", Exact),
    Column("confidence", Exact),
    Column("approved", Boolean, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("refused_by", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("layers", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("judged_ns", BigInteger, nullable=False),
    Column("outcome", String, nullable=False),
    Column("paper_trade", Boolean, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=False),
    Column("client_order_id", String, nullable=False, index=True),
    Column("venue_order_id", String, nullable=False),
    Column("bracket_id", String, nullable=False, index=True),
    Column("run_id", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("operator_id", String, nullable=False),
    Column("strategy_ref", String, nullable=False),
    Column("instrument", String, nullable=False),
    Column("side", String, nullable=False),
    Column("role", String, nullable=False),
    Column("order_type", String, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("limit_price", Exact),
    Column("stop_price", Exact),
    Column("status", String, nullable=False),
    Column("filled", Exact, nullable=False),
    Column("average_price", Exact),
    Column("reason", String, nullable=False),
    Column("executions", Text, nullable=False),
    Column("missed_ns", BigInteger),
    Column("planned_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("paper_trade", Boolean, nullable=False),
)

positions = Table(
    "positions",
    metadata,
    Column("account_id", String, primary_key=True),
    Column("instrument", String, primary_key=True),
    Column("operator_id", String, nullable=False),
    Column("strategy_ref", String, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("average_cost", Exact, nullable=False),
    Column("lots", Text, nullable=False),
    Column("opened_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("paper_trade", Boolean, nullable=False),
)

trades = Table(
    "trades",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=False),
    Column("bracket_id", String, nullable=False, index=True),
    Column("intent_id", String, nullable=False, index=True),
    Column("run_id", String, nullable=False),
    Column("account_id", String, nullable=False),
    Column("operator_id", String, nullable=False),
    Column("strategy_ref", String, nullable=False),
    Column("lane", String, nullable=False),
    Column("instrument", String, nullable=False),
    Column("direction", String, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("entry_price", Exact, nullable=False),
    Column("exit_price", Exact, nullable=False),
    Column("stop_price", Exact),
    Column("target_price", Exact),
    Column("fees", Exact, nullable=False),
    Column("pnl", Exact, nullable=False),
    Column("pnl_home", Exact),
    Column("reason", String, nullable=False),
    Column("tags", Text, nullable=False),
    Column("opened_ns", BigInteger, nullable=False),
    Column("closed_ns", BigInteger, nullable=False),
    Column("unprotected_ms", BigInteger, nullable=False),
    Column("paper_trade", Boolean, nullable=False),
)

contracts = Table(
    "contracts",
    metadata,
    Column("instrument", String, primary_key=True),
    Column("terms", Text, nullable=False),
)
"""Contracts whose terms are not those their run announced: successors, and what was changed since."""
