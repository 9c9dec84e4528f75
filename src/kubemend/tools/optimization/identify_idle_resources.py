"""Tool: what costs and does nothing."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, structs

from kubemend.model.access import Access, Risk
from kubemend.model.objects import (
    ConfigMap,
    Ingress,
    Node,
    Obj,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Service,
    ServiceAccount,
)
from kubemend.model.tool import tool
from kubemend.tools import unused
from kubemend.tools.diagnostics.get_kubernetes_orphaned_resources import NEEDS, SECRETS
from kubemend.tools.look import Look
from kubemend.tools.optimization import idle
from kubemend.tools.optimization.idle import Idle
from kubemend.tools.optimization.prices import priced, tariff
from kubemend.tools.usage import OF_PODS, by_pod, metered
from kubemend.tools.words import Scope
from kubemend.tools.workloads import gathered


class IdleReport(Struct, frozen=True):
    """What does nothing, by kind; None where that can't be told (see `incomplete`).

    monthly_cost: of nodes, volumes and claims, in the currency of the price book; workloads are on nodes that are
    counted already.
    """

    total: int
    currency: str
    monthly_cost: float
    empty_nodes: tuple[Idle, ...] | None
    unbound_volumes: tuple[Idle, ...] | None
    unmounted_claims: tuple[Idle, ...]
    unused_config_maps: tuple[Idle, ...]
    unused_services: tuple[Idle, ...]
    unused_secrets: tuple[Idle, ...] | None
    stopped_workloads: tuple[Idle, ...]
    idle_workloads: tuple[Idle, ...] | None


@tool(
    risk=Risk.READ,
    needs=NEEDS | {Access("list", "nodes"), Access("list", "persistentvolumes"), OF_PODS},
    examples=({},),
)
async def identify_idle_resources(cluster: Look, *, namespace: Scope = None) -> IdleReport:
    """Find what does nothing: empty nodes, volumes and claims nobody mounts, unused Services and ConfigMaps.

    And workloads at 0 replicas, or whose pods use less than 1m of CPU just now. Used is what a pod or pod template
    names; look before deleting. With a namespace, nodes and volumes are left out: they belong to no namespace.
    """
    kinds: tuple[type[Obj], ...] = (Pod, Service, PersistentVolumeClaim, ConfigMap, *unused.TEMPLATES)
    wide: tuple[type[Obj], ...] = (Node, PersistentVolume) if namespace is None else priced(cluster.prices)
    snapshot = await gathered(cluster, namespace, *kinds, beside=(Ingress, ServiceAccount, *wide))
    using = await metered(cluster, namespace)
    cluster.missing("secrets", SECRETS)
    costs = tariff(cluster, cluster.prices, snapshot)
    nodes = tuple(idle.nodes(snapshot, costs)) if namespace is None and snapshot.was_read(Node) else None
    volumes = tuple(idle.volumes(snapshot, costs)) if snapshot.was_read(PersistentVolume) else None
    claims = tuple(idle.claims(snapshot, costs))
    report = IdleReport(
        total=0,
        currency=costs.book.currency,
        monthly_cost=round(sum(i.monthly_cost or 0.0 for i in (*(nodes or ()), *(volumes or ()), *claims)), 2),
        empty_nodes=nodes,
        unbound_volumes=volumes,
        unmounted_claims=claims,
        unused_config_maps=_rows(unused.config_maps(snapshot), "no pod or template names it"),
        unused_services=_rows(unused.services(snapshot), "its selector selects no pod"),
        unused_secrets=None,
        stopped_workloads=tuple(idle.stopped(snapshot)),
        idle_workloads=None if using is None else tuple(idle.quiet(snapshot, by_pod(using), costs)),
    )
    return _counted(report)


def _rows(found: Iterable[Obj], why: str) -> tuple[Idle, ...]:
    return tuple(Idle(o.ref.kind, o.name, o.namespace, why) for o in found if o.namespace not in unused.SYSTEM)


def _counted(report: IdleReport) -> IdleReport:
    held = (getattr(report, name) for name in report.__struct_fields__)
    return structs.replace(report, total=sum(len(h) for h in held if isinstance(h, tuple)))
