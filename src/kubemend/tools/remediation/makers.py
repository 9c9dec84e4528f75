"""Who makes a pod anew, and which pod came in its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kubemend.cluster.errors import NotFound
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Pod, ReplicaSet
from kubemend.model.objects.meta import OwnerReference
from kubemend.model.ref import Ref
from kubemend.tools.look import Look

_NEVER = {
    "Job": "a Job counts an evicted pod as a failure of its own",
    "Node": "a static pod belongs to a file on its node",
}


def maker(pod: Pod) -> OwnerReference:
    """The controller that makes another pod when this one goes. InvalidInput when there is none, or it would not."""
    owner = pod.metadata.controller
    if owner is None:
        raise InvalidInput(
            f"nothing would make {pod.ref} again: it has no controller",
            code="unmanaged-pod",
            where=str(pod.ref),
            hint="delete_kubernetes_resource deletes it, and its undo creates it anew",
        )
    if owner.kind in _NEVER:
        raise InvalidInput(
            f"{pod.ref} is not restarted: {_NEVER[owner.kind]}", code="not-restartable", where=str(pod.ref)
        )
    return owner


async def workload(cluster: Look, namespace: str, owner: OwnerReference) -> Ref:
    """The topmost controller: a ReplicaSet's Deployment, else the owner itself."""
    own = Ref(owner.kind, namespace, owner.name, owner.api_version.rpartition("/")[0])
    if owner.kind != "ReplicaSet":
        return own
    try:
        found = await cluster.one(ReplicaSet, namespace, owner.name)
    except NotFound:
        return own
    up = found.metadata.controller
    return own if up is None else Ref(up.kind, namespace, up.name, up.api_version.rpartition("/")[0])


def replacement(gone: Pod, pods: Iterable[Pod], known: Collection[str]) -> Pod | None:
    """The pod that stands where `gone` stood, the newest where several came; None when none has come yet.

    Of the same name for a StatefulSet, on the same node for a DaemonSet, else any new one of the same owner.
    known: uids of the pods that were there before.
    """
    owner = gone.metadata.controller
    if owner is None:
        return None
    fresh = [
        p
        for p in pods
        if p.metadata.uid not in known and p.metadata.controller and p.metadata.controller.uid == owner.uid
    ]
    if owner.kind == "StatefulSet":
        fresh = [p for p in fresh if p.name == gone.name]
    if owner.kind == "DaemonSet":
        fresh = [p for p in fresh if p.spec.node_name in ("", gone.spec.node_name)]
    return max(
        fresh,
        key=lambda p: (p.metadata.creation_timestamp is not None, p.metadata.creation_timestamp, p.name),
        default=None,
    )
