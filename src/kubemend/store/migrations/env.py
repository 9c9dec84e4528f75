"""Run by Alembic: migrate over the connection that `database.migrate` hands in."""

from __future__ import annotations

from alembic import context

from kubemend.store.schema import metadata

connection = context.config.attributes["connection"]
# The caller owns the transaction: every step of an upgrade commits together, or none does.
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
