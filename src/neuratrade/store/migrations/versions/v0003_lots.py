"""Positions as lots. Rows for people are made from the journal, so they are emptied and made again."""

import sqlalchemy as sa
from alembic import op

revision = "0003_lots"
down_revision = "0002_projections"

MADE_FROM_JOURNAL = ("runs", "decisions", "orders", "positions", "trades", "projected")


def upgrade() -> None:
    """Adds the lots and forgets the rows that have none."""
    for table in MADE_FROM_JOURNAL:
        op.execute(sa.delete(sa.table(table)))
    op.add_column("positions", sa.Column("lots", sa.Text, nullable=False, server_default="[]"))
