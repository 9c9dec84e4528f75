"""Workloads as the tools that judge them see them: found by name, with their pods, budgets and how they spread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.cluster.errors import NotFound
from kubemend.kube.names import near
from kubemend.kube.selectors import matches
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import (
    DaemonSet,
    Deployment,
    Obj,
    Pod,
    PodDisruptionBudget,
    PodTemplate,
    StatefulSet,
)
from kubemend.model.objects.pod import Affinity, PodAffinity, PodAffinityTerm
from kubemend.model.snapshot import Snapshot, Unread
from kubemend.tools.look import Look

Workload = Deployment | StatefulSet | DaemonSet
KINDS: tuple[type[Workload], ...] = (Deployment, StatefulSet, DaemonSet)

WorkloadName = Annotated[
    str,
    Meta(
        description="Name of a Deployment, StatefulSet or DaemonSet; with its kind before it where names are shared: "
        "`statefulset/store`.",
        pattern=r"^([A-Za-z]+/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        max_length=270,
    ),
]
MaybeWorkload = Annotated[WorkloadName | None, Meta(description="Only this workload; all when omitted.")]

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


class Spread(Struct, frozen=True):
    """One way in which a workload's own pods are kept apart.

    by: "pod-anti-affinity" or "topology-spread". hard: a pod waits rather than break it.
    """

    by: str
    topology_key: str
    hard: bool


async def gathered(
    cluster: Look, namespace: str | None, *kinds: type[Obj], beside: Sequence[type[Obj]] = ()
) -> Snapshot:
    """The objects of these kinds at one moment. A kind of `beside` that can't be had is unread there, and a gap."""
    held: list[Obj] = []
    unread: list[Unread] = []
    for kind in kinds:
        held += await cluster.list(kind, namespace if kind.namespaced else None)
    for kind in beside:
        found = await cluster.beside(kind, namespace if kind.namespaced else None)
        held += found or ()
        if found is None:
            unread.append(Unread(kind.__name__, cluster.gaps[-1].why))
    read = [k for k in (*kinds, *beside) if k.__name__ not in {u.kind for u in unread}]
    return Snapshot.of(held, taken_at=datetime.now(UTC), unread=unread, kinds=read, namespace=namespace)


def workloads(snapshot: Snapshot, name: str | None = None) -> list[Workload]:
    """The Deployments, StatefulSets and DaemonSets, or those that `name` ("web", "deployment/web") means.

    NotFound, with the nearest name, when nothing is called so; InvalidInput for a kind that is none of the three.
    """
    found: list[Workload] = [w for kind in KINDS for w in snapshot.all(kind)]
    if name is None:
        return found
    kind, _, plain = name.rpartition("/")
    kinds = [k for k in KINDS if kind.lower() in ("", k.__name__.lower(), k.plural)]
    if not kinds:
        raise InvalidInput(
            f"{kind!r} is no workload kind", code="invalid-arguments", hint="deployment, statefulset, daemonset"
        )
    named = [w for w in found if w.name == plain and isinstance(w, tuple(kinds))]
    if not named:
        guess = near(plain, (w.name for w in found))
        where = f"{snapshot.namespace or 'any namespace'}"
        raise NotFound(
            f"there is no workload {name} in {where}",
            status=404,
            where=f"{where}/{plain}",
            hint=f"did you mean {guess}?" if guess else None,
        )
    return named


def template_of(workload: Workload) -> PodTemplate:
    """The pod template."""
    return workload.spec.template


def replicas_of(workload: Workload) -> int:
    """How many pods are wanted; of a DaemonSet one for each node it is meant for."""
    if isinstance(workload, DaemonSet):
        return workload.status.desired_number_scheduled
    return workload.spec.replicas


def running(snapshot: Snapshot, workload: Workload) -> list[Pod]:
    """Its pods that are not finished and not being deleted."""
    return [p for p in snapshot.pods(workload) if living(p)]


def living(pod: Pod) -> bool:
    """Not finished, and not being deleted."""
    return pod.metadata.deletion_timestamp is None and pod.status.phase not in ("Succeeded", "Failed")


def budgets_of(workload: Workload, budgets: Iterable[PodDisruptionBudget]) -> list[PodDisruptionBudget]:
    """The budgets that select its pods: an empty selector selects all of the namespace (policy/v1)."""
    labels = template_of(workload).metadata.labels
    return [b for b in budgets if b.namespace == workload.namespace and matches(b.spec.selector, labels)]


def spreads(template: PodTemplate) -> Iterator[Spread]:
    """How pods of a template are kept apart from each other, the hard ways first."""
    labels = template.metadata.labels
    anti = (template.spec.affinity or Affinity()).pod_anti_affinity or PodAffinity()
    soft = [t.pod_affinity_term for t in anti.preferred_during_scheduling_ignored_during_execution]
    found = [Spread("pod-anti-affinity", t.topology_key, True) for t in _own(_required(anti), labels)]
    found += [Spread("pod-anti-affinity", t.topology_key, False) for t in _own(soft, labels)]
    for constraint in template.spec.topology_spread_constraints:
        if matches(constraint.label_selector, labels):
            hard = constraint.when_unsatisfiable == "DoNotSchedule"
            found.append(Spread("topology-spread", constraint.topology_key, hard))
    yield from sorted(found, key=lambda s: not s.hard)


def _required(anti: PodAffinity) -> tuple[PodAffinityTerm, ...]:
    return anti.required_during_scheduling_ignored_during_execution


def _own(terms: Iterable[PodAffinityTerm], labels: dict[str, str]) -> list[PodAffinityTerm]:
    """The terms that select the very pods that have them."""
    return [t for t in terms if matches(t.label_selector, labels)]


async def replicated(cluster: Look, namespace: str, name: str) -> Deployment | StatefulSet:
    """The Deployment of that name, else the StatefulSet. NotFound when there is neither."""
    try:
        return await cluster.one(Deployment, namespace, name)
    except NotFound:
        return await cluster.one(StatefulSet, namespace, name)
