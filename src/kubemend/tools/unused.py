"""Objects that nothing uses, as far as what was read can tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from kubemend.kube.references import Kind, named
from kubemend.kube.selectors import subset
from kubemend.model.objects import (
    ConfigMap,
    CronJob,
    DaemonSet,
    Deployment,
    Ingress,
    Job,
    Obj,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    ReplicaSet,
    Service,
    ServiceAccount,
    StatefulSet,
)
from kubemend.model.snapshot import Snapshot
from kubemend.tools.workloads import living

_Templated = Deployment | ReplicaSet | StatefulSet | DaemonSet | Job

TEMPLATES: tuple[type[Obj], ...] = (Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob)
"""Kinds with a pod template, whose references count even while they have no pods."""

SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
"""Namespaces whose objects serve the cluster itself, in ways that no reference shows."""
GIVEN = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"})
"""ConfigMaps that a controller puts into every namespace."""
FOUND = ("grafana_dashboard", "prometheus_rule")
"""Labels by which programs find ConfigMaps through the API: used, though no pod names them."""


def used(snapshot: Snapshot) -> frozenset[tuple[str, Kind, str]]:
    """(namespace, kind, name) of everything that a pod or a pod template names."""
    found = {(space, kind, name) for space, spec in _specs(snapshot) for kind, name in named(spec)}
    for account in snapshot.all(ServiceAccount):
        found |= {(account.namespace, "Secret", s.name) for s in account.image_pull_secrets}
    for stateful in snapshot.all(StatefulSet):
        found |= {(stateful.namespace, "PersistentVolumeClaim", c) for c in _claims(stateful)}
    return frozenset(found)


def _specs(snapshot: Snapshot) -> Iterator[tuple[str, PodSpec]]:
    yield from ((p.namespace, p.spec) for p in snapshot.all(Pod) if p.status.phase not in ("Succeeded", "Failed"))
    made = (Deployment, ReplicaSet, StatefulSet, DaemonSet, Job)
    for owner in (o for kind in made for o in cast("list[_Templated]", snapshot.all(cast("type[Obj]", kind)))):
        yield owner.namespace, owner.spec.template.spec
    yield from ((c.namespace, c.spec.job_template.spec.template.spec) for c in snapshot.all(CronJob))


def _claims(stateful: StatefulSet) -> Iterator[str]:
    """Claims of the replicas that it wants: "<template>-<set>-<ordinal>". Those above are left over."""
    for template in stateful.spec.volume_claim_templates:
        yield from (f"{template.name}-{stateful.name}-{i}" for i in range(stateful.spec.replicas))


def claims(snapshot: Snapshot) -> list[PersistentVolumeClaim]:
    """Claims that no pod or template mounts."""
    names = snapshot.derived(used)
    found = snapshot.all(PersistentVolumeClaim)
    return [c for c in found if (c.namespace, "PersistentVolumeClaim", c.name) not in names]


def config_maps(snapshot: Snapshot) -> list[ConfigMap]:
    """ConfigMaps that no pod or template names, but for those that have an owner or are found in other ways."""
    names = snapshot.derived(used)
    return [
        c
        for c in snapshot.all(ConfigMap)
        if (c.namespace, "ConfigMap", c.name) not in names
        and c.namespace not in SYSTEM
        and c.name not in GIVEN
        and not c.metadata.owner_references
        and not any(key in c.metadata.labels for key in FOUND)
        and not any(key.startswith("control-plane.alpha.kubernetes.io/") for key in c.metadata.annotations)
    ]


def services(snapshot: Snapshot) -> list[Service]:
    """Services with a selector that selects no pod. One without a selector has its endpoints from elsewhere."""
    labels: dict[str, list[Mapping[str, str]]] = {}
    for pod in snapshot.all(Pod):
        if living(pod):
            labels.setdefault(pod.namespace, []).append(pod.metadata.labels)
    return [s for s in snapshot.all(Service) if _selects_none(s, labels.get(s.namespace, ()))]


def _selects_none(service: Service, pods: Iterable[Mapping[str, str]]) -> bool:
    selector = service.spec.selector
    return bool(selector) and service.spec.type != "ExternalName" and not any(subset(selector, p) for p in pods)


def behind_ingress(snapshot: Snapshot) -> frozenset[tuple[str, str]]:
    """(namespace, name) of the Services that an Ingress leads to."""
    found: set[tuple[str, str]] = set()
    for ingress in snapshot.all(Ingress):
        backends = [p.backend for r in ingress.spec.rules if r.http for p in r.http.paths]
        if ingress.spec.default_backend is not None:
            backends.append(ingress.spec.default_backend)
        found |= {(ingress.namespace, b.service.name) for b in backends if b.service is not None}
    return frozenset(found)


def bare_pods(snapshot: Snapshot) -> list[Pod]:
    """Pods without a controller: nobody makes them anew. Mirror pods of a node's own files are not among them."""
    return [
        p
        for p in snapshot.all(Pod)
        if not p.metadata.owner_references and "kubernetes.io/config.mirror" not in p.metadata.annotations
    ]
