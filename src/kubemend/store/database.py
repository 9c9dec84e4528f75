"""Opening the ledger: where it lies, how it is tuned, and bringing an older one up to date."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kubemend.store.errors import StoreError, translated

VERSIONS = Path(__file__).parent / "migrations" / "versions"

BUSY_S = 10.0
"""How long another process's hold on the file is waited for: no unit of work of ours takes a hundredth of that."""


def default_path() -> Path:
    """`$KUBEMEND_STORE`, else `$XDG_STATE_HOME/kubemend/ledger.db`, else `~/.local/state/kubemend/ledger.db`."""
    if given := os.environ.get("KUBEMEND_STORE"):
        return Path(given)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "kubemend" / "ledger.db"


def head() -> str:
    """The schema version of this program, as the newest migration names it."""
    newest = max(p.stem for p in VERSIONS.glob("v*.py"))
    return newest[1:5]


class Database:
    """One open ledger. Every unit of work is one transaction that takes the write lock when it begins."""

    def __init__(self, engine: AsyncEngine, where: str) -> None:
        self._engine, self.where = engine, where
        # SQLite lets whoever asks at the right moment have its write lock; forty repairs at once would starve one.
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Open (and create or upgrade) the SQLite ledger at `path`. Its folder and file are the owner's alone."""
        where = str(path)
        with translated(where):
            await asyncio.to_thread(_make_file, path)
            engine = create_async_engine(f"sqlite+aiosqlite:///{path}", connect_args={"timeout": BUSY_S})
            _tune(engine)
            database = cls(engine, where)
            try:
                await database._upgrade()
            except BaseException:
                await engine.dispose()
                raise
        return database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed on return, rolled back on error."""
        with translated(self.where):
            async with self._turn, self._engine.begin() as connection:
                yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def _upgrade(self) -> None:
        async with self.transaction() as connection:
            found = await connection.run_sync(_version)
            if found == head():
                return
            if found not in (None, *_known()):
                raise StoreError(
                    f"the ledger has schema {found}, this program knows {head()}",
                    where=self.where,
                    code="store-newer",
                    hint="use the newer kubemend that wrote it, or give another one with --store",
                )
        # The library takes long to import: not with the ledger held, on which others are starting too.
        await asyncio.to_thread(importlib.import_module, "alembic.command")
        async with self.transaction() as connection:
            await connection.run_sync(_migrate)


def _make_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)


def _tune(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def pragmas(connection: Any, _record: Any) -> None:
        # The driver would begin transactions by itself, late and deferred; we begin them (below).
        connection.isolation_level = None
        cursor = connection.cursor()
        # FULL: an audit row is on the disk when its commit returns, before the write it announces.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: read-then-write decisions (budgets, holds) are made under the write lock.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _known() -> list[str]:
    """The schema versions that this program can bring up to date."""
    return [p.stem[1:5] for p in VERSIONS.glob("v*.py")]


def _version(connection: Connection) -> str | None:
    """The ledger's schema version; None for a new file. StoreError for a database that is somebody else's."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        if tables:
            raise StoreError(
                f"this database holds other things ({', '.join(sorted(tables)[:3])}) and no ledger of kubemend",
                where=str(connection.engine.url.database),
                code="store-corrupt",
                hint="give another file with --store",
            )
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _migrate(connection: Connection) -> None:
    # Alembic is imported only when there is something to migrate: it costs a third of a second.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")


__all__ = ["Database", "IntegrityError", "default_path", "head"]
