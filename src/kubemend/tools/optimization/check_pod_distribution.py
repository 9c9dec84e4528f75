"""Tool: where a workload's pods are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Node, Pod, ReplicaSet
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.optimization.placing import counted, open_to, skew, zone_of
from kubemend.tools.words import Name, Namespace
from kubemend.tools.workloads import Spread, gathered, living, replicated, spreads, template_of


class PodPlace(Struct, frozen=True):
    """A pod and its phase."""

    pod_name: str
    status: str


class Place(Struct, frozen=True):
    """What is in one place."""

    pod_count: int
    pods: tuple[PodPlace, ...]


class Distribution(Struct, frozen=True):
    """Where the pods are; places that they could use and don't are there with 0 pods.

    node_skew, zone_skew: pods in the fullest place more than in the emptiest; None when nodes could not be read.
    single_points_of_failure: places that hold all of several pods. spread: how the template keeps its pods apart.
    """

    resource_type: str
    resource_name: str
    namespace: str
    total_pods: int
    running_pods: int
    node_distribution: dict[str, Place]
    zone_distribution: dict[str, Place] | None
    unplaced_pods: tuple[str, ...]
    node_skew: int | None
    zone_skew: int | None
    single_points_of_failure: tuple[str, ...]
    spread: tuple[Spread, ...]
    issues: tuple[str, ...]
    recommendations: tuple[str, ...]
    distribution_score: str


@tool(
    risk=Risk.READ,
    needs={
        Access("get", "deployments", "apps"),
        Access("get", "statefulsets", "apps"),
        Access("list", "replicasets", "apps"),
        Access("list", "pods"),
        Access("list", "nodes"),
    },
    examples=({"deployment_name": "web", "namespace": "shop"}, {"deployment_name": "store", "namespace": "shop"}),
)
async def check_pod_distribution(cluster: Look, *, deployment_name: Name, namespace: Namespace) -> Distribution:
    """Show where the pods of a Deployment (or StatefulSet) are by node and zone, and what one loss would take.

    Only nodes that its pods may be on count: ready, not cordoned, chosen and tolerated. The score is "good" when
    there is no issue.
    """
    workload = await replicated(cluster, namespace, deployment_name)
    snapshot = await gathered(cluster, namespace, ReplicaSet, Pod, beside=(Node,))
    pods = [p for p in snapshot.pods(workload) if living(p)]
    known = snapshot.was_read(Node)
    nodes = {n.name: n for n in snapshot.all(Node)}
    usable = open_to(template_of(workload).spec, nodes.values())
    on_nodes = counted((p.spec.node_name for p in pods), (n.name for n in usable))
    in_zones = counted((zone_of(nodes.get(p.spec.node_name)) for p in pods), map(zone_of, usable))
    single = tuple(_single(on_nodes, in_zones, len(pods)))
    issues = tuple(_issues(pods, single, len(usable) if known else None, skew(in_zones.values())))
    return Distribution(
        resource_type=workload.ref.kind.lower(),
        resource_name=workload.name,
        namespace=namespace,
        total_pods=len(pods),
        running_pods=sum(p.status.phase == "Running" for p in pods),
        node_distribution={n: _place(c, [p for p in pods if p.spec.node_name == n]) for n, c in on_nodes.items()},
        zone_distribution={
            z: _place(c, [p for p in pods if zone_of(nodes.get(p.spec.node_name)) == z]) for z, c in in_zones.items()
        }
        if known
        else None,
        unplaced_pods=tuple(p.name for p in pods if not p.spec.node_name),
        node_skew=skew(on_nodes.values()) if known else None,
        zone_skew=skew(in_zones.values()) if known else None,
        single_points_of_failure=single,
        spread=tuple(spreads(template_of(workload))),
        issues=issues,
        recommendations=("recommend_anti_affinity gives a patch that would schedule today",) if single else (),
        distribution_score="needs_improvement" if issues else "good",
    )


def _place(count: int, pods: Sequence[Pod]) -> Place:
    return Place(count, tuple(PodPlace(p.name, p.status.phase) for p in pods))


def _single(on_nodes: dict[str, int], in_zones: dict[str, int], total: int) -> Iterator[str]:
    """A place that holds every one of several pods, if there is another one that could hold some."""
    for what, places in (("node", on_nodes), ("zone", in_zones)):
        for name, count in places.items():
            if total > 1 and count == total and len(places) > 1:
                yield f"{what}/{name}"


def _issues(pods: Sequence[Pod], single: Sequence[str], usable: int | None, zone_skew: int) -> Iterator[str]:
    if len(pods) == 1:
        yield "one pod: its node is a single point of failure whatever the spread"
    for place in single:
        yield f"all {len(pods)} pods are in {place}"
    if usable == 1 and len(pods) > 1:
        yield "only one node may take its pods"
    if zone_skew > 1 and not any(s.startswith("zone/") for s in single):
        yield f"zones differ by {zone_skew} pods"
    if waiting := [p.name for p in pods if not p.spec.node_name]:
        yield f"{len(waiting)} pods have no node"
