"""Who belongs to whom: adopting what a selector matches, letting go of what it no longer does."""

from __future__ import annotations

from kubemend.lab.api import Object
from kubemend.lab.fields import (
    controller,
    deleting,
    labels,
    namespace,
    owner_reference,
    owners,
    selects,
    spec,
    uid,
)
from kubemend.lab.informer import Informer


async def claim(seen: Informer, owner: Object, kind: str) -> list[Object]:
    """The objects of `kind` that `owner` controls, after adopting and releasing (as `ControllerRefManager`).

    An owner that is being deleted adopts nothing. An object that no longer matches is released, so that a person
    can take a pod out of service by changing its labels.
    """
    selector = spec(owner).get("selector")
    mine = []
    for obj in seen.owned(owner, kind):
        if selects(selector, labels(obj)):
            mine.append(obj)
        elif not deleting(obj):
            await _reown(seen, obj, [r for r in owners(obj) if r["uid"] != uid(owner)])
    for obj in [] if deleting(owner) else seen.all(kind, namespace(owner)):
        if controller(obj) is None and not deleting(obj) and labels(obj) and selects(selector, labels(obj)):
            others = [r for r in owners(obj) if r["uid"] != uid(owner)]
            mine.append(await _reown(seen, obj, [*others, owner_reference(owner)]))
    return mine


async def _reown(seen: Informer, obj: Object, references: list[Object]) -> Object:
    return await seen.patch(obj, {"metadata": {"uid": uid(obj), "ownerReferences": references}})
