"""Alembic's entry: runs the migrations on the connection that `neuratrade.store.migrate` hands over.

All of one upgrade is one transaction, on SQLite too, so that a crash leaves the old schema or the new one.
"""

from alembic import context

from neuratrade.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
