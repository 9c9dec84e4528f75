"""What a rollback writes: the raw pod template of a revision, as `kubectl rollout undo` takes it.

The typed snapshot holds a part of a template only (no literal values of environment variables, for one), so the
patch is made here, from the two raw objects and at the moment of the write.
"""

from __future__ import annotations

from typing import Any, Protocol

from kubemend.cluster.errors import ClusterError
from kubemend.kube.patch import inverse
from kubemend.model.plan import Change, Create, Delete, Evict, Exec, Patch, RollBack, Scale
from kubemend.model.ref import Ref

Object = dict[str, Any]
Written = Patch | Scale | Evict | Create | Delete | Exec

HASH = "pod-template-hash"
"""The label that the Deployment controller adds to the template of each ReplicaSet it makes, and nothing else."""


class NotItsRevision(ClusterError):
    """The object isn't, or is no longer, a revision of the workload that it was planned for."""

    code = "not-its-revision"


class Source(Protocol):
    """Where raw objects come from; the client's Reader is one."""

    async def get(self, ref: Ref) -> Object:
        """The raw object; raises NotFound."""
        ...


async def resolved(change: Change, before: Object | None, source: Source) -> Written:
    """A rollback as the merge patch of `before` that it comes to now; every other change as it is.

    Raises NotFound when the revision is gone, NotItsRevision when it is another or another's.
    """
    if not isinstance(change, RollBack):
        return change
    if before is None:
        raise NotItsRevision(f"{change.target} is gone")
    template = _template(change, await source.get(change.revision))
    # Lists are replaced whole, so nothing of the newer template stays within them.
    body = inverse({"spec": {"template": template}}, {"spec": {"template": before["spec"]["template"]}})
    return Patch(target=change.target, uid=change.uid, body=body, kind="merge")


def _template(change: RollBack, revision: Object) -> Object:
    """The template of the revision, if it is the planned one and belongs to the workload."""
    metadata = revision["metadata"]
    if metadata["uid"] != change.revision_uid:
        raise NotItsRevision(
            f"{change.revision} was replaced: uid {metadata['uid']}, planned was {change.revision_uid}"
        )
    owners = metadata.get("ownerReferences") or ()
    if not any(o.get("controller") and o.get("uid") == change.uid for o in owners):
        raise NotItsRevision(f"{change.revision} is not a revision of {change.target}")
    template = _held(change, revision)
    held = template.get("metadata") or {}
    labels = {k: v for k, v in (held.get("labels") or {}).items() if k != HASH}
    kept = {k: v for k, v in held.items() if k != "labels"}
    return {**template, "metadata": {**kept, "labels": labels} if labels else kept}


def _held(change: RollBack, revision: Object) -> Object:
    """A revision's pod template; a ControllerRevision keeps it as the strategic-merge patch that brings it back."""
    holder = revision if revision["kind"] == "ReplicaSet" else revision.get("data")
    match holder:
        case {"spec": {"template": dict() as held}}:
            return {k: v for k, v in held.items() if k != "$patch"}
    raise NotItsRevision(f"{change.revision} holds no pod template")
