"""Whether a write was made, seen in the cluster: where a process died after it, or its answer was lost."""

from __future__ import annotations

import time
from typing import Any

from kubemend.cluster.errors import ServerError, TimedOut, Unreachable
from kubemend.engine.guard.errors import Doubtful
from kubemend.engine.guard.hands import is_marked
from kubemend.engine.guard.means import Means
from kubemend.model.plan import Change, Create, Delete, Evict, Exec, Patch, RollBack, Scale
from kubemend.model.repair import Step

Object = dict[str, Any]

LATE_S, UNKNOWN_S, GONE_S = 10.0, 60.0, 30.0
"""Seconds for a write under way to show, for a server to answer again, and for a deleted object to go."""


def made(change: Change, live: Object | None, step: Step, repair: str) -> bool:
    """Whether this change of ours is in the cluster. What was never announced is not, whatever it looks like."""
    if not step.sent:
        return False
    match change:
        case Scale():
            moved = live is not None and step.before is not None and _version(live) != _version(step.before)
            return moved and live is not None and live["spec"].get("replicas") == change.replicas
        case Exec():
            raise Doubtful(f"a command was begun in {change.target}, and it is not known how it ended")
        case Evict() | Delete():
            # A pod takes its grace period to go, a claim until nobody uses it: to say it again is to write twice.
            return live is None or live["metadata"]["uid"] != change.uid or leaving(live)
        case _:
            return is_marked(live, repair)


def leaving(live: Object | None) -> bool:
    """Whether it is there still, but its deletion is decided."""
    return live is not None and "deletionTimestamp" in live["metadata"]


def found(change: Change, live: Object | None, step: Step) -> Object:
    """What our write made of the object, where its answer was never noted.

    Somebody may have written since, which must not pass for ours: an undo would take it back. So it is what the
    dry run of this very write came to, for between the two nobody but controllers had written to the object.
    """
    if isinstance(change, (Patch, RollBack)) and step.planned is not None:
        return step.planned
    return live or {}


async def read_back(change: Change, step: Step, repair: str, means: Means) -> Object | None:
    """The object after a write whose answer was lost.

    Asked until the write shows or `LATE_S` have passed in which the server answered without it: a request
    may still be under way when its connection breaks. Doubtful when the server does not answer for `UNKNOWN_S`.
    """
    began = time.monotonic()
    while True:
        try:
            live = await means.hands.live(change.target)
        except (Unreachable, TimedOut, ServerError) as error:
            if time.monotonic() - began > UNKNOWN_S:
                raise Doubtful(f"it is unknown whether {change.target} was written: {error.message}") from error
        else:
            if made(change, live, step, repair) or time.monotonic() - began > LATE_S:
                return live
        await means.sight.changed(1.0)


async def until_gone(change: Delete | Create, uid: str, means: Means) -> None:
    """Wait until the object of this uid is no longer there; Doubtful when it still is after `GONE_S`.

    A pod has its grace period besides.
    """
    began = time.monotonic()
    while (live := await means.hands.live(change.target)) is not None and live["metadata"]["uid"] == uid:
        allowed = GONE_S + live["metadata"].get("deletionGracePeriodSeconds", 0)
        if time.monotonic() - began > allowed:
            held = live["metadata"].get("finalizers", [])
            why = f"{change.target} is still there {allowed:g} s after its deletion (finalizers {held})"
            raise Doubtful(why, code="not-gone")
        await means.sight.changed(0.5)


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])
