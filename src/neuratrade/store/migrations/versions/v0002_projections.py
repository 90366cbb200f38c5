"""Rows for people: runs, decisions, orders, positions, trades, and how far the journal was applied."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002_projections"
down_revision = "0001_journal"


def _exact() -> sa.types.TypeEngine[Any]:
    """Decimals to the last digit: text on SQLite, NUMERIC without bounds on PostgreSQL."""
    numeric: sa.types.TypeEngine[Any] = sa.Numeric()
    text: sa.types.TypeEngine[Any] = sa.Text()
    return numeric if op.get_bind().dialect.name == "postgresql" else text


def _sequence() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _texts(names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names.split()]


def _times(names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names.split()]


def _amounts(names: str, *, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, _exact(), nullable=nullable) for name in names.split()]


def _flags(names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names.split()]


def _key() -> sa.Column[int]:
    return sa.Column("seq", _sequence(), primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "projected",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("seq", _sequence(), nullable=False),
    )
    op.create_table(
        "runs",
        _key(),
        *_texts("run_id account_id mode source version end_reason"),
        *_times("started_ns"),
        sa.Column("ended_ns", sa.BigInteger),
        *_flags("paper_trade"),
    )
    _judgements()
    op.create_table(
        "positions",
        sa.Column("account_id", sa.String, primary_key=True),
        sa.Column("instrument", sa.String, primary_key=True),
        *_texts("operator_id strategy_ref"),
        *_amounts("quantity average_cost"),
        *_times("opened_ns updated_ns"),
        *_flags("paper_trade"),
    )
    for table, columns in (
        ("runs", "run_id"),
        ("decisions", "intent_id bracket_id"),
        ("orders", "client_order_id bracket_id"),
        ("trades", "intent_id bracket_id"),
    ):
        for column in columns.split():
            op.create_index(f"ix_{table}_{column}", table, [column])


def _judgements() -> None:
    op.create_table(
        "decisions",
        _key(),
        *_texts("intent_id bracket_id run_id account_id operator_id strategy_ref lane source kind"),
        *_texts("instrument direction refused_by reason outcome"),
        sa.Column("layers", sa.Text, nullable=False),
        sa.Column("seen", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        *_amounts("trigger_price stop_price target_price confidence", nullable=True),
        *_amounts("quantity"),
        *_times("judged_ns"),
        *_flags("approved paper_trade"),
    )
    op.create_table(
        "orders",
        _key(),
        *_texts("client_order_id venue_order_id bracket_id run_id account_id operator_id strategy_ref"),
        *_texts("instrument side role order_type status reason"),
        *_amounts("quantity filled"),
        *_amounts("limit_price stop_price average_price", nullable=True),
        *_times("planned_ns updated_ns"),
        *_flags("paper_trade"),
    )
    op.create_table(
        "trades",
        _key(),
        *_texts("bracket_id intent_id run_id account_id operator_id strategy_ref lane"),
        *_texts("instrument direction reason"),
        sa.Column("tags", sa.Text, nullable=False),
        *_amounts("quantity entry_price exit_price fees pnl"),
        *_amounts("stop_price target_price", nullable=True),
        *_times("opened_ns closed_ns unprotected_ms"),
        *_flags("paper_trade"),
    )
