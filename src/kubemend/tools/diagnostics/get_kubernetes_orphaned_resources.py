"""Tool: what belongs to nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import (
    ConfigMap,
    Ingress,
    Obj,
    PersistentVolumeClaim,
    Pod,
    Service,
    ServiceAccount,
)
from kubemend.model.tool import tool
from kubemend.tools import unused
from kubemend.tools.look import Look
from kubemend.tools.words import Scope
from kubemend.tools.workloads import gathered

SECRETS = "kubemend lists no Secrets, for a list would hold their values"


class Orphan(Struct, frozen=True):
    """One object, and why it counts. type: of a Service."""

    name: str
    namespace: str
    creation_time: datetime | None
    why: str
    type: str = ""


class Orphans(Struct, frozen=True):
    """Objects by kind; None where that can't be told. total: of those that can."""

    total: int
    pods: tuple[Orphan, ...]
    services: tuple[Orphan, ...]
    persistent_volume_claims: tuple[Orphan, ...]
    config_maps: tuple[Orphan, ...]
    secrets: tuple[Orphan, ...] | None


NEEDS = {
    Access("list", "pods"),
    Access("list", "services"),
    Access("list", "ingresses", "networking.k8s.io"),
    Access("list", "persistentvolumeclaims"),
    Access("list", "configmaps"),
    Access("list", "serviceaccounts"),
    Access("list", "deployments", "apps"),
    Access("list", "replicasets", "apps"),
    Access("list", "statefulsets", "apps"),
    Access("list", "daemonsets", "apps"),
    Access("list", "jobs", "batch"),
    Access("list", "cronjobs", "batch"),
}


@tool(risk=Risk.READ, needs=NEEDS, examples=({"namespace": "shop"},))
async def get_kubernetes_orphaned_resources(cluster: Look, *, namespace: Scope = None) -> Orphans:
    """Find pods that nobody would make anew, and Services, claims and ConfigMaps that nothing uses.

    Used is what a pod or a pod template names. Programs may also find a ConfigMap or claim through the API, so look
    before deleting. kube-system and its like are left out; Secrets aren't listed, so nothing is said of them.
    """
    kinds: tuple[type[Obj], ...] = (Pod, Service, PersistentVolumeClaim, ConfigMap, *unused.TEMPLATES)
    snapshot = await gathered(cluster, namespace, *kinds, beside=(Ingress, ServiceAccount))
    cluster.missing("secrets", SECRETS)
    fronted = unused.behind_ingress(snapshot)
    pods = _rows(unused.bare_pods(snapshot), lambda _: "no controller: it is gone when its node is")
    services = _rows(
        unused.services(snapshot),
        lambda s: "its selector selects no pod" + (", and an Ingress leads here" if s in fronted else ""),
    )
    claims = _rows(unused.claims(snapshot), lambda _: "no pod or template mounts it")
    config_maps = _rows(unused.config_maps(snapshot), lambda _: "no pod or template names it")
    total = len(pods) + len(services) + len(claims) + len(config_maps)
    return Orphans(total, pods, services, claims, config_maps, None)


def _rows(found: Iterable[Obj], why: Callable[[tuple[str, str]], str]) -> tuple[Orphan, ...]:
    return tuple(
        Orphan(o.name, o.namespace, o.metadata.creation_timestamp, why((o.namespace, o.name)), _type(o))
        for o in found
        if o.namespace not in unused.SYSTEM
    )


def _type(found: Obj) -> str:
    """What `type` upstream told: a Service's."""
    return found.spec.type if isinstance(found, Service) else ""
