"""KM201: no node has what the pod asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from kubemend.kube.quantity import format_bytes, format_cores
from kubemend.model.finding import Cite, Observation, Severity, cite
from kubemend.model.objects import Node, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.scheduling.room import Needs, Room
from kubemend.rules.scheduling.search import Verdict, each, needs, older, said, search
from kubemend.rules.workload.words import count


@dataclass(frozen=True)
class Scarce:
    """A resource of which a pod asks more than there is; size is that of the largest node it may use."""

    name: str
    asked: Decimal
    size: Decimal


@rule(
    "KM201",
    severity=Severity.ERROR,
    reads=(Pod, Node),
    uses=(PersistentVolumeClaim, StorageClass, *CONTROLLERS),
    explains=("KM401", "KM503"),
    whole=True,
    spreads=True,
)
def pod_lacks_node_resources(snapshot: Snapshot) -> Iterator[Observation]:
    """A pod asks for more than any node it may go to has left.

    ## What it means
    On every node that the pod's selectors and tolerations let it use, the requests of the pods already there
    leave less CPU, memory or another resource than this pod requests. Requests count, not what is really used.
    A pod that no node could take even if it were empty is reported at once, any other after a minute, for
    until then another pod may end or an autoscaler add a node.

    ## Why it matters
    The pod stays Pending; the workload runs with fewer replicas than it should, or not at all.

    ## What to do
    Lower the request if it is larger than the work needs (a new revision may have raised it), make room, or
    add a node.
    """
    found = search(snapshot)
    for pods, verdict in found.ended("resource"):
        room, wanted = found.room(verdict.nodes), needs(pods[0])
        name = _scarcest(room, wanted)
        scarce = Scarce(name, wanted[name], room.largest(name))
        if sure := [p for p in pods if scarce.asked > scarce.size or older(p, snapshot)]:
            yield from each(sure, _observation(room, sure[0], verdict, scarce))


def _scarcest(room: Room, wanted: Needs) -> str:
    """The resource that the most nodes lack; CPU, then memory when that doesn't decide."""
    lacks = {name: room.lacking(name, amount) if room.nodes else int(amount > 0) for name, amount in wanted.items()}
    names = sorted((n for n, times in lacks.items() if times), key=lambda n: (n != "cpu", n != "memory", n))
    return max(names, key=lambda n: lacks[n])


def _observation(room: Room, pod: Pod, verdict: Verdict, scarce: Scarce) -> Observation:
    name = scarce.name
    best = room.best(name)
    asked, most, size = (shown(name, v) for v in (scarce.asked, room.most(name), scarce.size))
    evidence = [said(pod), *_asks(pod, name)]
    if best is not None and name in best.status.allocatable:
        evidence.append(cite(best, "status", "allocatable", name))
    return Observation(
        about=pod.ref,
        says=f"pod requests {asked} {name}; the most that is free on a node it may use is {most} "
        f"({count(len(verdict.nodes), 'node')}; the largest holds {size})",
        evidence=tuple(evidence),
        confidence=0.95 if scarce.asked > scarce.size else 0.85,
        facts={
            "resource": name,
            "requested": asked,
            "free": most,
            "allocatable": size,
            "nodes": len(verdict.nodes),
            "alone": scarce.asked > scarce.size,
        },
        depends=verdict.depends,
    )


def _asks(pod: Pod, name: str) -> Iterator[Cite]:
    for i, container in enumerate(pod.spec.containers):
        for field, held in (("requests", container.resources.requests), ("limits", container.resources.limits)):
            if name in held:
                yield cite(pod, "spec", "containers", i, "resources", field, name)
                break


def shown(name: str, amount: Decimal) -> str:
    """An amount of a resource as Kubernetes writes it."""
    if name == "cpu":
        return format_cores(amount)
    return format_bytes(int(amount)) if "memory" in name or "storage" in name else f"{amount.normalize():f}"
