"""The pieces of evidence about one object: each is had, or the reason why not is noted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kubemend.cluster.errors import ClusterError
from kubemend.kube.diff import without_server_fields
from kubemend.kube.redaction import redacted
from kubemend.kube.selectors import matches, subset
from kubemend.model.objects import (
    DaemonSet,
    Deployment,
    EndpointSlice,
    Event,
    Ingress,
    Node,
    Obj,
    Pod,
    ReplicaSet,
    Service,
    StatefulSet,
)
from kubemend.model.ref import Ref
from kubemend.model.snapshot import revision_of
from kubemend.tools.look import Look
from kubemend.tools.remediation.dependents import backends
from kubemend.tools.resources.list_kubernetes_events import EPOCH, EventRow, row

KINDS: dict[str, type[Obj]] = {
    "pod": Pod, "deployment": Deployment, "statefulset": StatefulSet, "daemonset": DaemonSet, "service": Service,
    "node": Node,
}  # fmt: skip
PODS = 5
"""Pods whose names and states are told."""


async def snapshot_of(cluster: Look, ref: Ref) -> dict[str, Any]:
    """The object as it is, without what servers note, and redacted; its status included."""
    found = await cluster.raw(ref)
    plain: dict[str, Any] = redacted({**without_server_fields(found), "status": found.get("status")})
    return plain


async def pods_of(cluster: Look, obj: Obj) -> tuple[Pod, ...] | None:
    """The pods behind an object; None, and a gap, when they can't be read."""
    match obj:
        case Pod():
            return (obj,)
        case Node():
            return await cluster.beside(Pod, fields=f"spec.nodeName={obj.name}")
        case Service():
            held = await cluster.beside(Pod, obj.namespace)
            selector = obj.spec.selector
            return None if held is None else tuple(p for p in held if selector and subset(selector, p.metadata.labels))
        case Deployment() | StatefulSet() | DaemonSet():
            held = await cluster.beside(Pod, obj.namespace)
            chosen = obj.spec.selector
            return None if held is None else tuple(p for p in held if matches(chosen, p.metadata.labels))
    return ()


def worst(pods: Sequence[Pod]) -> Pod | None:
    """The pod that most is wrong with: not ready before ready, then by restarts."""

    def trouble(pod: Pod) -> tuple[bool, int, str]:
        statuses = pod.status.container_statuses
        return not all(s.ready for s in statuses) or not statuses, sum(s.restart_count for s in statuses), pod.name

    return max(pods, key=trouble, default=None)


async def timeline(cluster: Look, objects: Iterable[Obj], namespace: str, minutes: int) -> list[EventRow] | None:
    """The events of these objects in the last minutes, the oldest first."""
    held = await cluster.beside(Event, namespace or None)
    if held is None:
        return None
    wanted = {(o.ref.kind, o.namespace, o.name) for o in objects}
    since = datetime.now(UTC) - timedelta(minutes=minutes)
    mine = (
        e
        for e in held
        if (e.involved_object.kind, e.involved_object.namespace, e.involved_object.name) in wanted
        and (e.last_seen or EPOCH) >= since
    )
    return [row(e) for e in sorted(mine, key=lambda e: e.last_seen or EPOCH)]


async def logs_of(cluster: Look, pod: Pod, container: str, lines: int) -> dict[str, str | None]:
    """The end of the log of the container's present and previous run; None for one that can't be had."""
    chosen = container or _container(pod)
    found: dict[str, str | None] = {"pod": pod.name, "container": chosen}
    for which, previous in (("current", False), ("previous", True)):
        try:
            text = await cluster.logs(pod.namespace, pod.name, container=chosen, previous=previous, tail=lines)
        except ClusterError as error:
            cluster.missing(f"{which} log of {pod.name}/{chosen}", error.message)
            found[which] = None
        else:
            found[which] = text
    return found


def _container(pod: Pod) -> str:
    statuses = sorted(pod.status.container_statuses, key=lambda s: (-s.restart_count, s.name))
    return statuses[0].name if statuses else pod.spec.containers[0].name


async def nodes_of(cluster: Look, names: Iterable[str]) -> list[dict[str, Any]] | None:
    """The nodes' conditions, taints and whether they are closed."""
    held = await cluster.beside(Node)
    if held is None:
        return None
    wanted = set(names)
    return [
        {
            "name": n.name,
            "unschedulable": n.spec.unschedulable,
            "taints": [f"{t.key}={t.value}:{t.effect}" for t in n.spec.taints],
            "conditions": {c.type: {"status": c.status, "reason": c.reason} for c in n.status.conditions},
        }
        for n in held
        if n.name in wanted
    ]


async def topology(cluster: Look, pods: Sequence[Pod], namespace: str) -> list[dict[str, Any]] | None:
    """The Services in front of the pods, how many of their endpoints are ready, and the Ingresses that name them."""
    services = await cluster.beside(Service, namespace)
    slices = await cluster.beside(EndpointSlice, namespace)
    ingresses = await cluster.beside(Ingress, namespace)
    if services is None:
        return None
    found = []
    for service in services:
        selector = service.spec.selector
        if selector and any(subset(selector, p.metadata.labels) for p in pods):
            mine = [s for s in slices or () if s.metadata.labels.get("kubernetes.io/service-name") == service.name]
            ready = sum(e.conditions.ready is not False for s in mine for e in s.endpoints or ())
            named = [i.name for i in ingresses or () if service.name in backends(i)]
            found.append(
                {
                    "service": service.name,
                    "ready_endpoints": None if slices is None else ready,
                    "ingresses": None if ingresses is None else named,
                }
            )
    return found


async def changes(cluster: Look, obj: Obj, minutes: int) -> dict[str, Any]:
    """Who wrote the object last, and for a Deployment its latest revisions."""
    raw = await cluster.raw(obj.ref)
    writers = [
        {"manager": m.get("manager"), "operation": m.get("operation"), "time": m.get("time")}
        for m in raw["metadata"].get("managedFields", ())
        if m.get("subresource") != "status"
    ]
    told: dict[str, Any] = {
        "window_minutes": minutes,
        "generation": raw["metadata"].get("generation"),
        "writers": sorted(writers, key=lambda w: str(w["time"]), reverse=True),
    }
    if isinstance(obj, Deployment):
        held = await cluster.beside(ReplicaSet, obj.namespace)
        told["revisions"] = None if held is None else _revisions(obj, held, minutes)
    return told


def _revisions(deployment: Deployment, held: Iterable[ReplicaSet], minutes: int) -> list[dict[str, Any]]:
    since = datetime.now(UTC) - timedelta(minutes=minutes)
    mine = [r for r in held if r.metadata.controller and r.metadata.controller.uid == deployment.metadata.uid]
    return [
        {
            "revision": revision_of(r),
            "created": r.metadata.creation_timestamp,
            "within_window": r.metadata.creation_timestamp is not None and r.metadata.creation_timestamp >= since,
            "images": {c.name: c.image for c in r.spec.template.spec.containers},
        }
        for r in sorted(mine, key=revision_of, reverse=True)[:5]
    ]
