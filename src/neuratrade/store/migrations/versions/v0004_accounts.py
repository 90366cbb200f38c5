"""Corrections, corporate actions and profit in the account's currency. Rows for people are made again."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004_accounts"
down_revision = "0003_lots"

MADE_FROM_JOURNAL = ("runs", "decisions", "orders", "positions", "trades", "projected")


def _exact() -> sa.types.TypeEngine[Any]:
    """Decimals to the last digit: text on SQLite, NUMERIC without bounds on PostgreSQL."""
    numeric: sa.types.TypeEngine[Any] = sa.Numeric()
    text: sa.types.TypeEngine[Any] = sa.Text()
    return numeric if op.get_bind().dialect.name == "postgresql" else text


def upgrade() -> None:
    """Adds executions as told, when an order was first missed, and contracts of later terms."""
    for table in MADE_FROM_JOURNAL:
        op.execute(sa.delete(sa.table(table)))
    op.add_column("orders", sa.Column("executions", sa.Text, nullable=False, server_default="{}"))
    op.add_column("orders", sa.Column("missed_ns", sa.BigInteger))
    op.add_column("trades", sa.Column("pnl_home", _exact()))
    op.create_table(
        "contracts",
        sa.Column("instrument", sa.String, primary_key=True),
        sa.Column("terms", sa.Text, nullable=False),
    )
