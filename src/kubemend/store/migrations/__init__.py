"""Alembic's home: how a ledger of an older version becomes one of this version."""
