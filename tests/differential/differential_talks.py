"""The whole recorded conversation, area by area, and how it is held."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from differential_compare import Known, Report, known
from differential_ends import EVICTION, LIFECYCLE, NAMESPACES
from differential_objects import OBJECTS
from differential_peer import Peer, Told, practice, real
from differential_product import PRODUCT
from differential_reads import DISCOVERY, LISTS, LOGS, TABLES, WATCHES
from differential_refusals import ACCESS, REFUSALS
from differential_steps import Step, numbered
from differential_stories import ADOPTION, GARBAGE, JOBS, ROLLOUT, STUCK
from differential_things import CLAIMS, ENDPOINTS, FAULTS, OTHERS, QUOTA
from differential_writes import APPLYING, CONDITIONS, DRY
from testbed.plane import ControlPlane

AREAS: Mapping[str, Sequence[Step]] = {
    name: numbered(steps)
    for name, steps in {
        "product": PRODUCT,
        **OBJECTS,
        "applying": APPLYING,
        "dry-runs": DRY,
        "conditions": CONDITIONS,
        "eviction": EVICTION,
        "lifecycle": LIFECYCLE,
        "namespaces": NAMESPACES,
        "lists": LISTS,
        "watches": WATCHES,
        "tables": TABLES,
        "logs": LOGS,
        "discovery": DISCOVERY,
        "access": ACCESS,
        "refusals": REFUSALS,
    }.items()
}

STORIES: Mapping[str, Sequence[Step]] = {
    name: numbered(steps)
    for name, steps in {
        "rollout": ROLLOUT,
        "stuck": STUCK,
        "adoption": ADOPTION,
        "jobs": JOBS,
        "endpoints": ENDPOINTS,
        "quota": QUOTA,
        "claims": CLAIMS,
        "garbage": GARBAGE,
        "other-kinds": OTHERS,
        "faults": FAULTS,
    }.items()
}
"""The stories that are told to living clusters."""

TURNS, TURN_S = 60, 0.25
"""How often, and after how long, what differs is read again: a real server's caches, or a cluster, may be behind."""

Living = Callable[[str], AbstractAsyncContextManager[Peer]]
Opened = Callable[[str], AbstractAsyncContextManager[Peer]]


def _space(area: str) -> str:
    """A namespace that no earlier conversation with the same cluster had."""
    return f"{area}-{secrets.token_hex(2)}"


async def converse(
    plane: ControlPlane,
    areas: Iterable[str] = AREAS,
    *,
    accepted: Sequence[Known] | None = None,
    ours: Opened = practice,
    turns: int = TURNS,
) -> Report:
    """Hold the conversation with both servers. ours: how to open the practice side. turns: see `TURNS`."""
    report = Report(known() if accepted is None else accepted)
    for area in areas:
        space = _space(area)
        async with ours(space) as mine, real(plane, space) as other:
            for step in AREAS[area]:
                said = await _said(report, area, step, mine, other, turns)
                if not step.act:
                    report.note(area, step.name, *said)
    return report


async def _said(  # noqa: PLR0917 - both sides of one step
    report: Report, area: str, step: Step, mine: Peer, other: Peer, turns: int
) -> tuple[Told, Told]:
    """Both answers to a step; what only reads is asked again while they differ in what nobody has accepted."""
    said = await asyncio.gather(mine.say(step), other.say(step))
    for _ in range(turns if step.method == "GET" else 0):
        if any("waited" in one.headers for one in said) or not report.unknown_in(area, step.name, *said):
            break
        await asyncio.sleep(TURN_S)
        said = await asyncio.gather(mine.say(step), other.say(step))
    return said


def _written(told: Told) -> Told:
    """A write's answer without the status: how far a living cluster has come by then is chance."""
    if not isinstance(told.body, dict) or not isinstance(told.body.get("status"), dict):
        return told
    return replace(told, body={k: v for k, v in told.body.items() if k != "status"})


async def tell(mine: Living, other: Living, stories: Iterable[str] = STORIES) -> Report:
    """Tell the stories to both living clusters, side by side."""
    report = Report(known())
    for story in stories:
        space = _space(story)
        async with mine(space) as ours, other(space) as theirs:
            for step in STORIES[story]:
                said = await _said(report, story, step, ours, theirs, TURNS)
                report.note(story, step.name, *(said if step.method == "GET" else map(_written, said)))
    return report
