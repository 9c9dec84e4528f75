"""Tool: no pods on a node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta

from kubemend.kube.scheduling import Room
from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Node, Pod, kind_of
from kubemend.model.order import Order
from kubemend.model.plan import Change, Delete, Evict, Patch, Verify
from kubemend.model.ref import Ref
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.makers import workload
from kubemend.tools.words import Name

MIRROR = "kubernetes.io/config.mirror"
MOST = 250
"""Pods of one plan: more than a node runs by default (110)."""


@tool(
    risk=Risk.HIGH,
    needs={
        Access("get", "nodes"),
        Access("list", "nodes"),
        Access("list", "pods"),
        Access("get", "pods"),
        Access("get", "replicasets", "apps"),
        Access("patch", "nodes"),
        Access("create", "pods/eviction"),
        Access("create", "pods"),
        Access("delete", "pods"),
    },
    examples=({"node_name": "lab-1", "force": True, "delete_emptydir_data": True},),
)
async def drain_node(
    cluster: Look,
    *,
    node_name: Name,
    timeout: Annotated[  # noqa: ASYNC109 - the tool's own word
        int, Meta(description="Seconds that budgets may hold a pod back, and then for all to be well.", ge=1, le=3600)
    ] = 300,
    force: Annotated[
        bool, Meta(description="Also delete pods without a controller, and go on where pods find no other node.")
    ] = False,
    delete_emptydir_data: Annotated[bool, Meta(description="Also evict pods whose emptyDir data is lost.")] = False,
) -> Order:
    """Cordon a node, evict its pods one after the other, as `kubectl drain` does, and prove their workloads well.

    Pods of DaemonSets and static pods stay. Budgets are waited for. If a pod can't go, or a workload isn't well
    afterwards, the node is opened again; so does an undo. Pods that are deleted by `force` are then made anew.
    """
    node = await cluster.one(Node, "", node_name)
    pods = await cluster.list(Pod)
    here = [p for p in pods if p.spec.node_name == node_name and p.metadata.deletion_timestamp is None]
    going, staying = _sorted(here)
    _refuse(going, force=force, delete_emptydir_data=delete_emptydir_data)
    homeless = _homeless(going, await cluster.list(Node), pods, node_name)
    if homeless and not force:
        raise InvalidInput(
            f"{len(homeless)} pods would find no other node: {_named(homeless)}",
            code="no-room",
            where=str(node.ref),
            hint="make room first, or say force",
        )
    tops = {p.ref: await _top(cluster, p) for p in going}
    changes: list[Change] = []
    if not node.spec.unschedulable:
        changes.append(Patch(target=node.ref, uid=node.metadata.uid, body={"spec": {"unschedulable": True}}))
    changes += [_change(p, float(timeout)) for p in going]
    if not changes:
        raise InvalidInput(f"{node.ref} is cordoned and empty already", code="nothing-to-do", where=str(node.ref))
    watched = {t for t in tops.values() if t is not None and kind_of(t) is not None}
    return Order(
        changes=tuple(changes),
        reason=f"drain {node.ref} of {len(going)} pods, as asked",
        verify=Verify(healthy=tuple(sorted(watched)), within_s=float(timeout), gone=False),
        told=_told(node_name, going, staying, homeless),
        target=node.ref,
    )


def _sorted(here: Iterable[Pod]) -> tuple[list[Pod], list[Pod]]:
    """The pods that go, and those that belong to the node: DaemonSets' and static ones."""
    going, staying = list[Pod](), list[Pod]()
    for pod in here:
        owner = pod.metadata.controller
        stays = MIRROR in pod.metadata.annotations or (owner is not None and owner.kind in ("DaemonSet", "Node"))
        (staying if stays else going).append(pod)
    return going, staying


def _refuse(going: Sequence[Pod], *, force: bool, delete_emptydir_data: bool) -> None:
    alone = [p for p in going if p.metadata.controller is None]
    if alone and not force:
        raise InvalidInput(
            f"{len(alone)} pods have no controller and would not come back: {_named(alone)}",
            code="unmanaged-pod",
            hint="say force to delete them",
        )
    losing = [p for p in going if any(v.empty_dir is not None for v in p.spec.volumes) and _runs(p)]
    if losing and not delete_emptydir_data:
        raise InvalidInput(
            f"{len(losing)} pods keep data in emptyDir volumes, which would be lost: {_named(losing)}",
            code="emptydir-data",
            hint="say delete_emptydir_data to go on",
        )
    if len(going) > MOST:
        raise InvalidInput(f"{len(going)} pods are too many for one plan (at most {MOST})", code="too-many")


def _runs(pod: Pod) -> bool:
    return pod.status.phase not in ("Succeeded", "Failed")


def _homeless(going: Iterable[Pod], nodes: Iterable[Node], pods: Iterable[Pod], drained: str) -> list[Pod]:
    """The running pods that would find no other node, placed one after the other where there is most room."""
    leaving = {p.metadata.uid for p in going}
    staying = [p for p in pods if p.metadata.uid not in leaving]
    others = [n for n in nodes if n.name != drained]
    placed: dict[str, list[Pod]] = defaultdict(list)
    found = []
    for pod in going:
        if not _runs(pod) or pod.metadata.controller is None:
            continue
        room = Room(pod.spec, pod.namespace, pod.metadata.labels, others, [*staying, *placed["all"]])
        node = room.place()
        if node is None:
            found.append(pod)
        else:
            placed["all"].append(room.stand_in(node))
    return found


async def _top(cluster: Look, pod: Pod) -> Ref | None:
    owner = pod.metadata.controller
    return None if owner is None else await workload(cluster, pod.namespace, owner)


def _change(pod: Pod, patience: float) -> Change:
    if pod.metadata.controller is None:
        return Delete(target=pod.ref, uid=pod.metadata.uid)
    return Evict(target=pod.ref, uid=pod.metadata.uid, patience_s=patience)


def _told(name: str, going: Sequence[Pod], staying: Sequence[Pod], homeless: Sequence[Pod]) -> Mapping[str, Any]:
    return {
        "node_name": name,
        "evicted_pods": [str(p.ref) for p in going if p.metadata.controller is not None],
        "deleted_pods": [str(p.ref) for p in going if p.metadata.controller is None],
        "staying_pods": [str(p.ref) for p in staying],
        "no_other_node_for": [str(p.ref) for p in homeless],
    }


def _named(pods: Sequence[Pod]) -> str:
    shown = ", ".join(f"{p.namespace}/{p.name}" for p in pods[:5])
    return shown + (f" and {len(pods) - 5} more" if len(pods) > 5 else "")
