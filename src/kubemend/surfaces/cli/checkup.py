"""What `kubemend doctor` looks at, one check after another; none of them stops the others."""

from __future__ import annotations

import asyncio
import enum
import platform
import sys
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from kubemend.cluster.errors import ClusterError
from kubemend.engine import catalogue
from kubemend.model.access import Access as Permission
from kubemend.model.errors import KubemendError
from kubemend.surfaces.cli.options import Access
from kubemend.surfaces.cli.wiring import Seat, wiring
from kubemend.surfaces.cli.words import many

OLDEST = (3, 11)
"""The oldest Python that kubemend runs on."""
AT_ONCE = 10
"""Permission reviews under way at one time."""
SKEW_S = 30.0
"""A difference of clocks that misleads rules which look at times."""
RENEWED_S = 60.0
"""A live kubelet renews its Lease each 10 s (KEP-589, `nodeLeaseDurationSeconds` / 4)."""


class Grade(enum.StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Checkup(Struct, frozen=True):
    """One check: what was looked at, how it came out, what was seen, and what to do about it."""

    name: str
    grade: Grade
    seen: str
    hint: str = ""


async def checkups(access: Access) -> AsyncIterator[Checkup]:
    """All checks, as they come in."""
    yield _python()
    async for one in _ledger(access.store):
        yield one
    try:
        async with wiring().seat(access) as seat:
            yield Checkup("kubeconfig", Grade.OK, f"context {seat.context}, server {seat.server}")
            async for one in _cluster(seat, access.scope):
                yield one
    except KubemendError as error:
        yield _failed("kubeconfig", error)


def _failed(name: str, error: KubemendError) -> Checkup:
    where = f" ({error.where})" if error.where else ""
    return Checkup(name, Grade.FAILED, f"{error.code}: {error.message}{where}", error.hint or "")


def _python() -> Checkup:
    fits = sys.version_info[:2] >= OLDEST
    wanted = ".".join(str(n) for n in OLDEST)
    hint = "" if fits else f"kubemend needs Python {wanted} or later"
    return Checkup("python", Grade.OK if fits else Grade.FAILED, platform.python_version(), hint)


async def _ledger(store: Path | None) -> AsyncIterator[Checkup]:
    from kubemend.store.switch import Paused  # noqa: PLC0415 - the database, wanted only from here on

    try:
        async with wiring().ledger(store) as ledger:
            broken = await ledger.audit.broken_at()
            count = len(await ledger.repairs.list(limit=1000))
            seen = f"{ledger.path}, {many(count, 'repair')}"
            if broken is not None:
                yield Checkup("ledger", Grade.FAILED, f"{seen}; audit record {broken} was tampered with", "restore it")
            else:
                yield Checkup("ledger", Grade.OK, f"{seen}, audit trail whole")
            try:
                await ledger.switch.check()
            except Paused as error:
                yield Checkup("kill switch", Grade.NOTE, error.message, error.hint or "")
    except KubemendError as error:
        yield _failed("ledger", error)


async def _cluster(seat: Seat, scope: str | None) -> AsyncIterator[Checkup]:
    try:
        version = await seat.reader.version()
    except ClusterError as error:
        yield _failed("server", error)
        return
    yield Checkup("server", Grade.OK, f"Kubernetes {version.text}")
    yield await _clock(seat)
    yield await _permissions(seat, "viewer", catalogue.reads(), scope, lacking=Grade.FAILED)
    yield await _permissions(seat, "fixer", catalogue.writes(), scope, lacking=Grade.NOTE)


async def _permissions(
    seat: Seat, role: str, wanted: Iterable[Permission], scope: str | None, *, lacking: Grade
) -> Checkup:
    """Ask for each permission of a role. Without all of a viewer's some rules can't judge."""
    permissions, free = sorted(wanted), asyncio.Semaphore(AT_ONCE)

    async def allowed(permission: Permission) -> bool:
        async with free:
            return (await seat.reader.allowed(permission, namespace=scope or "")).allowed

    try:
        answers = await asyncio.gather(*(allowed(p) for p in permissions))
    except ClusterError as error:
        return _failed(f"as {role}", error)
    missing = [f"{p.verb} {p.resource}" for p, yes in zip(permissions, answers, strict=True) if not yes]
    where = f"in {scope}" if scope else "in all namespaces"
    if not missing:
        return Checkup(f"as {role}", Grade.OK, f"all {len(permissions)} permissions {where}")
    some = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
    return Checkup(
        f"as {role}", lacking, f"may not {some} {where}", f"kubemend rbac {role} prints a role that allows it"
    )


async def _clock(seat: Seat) -> Checkup:
    """Compare our clock with the newest renewal of a node's Lease."""
    try:
        leases = await seat.reader.resource("leases", "coordination.k8s.io")
        page = await seat.reader.page(leases, "kube-node-lease")
    except ClusterError as error:
        return Checkup("clock", Grade.UNKNOWN, f"the nodes' leases could not be read: {error.message}")
    times = [i.get("spec", {}).get("renewTime") for i in page.get("items") or ()]
    if not any(times):
        return Checkup("clock", Grade.UNKNOWN, "no node renews a lease here")
    newest = max(datetime.fromisoformat(t) for t in times if t)
    behind = (datetime.now(UTC) - newest).total_seconds()
    if -SKEW_S <= behind <= RENEWED_S:
        return Checkup("clock", Grade.OK, f"the newest lease of a node is {max(behind, 0):.0f} s old")
    hint = "set this machine's clock: rules look at times"
    if behind < 0:
        return Checkup("clock", Grade.FAILED, f"this clock is at least {-behind:.0f} s behind the cluster's", hint)
    return Checkup("clock", Grade.NOTE, f"the newest lease of a node is {behind:.0f} s old: no node lives, or {hint}")
