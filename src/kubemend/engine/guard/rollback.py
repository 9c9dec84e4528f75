"""Whether a change may be taken back, and whether it has been: judged on the fields we wrote, not on the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kubemend.engine.guard.hands import MARK, undo_body
from kubemend.engine.guard.identity import authored
from kubemend.kube.diff import changed
from kubemend.kube.recreation import gone_for_good, manifest
from kubemend.model.objects import Pod
from kubemend.model.plan import Change, Create, Delete, Evict, Exec, Patch, RollBack, Scale
from kubemend.model.pointer import at, pointer
from kubemend.model.snapshot import Snapshot

Object = dict[str, Any]

_MARK = pointer("metadata", "annotations", MARK)
_VOLUME = pointer("spec", "volumeName")
_SHOWN = 3
"""How many differing fields a sentence names."""


def order(changes: Sequence[Change]) -> list[int]:
    """The places of a plan's changes in the order in which they are taken back: the last one first.

    Evictions come at the end, when the templates are back of which controllers make the pods anew.
    """
    backwards = reversed(range(len(changes)))
    return sorted(backwards, key=lambda i: isinstance(changes[i], Evict))


def restored(change: Change, before: Object | None, after: Object, live: Object | None) -> bool:
    """Whether the world is as it was before the change, in what the change touched."""
    match change:
        case Patch() | RollBack():
            return live is not None and before is not None and not _differing(before, after, live, before)
        case Scale():
            same = live is not None and live["metadata"]["uid"] == change.uid
            return same and live is not None and bool(live["spec"].get("replicas") == change.was)
        case Create():
            return live is None or live["metadata"]["uid"] != after["metadata"]["uid"]
        case Delete() if final(change, before) is not None:
            return True
        case Delete():
            return live is not None and live["metadata"]["uid"] != change.uid and not _remade_otherwise(before, live)
        case Exec():
            return False
        case Evict():
            # A pod can't be put back. What may have to go instead is asked elsewhere: see `succession`.
            return True


def final(change: Change, before: Object | None) -> str | None:
    """Why a change that was made leaves nothing to take back, as a sentence; None when it can be taken back."""
    match change:
        case Exec():
            return "what a command did in a container is not known"
        case Delete() if before is not None:
            return gone_for_good(before)
    return None


def foreign(change: Change, before: Object | None, after: Object, live: Object | None) -> str | None:
    """What someone else did to what we wrote, in words with both versions; None when nobody did."""
    match change:
        case Delete():
            return None if live is None else "an object of that name was made since: " + _remade(before, live)
        case Evict() | Exec():
            return None
        case _ if live is None:
            return "it was deleted: we left it there, now it is gone"
        case Create():
            return _told("made", _edits(after, live))
        case _ if live["metadata"]["uid"] != change.uid:
            return f"it was replaced: we wrote uid {change.uid}, now it has uid {live['metadata']['uid']}"
        case Patch() | RollBack() if before is not None:
            return _told("had", _differing(before, after, live, after))
        case Scale() if live["spec"].get("replicas") != change.replicas:
            return f"replicas: we wrote {change.replicas}, now {live['spec'].get('replicas')}"
        case _:
            return None


def hindrance(change: Change, before: Object | None, after: Object, live: Object | None, *, asked: bool) -> str | None:
    """Why a change that isn't taken back yet may not be: a foreign hand, or data that came to depend on it.

    A field that somebody else has put back already is as it should be, and hinders nothing. asked: whether a person
    wants it taken back; only then is a claim deleted that has a volume by now.
    """
    if isinstance(change, (Patch, RollBack)) and before is not None and live is not None:
        if live["metadata"]["uid"] != change.uid:
            return foreign(change, before, after, live)
        done = {path for path, _, _ in _differing(before, after, live, before)}
        return _told("had", [d for d in _differing(before, after, live, after) if _touches(d[0], done)])
    theirs = foreign(change, before, after, live)
    if theirs is None and isinstance(change, Create) and not asked and (volume := at(live, _VOLUME)):
        return f"we made it unbound, now it is bound to volume {volume}, which may hold data"
    return theirs


def users(change: Change, snapshot: Snapshot) -> str | None:
    """The pods that keep what we made from being deleted, in words; None when nothing does.

    A claim that a scheduled pod mounts stays, half deleted, until the pod is gone (finalizer
    `kubernetes.io/pvc-protection`); the deletion can't be called off, so it must not begin.
    """
    if not isinstance(change, Create) or change.target.kind != "PersistentVolumeClaim":
        return None
    held = [
        p
        for p in snapshot.all(Pod, change.target.namespace)
        if p.spec.node_name
        and p.status.phase not in ("Succeeded", "Failed")
        and any(
            v.persistent_volume_claim and v.persistent_volume_claim.claim_name == change.target.name
            for v in p.spec.volumes
        )
    ]
    if not held:
        return None
    return f"{held[0].ref} uses it" + (f", and {len(held) - 1} more" if len(held) > 1 else "") + "; stop it first"


Difference = tuple[str, Any, Any]
"""(JSON Pointer, the value we left, the value that is there now)."""


def _touches(path: str, others: set[str]) -> bool:
    """Whether a path, or one above or below it, is among the others."""
    return any(path == o or path.startswith(o + "/") or o.startswith(path + "/") for o in others)


def _differing(before: Object, after: Object, live: Object, wanted: Object) -> list[Difference]:
    """The fields that our change touched and that `live` does not hold as `wanted` does; our own mark comes last."""
    paths = sorted(_leaves(undo_body(before, after)), key=lambda p: p == _MARK)
    return [d for p in paths if at(live, p) != at(wanted, p) for d in _within(p, at(wanted, p), at(live, p))]


def _within(path: str, ours: Any, theirs: Any) -> Iterator[Difference]:
    """What two values of one field differ in: of lists, which a patch puts back as a whole, the elements' fields."""
    for below, was, now in changed({"v": ours}, {"v": theirs}):
        yield path + below.removeprefix("/v"), was, now


def _edits(after: Object, live: Object) -> list[Difference]:
    """What of an object that we made is another now, but for what its controllers add."""
    found = changed(authored(after), authored(live))
    return [d for d in found if d[0] != _VOLUME or d[1] is not None]


def _remade_otherwise(before: Object | None, live: Object) -> bool:
    return before is None or bool(_edits(manifest(before), manifest(live)))


def _remade(before: Object | None, live: Object) -> str:
    uid = f"uid {live['metadata']['uid']}"
    if before is None:
        return uid
    return f"we deleted uid {before['metadata']['uid']}, now there is {uid}; " + (
        _told("had", _edits(manifest(before), manifest(live))) or "its fields are the same"
    )


def _told(verb: str, found: Sequence[Difference]) -> str | None:
    """The differences as a sentence, with both values of each; None when there are none."""
    if not found:
        return None
    shown = [f"{path}: we {verb} {ours!r}, now {theirs!r}" for path, ours, theirs in found[:_SHOWN]]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return "; ".join([*shown, *more])


def _leaves(body: Any, *steps: str) -> Iterator[str]:
    if isinstance(body, dict) and body:
        for key, value in body.items():
            yield from _leaves(value, *steps, key)
    else:
        yield pointer(*steps)
