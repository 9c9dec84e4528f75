"""Whether a change may be taken back, and whether it has been: judged on the fields we wrote, not on the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubemend.engine.guard.hands import MARK, undo_body
from kubemend.kube.diff import without_server_fields
from kubemend.model.plan import Change, Create, Delete, Evict, Patch, RollBack, Scale
from kubemend.model.pointer import at, pointer

Object = dict[str, Any]

_MARK = pointer("metadata", "annotations", MARK)


def restored(change: Change, before: Object | None, after: Object, live: Object | None) -> bool:
    """Whether the world is as it was before the change, in what the change touched."""
    match change:
        case Patch() | RollBack():
            return live is not None and before is not None and not _differing(before, after, live, before)
        case Scale():
            return live is not None and bool(live["spec"].get("replicas") == change.was)
        case Create():
            return live is None or live["metadata"]["uid"] != after["metadata"]["uid"]
        case Delete():
            return live is not None and live["metadata"]["uid"] != change.uid and _same(live, before)
        case Evict():
            # The controller has made another pod of the same spec; there is nothing to put back.
            return True


def foreign(change: Change, before: Object | None, after: Object, live: Object | None) -> str | None:
    """What someone else did to the fields we wrote, in words with both values; None when nobody did."""
    if isinstance(change, Delete):
        return None if live is None else "an object of that name was made since"
    if live is None:
        return "it was deleted"
    match change:
        case Patch() | RollBack() if live["metadata"]["uid"] != change.uid:
            return "it was replaced by another object of that name"
        case Patch() | RollBack() if before is not None:
            return next(iter(_differing(before, after, live, after)), None)
        case Scale() if live["spec"].get("replicas") != change.replicas:
            return f"replicas: we wrote {change.replicas}, now {live['spec'].get('replicas')}"
        case _:
            return None


def _differing(before: Object, after: Object, live: Object, wanted: Object) -> list[str]:
    """The fields that our change touched and that `live` does not hold as `wanted` does; our own mark comes last."""
    paths = sorted(_leaves(undo_body(before, after)), key=lambda p: p == _MARK)
    return [f"{p}: we had {at(wanted, p)!r}, now {at(live, p)!r}" for p in paths if at(live, p) != at(wanted, p)]


def _leaves(body: Any, *steps: str) -> Iterator[str]:
    if isinstance(body, dict) and body:
        for key, value in body.items():
            yield from _leaves(value, *steps, key)
    else:
        yield pointer(*steps)


def _same(live: Object, before: Object | None) -> bool:
    return before is not None and without_server_fields(live).get("spec") == without_server_fields(before).get("spec")
