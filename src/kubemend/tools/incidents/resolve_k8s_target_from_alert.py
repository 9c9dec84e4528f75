"""Tool: who is an alert about?"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

from kubemend.cluster.errors import ClusterError, NotFound
from kubemend.kube.alerts import Alert, Named, named, normalized
from kubemend.model.access import Access, Risk
from kubemend.model.objects import DaemonSet, Deployment, Node, Obj, Pod, Service, StatefulSet
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.makers import workload

KINDS: dict[str, type[Obj]] = {
    "pod": Pod, "deployment": Deployment, "statefulset": StatefulSet, "daemonset": DaemonSet, "service": Service,
    "node": Node,
}  # fmt: skip
_MADE: dict[str, re.Pattern[str]] = {
    "deployment": re.compile(r"^(?P<name>.+)-[a-f0-9bcdfghjklmnpqrstvwxz]{5,10}-[a-z0-9]{5}$"),
    "statefulset": re.compile(r"^(?P<name>.+)-\d+$"),
    "daemonset": re.compile(r"^(?P<name>.+)-[a-z0-9]{5}$"),
}
"""How controllers name their pods: what is left of the workload in the name of a pod that is gone."""


class Target(Struct, frozen=True):
    """What the alert is about. resolved: it was found, and only one place fits. reason: how, or why not."""

    cluster: str
    namespace: str
    resource_type: str
    resource_name: str
    resolved: bool
    reason: str
    pod_name: str = ""
    container_name: str = ""
    node_name: str = ""
    deployment_name: str = ""
    service_name: str = ""
    workload: str = ""
    missing_data: tuple[str, ...] = ()
    namespace_candidates: tuple[str, ...] = ()
    namespace_lookup: str = ""


@tool(
    risk=Risk.READ,
    needs={
        Access("get", "pods"),
        Access("get", "deployments", "apps"),
        Access("list", "deployments", "apps"),
        Access("get", "replicasets", "apps"),
    },
    examples=(
        {"normalized_alert": {"labels": {"alertname": "PodCrash", "namespace": "shop", "pod": "lone"}}},
        {"normalized_alert": {"labels": {"alertname": "Replicas", "deployment": "web"}}},
    ),
)
async def resolve_k8s_target_from_alert(
    cluster: Look,
    *,
    normalized_alert: Annotated[dict[str, Any], Meta(description="Answer of normalize_alert_event, or a raw alert.")],
) -> Target:
    """Find the pod, workload, service or node that an alert is about, by its labels, else by its words.

    Where it names no namespace, all are looked through; several that fit are candidates, and nothing is guessed. Of
    a pod that is gone its workload is taken. It needs the rights to get and list the kind that the alert names.
    """
    alert = _alert(normalized_alert)
    found = named(alert)
    if not found.kind:
        return _unresolved(cluster, found, "the alert names no object", missing=("resource_name", "resource_type"))
    if found.kind == "node":
        return await _looked_up(cluster, found, "")
    if "namespace" in found.names:
        return await _looked_up(cluster, found, found.names["namespace"])
    return await _searched(cluster, found)


def _alert(given: dict[str, Any]) -> Alert:
    """A normalized alert as it was answered before, or a raw one."""
    whole = given.get("data") if isinstance(given.get("data"), dict) and "labels" not in given else given
    try:
        return msgspec.convert(whole, Alert)
    except msgspec.ValidationError:
        return normalized(whole if isinstance(whole, dict) else given)


async def _searched(cluster: Look, found: Named) -> Target:
    """Look through all namespaces."""
    kind, name = KINDS[found.kind], found.names[found.kind]
    held = await cluster.beside(kind, fields=f"metadata.name={name}")
    if held is None:
        return _unresolved(cluster, found, f"{kind.plural} of all namespaces can't be listed", missing=("namespace",))
    places = tuple(sorted({o.namespace for o in held}))
    if len(places) == 1:
        target = await _looked_up(cluster, found, places[0])
        return structs.replace(target, namespace_lookup="the only namespace that has it")
    why = (
        f"{len(places)} namespaces have a {found.kind} {name}" if places else f"no namespace has a {found.kind} {name}"
    )
    return structs.replace(_unresolved(cluster, found, why, missing=("namespace",)), namespace_candidates=places)


async def _looked_up(cluster: Look, found: Named, namespace: str) -> Target:
    """Read the object, and say what it is part of."""
    kind, name = KINDS[found.kind], found.names[found.kind]
    try:
        obj = await cluster.one(kind, namespace, name)
    except NotFound:
        if found.kind == "pod" and (maker := await _maker_of_gone(cluster, namespace, name)) is not None:
            return _workload_of(cluster, found, namespace, maker)
        why = f"there is no {found.kind} {name}{f' in {namespace}' if namespace else ''} (any more)"
        return _unresolved(cluster, found, why, namespace=namespace)
    told = _target(cluster, found, namespace, resolved=True, reason=f"named by the alert's {found.where}")
    if not isinstance(obj, Pod):
        return told
    owner = obj.metadata.controller
    top = None if owner is None else await workload(cluster, namespace, owner)
    return structs.replace(
        told,
        node_name=obj.spec.node_name,
        workload="" if top is None else f"{top.kind}/{top.name}",
        deployment_name=top.name if top is not None and top.kind == "Deployment" else told.deployment_name,
    )


async def _maker_of_gone(cluster: Look, namespace: str, pod: str) -> Obj | None:
    """The workload that made a pod of this name, if exactly one of the kinds it may be is there."""
    held: list[Obj] = []
    for kind, form in _MADE.items():
        match = form.match(pod)
        if match is None:
            continue
        try:
            held.append(await cluster.one(KINDS[kind], namespace, match["name"]))
        except NotFound:
            continue
        except ClusterError as error:
            cluster.missing(f"{kind} {match['name']}", error.message)
    return held[0] if len(held) == 1 else None


def _workload_of(cluster: Look, found: Named, namespace: str, owner: Obj) -> Target:
    kind = owner.ref.kind.lower()
    told = _target(
        cluster, found, namespace, resolved=True, reason=f"the pod is gone; by its name it was of {owner.ref}"
    )
    return structs.replace(
        told,
        resource_type=kind,
        resource_name=owner.name,
        workload=f"{owner.ref.kind}/{owner.name}",
        deployment_name=owner.name if kind == "deployment" else told.deployment_name,
        missing_data=("pod",),
    )


def _unresolved(
    cluster: Look, found: Named, why: str, *, namespace: str = "", missing: tuple[str, ...] = ("object",)
) -> Target:
    told = _target(cluster, found, namespace or found.names.get("namespace", ""), resolved=False, reason=why)
    return structs.replace(told, missing_data=missing)


def _target(cluster: Look, found: Named, namespace: str, *, resolved: bool, reason: str) -> Target:
    names = found.names
    return Target(
        cluster=names.get("cluster") or cluster.place.context,
        namespace=namespace,
        resource_type=found.kind,
        resource_name=names.get(found.kind, ""),
        resolved=resolved,
        reason=reason,
        pod_name=names.get("pod", ""),
        container_name=names.get("container", ""),
        node_name=names.get("node", ""),
        deployment_name=names.get("deployment", ""),
        service_name=names.get("service", ""),
    )
