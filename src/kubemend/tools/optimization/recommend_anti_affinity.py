"""Tool: a patch that keeps a workload's pods apart, and would schedule today."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from kubemend.kube.rollout import HASH_LABEL, margins
from kubemend.kube.scheduling import Rehearsal, rehearse
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Deployment, Node, Pod, ReplicaSet
from kubemend.model.objects import Namespace as NamespaceObject
from kubemend.model.objects.pod import PodTemplate, TopologySpreadConstraint
from kubemend.model.snapshot import Snapshot
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.optimization.placing import counted, open_to, zone_of
from kubemend.tools.words import Name
from kubemend.tools.words import Namespace as NamespaceName
from kubemend.tools.workloads import HOST, ZONE, Spread, Workload, gathered, replicated, running, spreads, template_of

WORDS = {HOST: "node", ZONE: "zone"}


class Option(Struct, frozen=True):
    """One way to keep the pods apart. patch: a strategic merge patch. hard: a pod waits rather than break it.

    schedules: whether a rolling update to it would come through on the nodes as they are. why_not: what would keep
    a pod waiting. effect: what it guarantees; by_node, by_zone: where the rehearsed pods went.
    """

    kind: str
    topology_key: str
    hard: bool
    effect: str
    schedules: bool
    why_not: str
    by_node: dict[str, int]
    by_zone: dict[str, int]
    patch: dict[str, Any]
    command: str


class Advice(Struct, frozen=True):
    """The strongest option that would schedule today, and those that were weighed. recommended: None when none is
    needed (`reason` says why) or none would schedule."""

    resource_type: str
    resource_name: str
    namespace: str
    replicas: int
    existing: tuple[Spread, ...]
    eligible_nodes: int
    eligible_zones: int
    recommended: Option | None
    reason: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class _Scene:
    """A workload on its cluster."""

    workload: Workload
    replicas: int
    snapshot: Snapshot

    @property
    def nodes(self) -> list[Node]:
        return self.snapshot.all(Node)


@tool(
    risk=Risk.READ,
    needs={
        Access("get", "deployments", "apps"),
        Access("get", "statefulsets", "apps"),
        Access("list", "replicasets", "apps"),
        Access("list", "pods"),
        Access("list", "nodes"),
        Access("list", "namespaces"),
    },
    examples=({"deployment_name": "web", "namespace": "shop"}, {"deployment_name": "store", "namespace": "shop"}),
)
async def recommend_anti_affinity(cluster: Look, *, deployment_name: Name, namespace: NamespaceName) -> Advice:
    """Give a ready patch that spreads a Deployment's (or StatefulSet's) pods, rehearsed on the nodes as they are.

    Options, strongest first: spread over zones and nodes as a must, over zones as a must, over nodes as a must, both
    as a wish. Each is rehearsed: a rolling update pod by pod against the scheduler's hard filters, with what is free
    now. The first that comes through is recommended. Nothing is changed.
    """
    workload = await replicated(cluster, namespace, deployment_name)
    # Pods of all namespaces: they hold the room that a rehearsal needs.
    snapshot = await gathered(cluster, None, ReplicaSet, Pod, Node, beside=(NamespaceObject,))
    # In a thread: while rollouts are rehearsed on a thousand nodes, other calls go on.
    return await asyncio.to_thread(_advice, _Scene(workload, workload.spec.replicas, snapshot))


def _advice(scene: _Scene) -> Advice:
    workload = scene.workload
    usable = open_to(template_of(workload).spec, scene.nodes)
    zones = {zone_of(n) for n in usable} - {""}
    existing = tuple(spreads(template_of(workload)))
    options = tuple(_options(scene, zones=len(zones), nodes=len(usable)))
    chosen, reason = _choice(scene.replicas, existing, options, nodes=len(usable), zones=len(zones))
    return Advice(
        resource_type=workload.ref.kind.lower(),
        resource_name=workload.name,
        namespace=workload.namespace,
        replicas=scene.replicas,
        existing=existing,
        eligible_nodes=len(usable),
        eligible_zones=len(zones),
        recommended=chosen,
        reason=reason,
        options=options,
    )


def _choice(
    replicas: int, existing: Sequence[Spread], options: Sequence[Option], *, nodes: int, zones: int
) -> tuple[Option | None, str]:
    if replicas < 2:
        return None, "one replica can't be spread: run two or more"
    if nodes < 2:
        return None, f"its pods may be on {nodes} node only: nothing to spread over"
    missing = {HOST} | ({ZONE} if zones > 1 else set())
    if {s.topology_key for s in existing if s.hard} >= missing:
        return None, "its pods are kept apart already, as a must"
    chosen = next((o for o in options if o.schedules), None)
    if chosen is None:
        return None, "no rolling update would come through now, not even to a wish: there is no room for a pod more"
    return chosen, f"the strongest of {len(options)} options that would schedule today"


def _options(scene: _Scene, *, zones: int, nodes: int) -> Iterator[Option]:
    if scene.replicas < 2 or nodes < 2:
        return
    if zones > 1:
        yield _option(scene, ((ZONE, True), (HOST, True)))
        yield _option(scene, ((ZONE, True), (HOST, False)))
    yield _option(scene, ((HOST, True),))
    yield _option(scene, ((ZONE, False), (HOST, False)) if zones > 1 else ((HOST, False),))


def _option(scene: _Scene, wanted: Sequence[tuple[str, bool]]) -> Option:
    end = _rehearsed(scene, wanted)
    spec = {"topologySpreadConstraints": [_written(scene, key, hard) for key, hard in wanted]}
    patch = {"spec": {"template": {"spec": spec}}}
    zones = {n.name: zone_of(n) for n in scene.nodes}
    target = f"{scene.workload.ref.kind.lower()}/{scene.workload.name}"
    return Option(
        kind="topology-spread",
        topology_key=wanted[0][0],
        hard=wanted[0][1],
        effect="; ".join(_effect(key, hard) for key, hard in wanted),
        schedules=end.complete,
        why_not="" if end.complete else _why(end, scene.replicas),
        by_node=counted(end.nodes, ()),
        by_zone=counted((zones.get(n, "") for n in end.nodes), ()),
        patch=patch,
        command=f"kubectl -n {scene.workload.namespace} patch {target} -p '{json.dumps(patch)}'",
    )


def _written(scene: _Scene, key: str, hard: bool) -> dict[str, Any]:
    """A constraint as the API takes it.

    A Deployment's old and new pods are counted apart (`matchLabelKeys`, Kubernetes 1.27): else a rollout spreads the
    new pods among the old ones, and they stand unevenly when these have gone.
    """
    constraint = {
        "topologyKey": key,
        "maxSkew": 1,
        "whenUnsatisfiable": _when(hard),
        "labelSelector": msgspec.to_builtins(scene.workload.spec.selector),
    }
    return {**constraint, "matchLabelKeys": [HASH_LABEL]} if _by_revision(scene.workload) else constraint


def _when(hard: bool) -> str:
    return "DoNotSchedule" if hard else "ScheduleAnyway"


def _by_revision(workload: Workload) -> bool:
    """A StatefulSet's pods are replaced in their own place, one after the other."""
    return isinstance(workload, Deployment)


