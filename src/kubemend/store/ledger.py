"""The ledger: everything that is kept, opened together. No ledger, no write."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kubemend.store.approvals import Approvals
from kubemend.store.audit import Audit
from kubemend.store.database import Database, default_path
from kubemend.store.incidents import Incidents
from kubemend.store.repairs import Repairs
from kubemend.store.switch import KillSwitch
from kubemend.store.usage import Usage


@dataclass(frozen=True)
class Ledger:
    """One open ledger, and who this process is in it."""

    path: str
    repairs: Repairs
    approvals: Approvals
    incidents: Incidents
    audit: Audit
    switch: KillSwitch
    usage: Callable[[str], Usage]
    """What is known of the use of a cluster's containers, by the cluster's name."""


@asynccontextmanager
async def open_ledger(path: Path | None = None) -> AsyncIterator[Ledger]:
    """Open the ledger at `path` (or where the environment says), upgrading an older one."""
    database = await Database.open(path or default_path())
    try:
        yield Ledger(
            path=database.where,
            repairs=Repairs(database, holder()),
            approvals=Approvals(database),
            incidents=Incidents(database),
            audit=Audit(database),
            switch=KillSwitch(database),
            usage=lambda cluster: Usage(database, cluster),
        )
    finally:
        await database.close()


def holder() -> str:
    """This process's name in the ledger: host, pid and a random part, so that no two are alike."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead(name: str, heartbeat: float, *, now: float, stale_s: float = 30.0) -> bool:
    """Whether a holder is gone: its pid is no longer there on this host, or it was silent for `stale_s`.

    A driver beats at every step and at least every 5 s while it verifies. One that is silent for longer, waiting for a
    server that does not answer, may be taken for dead; the fence on the holder then keeps it from writing again.
    """
    if now - heartbeat > stale_s:
        return True
    host, _, rest = name.partition(":")
    pid = rest.partition(":")[0]
    if host == socket.gethostname() and pid.isdigit():
        return int(pid) != os.getpid() and not _alive(int(pid))
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
