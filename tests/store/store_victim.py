"""A process that is killed while it brings a ledger up to date.

`store_victim.py SOURCE FOLDER VERSIONS`: for N = 1, 2, … copies the ledger SOURCE (or none, for "-") to FOLDER/N.db and
forks a child that opens it and SIGKILLs itself before the N-th statement or commit, until one comes through alive.
Prints what each was about to do, one line each.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
from sqlalchemy import Connection, Engine, event

from kubemend.store import database

_LOADED = (alembic.command, alembic.config)  # before the forks, which would each load it anew


def die_before(step: int, log: Path) -> None:
    seen = 0

    def one_more(what: str) -> None:
        nonlocal seen
        seen += 1
        if seen == step:
            log.write_text(" ".join(what.split())[:60])
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(Engine, "before_cursor_execute")
    def statement(_c: Any, _cursor: Any, text: str, _p: Any, _context: Any, _many: bool) -> None:
        one_more(text)

    @event.listens_for(Engine, "commit")
    def commit(_c: Connection) -> None:
        one_more("COMMIT")


async def opened(path: Path) -> None:
    await (await database.Database.open(path)).close()


def main() -> None:
    source, folder, versions = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    database.VERSIONS = versions
    for step in range(1, 200):
        path, log = folder / f"{step}.db", folder / "step"
        if source != "-":
            shutil.copy(source, path)
        child = os.fork()
        if child == 0:
            die_before(step, log)
            asyncio.run(opened(path))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            path.unlink()
            sys.exit(os.WEXITSTATUS(status))
        sys.stdout.write(log.read_text() + "\n")


if __name__ == "__main__":
    main()