def _rehearsed(scene: _Scene, wanted: Sequence[tuple[str, bool]]) -> Rehearsal:
    before, selector, labels = template_of(scene.workload), scene.workload.spec.selector, dict[str, str]()
    if _by_revision(scene.workload):
        labels = {HASH_LABEL: "rehearsed"}
        selector = msgspec.structs.replace(selector, match_labels={**selector.match_labels, **labels})
    added = tuple(TopologySpreadConstraint(key, 1, _when(hard), selector) for key, hard in wanted)
    # A strategic merge patch replaces a constraint of the same key and keeps the others (patchMergeKey topologyKey).
    keys = {key for key, _ in wanted}
    kept = tuple(c for c in before.spec.topology_spread_constraints if c.topology_key not in keys)
    spec = msgspec.structs.replace(before.spec, topology_spread_constraints=(*kept, *added))
    meta = msgspec.structs.replace(before.metadata, labels={**before.metadata.labels, **labels})
    surge, unavailable = margins(scene.workload, scene.replicas)
    return rehearse(
        PodTemplate(metadata=meta, spec=spec),
        scene.workload.namespace,
        scene.replicas,
        nodes=scene.nodes,
        pods=[p for p in scene.snapshot.all(Pod) if p.status.phase not in ("Succeeded", "Failed")],
        old=running(scene.snapshot, scene.workload),
        surge=surge,
        unavailable=unavailable,
        namespaces={n.name: n.metadata.labels for n in scene.snapshot.all(NamespaceObject)},
    )


def _effect(key: str, hard: bool) -> str:
    word = WORDS[key]
    return f"no {word} ever has two pods more than another" if hard else f"{word}s are filled evenly where that can be"


def _why(end: Rehearsal, replicas: int) -> str:
    told = ", ".join(f"{kind} on {count} nodes" for kind, count in end.why)
    return f"pod {len(end.nodes) + 1} of {replicas} would wait: {told or 'no node may take it'}"
