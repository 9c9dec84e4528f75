"""What pods have in common, weighed: a thing that failing pods have and healthy ones don't may be why they fail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from kubemend.kube.references import references
from kubemend.kube.rollout import HASH_LABEL, ready
from kubemend.model.objects import Node, Pod
from kubemend.model.objects.meta import condition
from kubemend.model.objects.pod import ContainerState
from kubemend.tools.diagnostics.get_failed_kubernetes_pods import STUCK

ZONE = "topology.kubernetes.io/zone"
ORDER = (
    "node", "PersistentVolumeClaim", "ConfigMap", "Secret", "image", "ServiceAccount", "revision", "zone", "symptom",
)  # fmt: skip
"""Of two things that tell equally much, the one that more plainly breaks pods comes first, if it can break them so."""
PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
MAKING = frozenset({"CreateContainerConfigError", "CreateContainerError"})
SHOWN_BY = {
    "image": PULLING,
    "Secret": PULLING | MAKING,
    "ConfigMap": MAKING,
    "PersistentVolumeClaim": MAKING | {"Unschedulable"},
    "ServiceAccount": PULLING,
    "node": frozenset[str](),
}
"""Symptoms by which a bad one shows; a node shows by its own conditions. A pod that ends badly, or runs without being
ready, may have anything in its revision to blame: there the revision is all that can be said."""
MOST, NAMED = 30, 10
"""Shared things that are shown, and failing pods that are named of each."""


class Shared(Struct, frozen=True):
    """A thing that failing pods share.

    failing_with: failing pods that have it; failing_share: of all failing pods; failing_rate: failing among all pods
    that have it; rate_without: failing among all others. telling: whether having it at least doubles the rate.
    pods: the first of the failing ones.
    """

    what: str
    value: str
    failing_with: int
    healthy_with: int
    failing_share: float
    failing_rate: float
    rate_without: float
    telling: bool
    trouble: tuple[str, ...]
    says: str
    pods: tuple[str, ...]


def troubled(pod: Pod) -> bool:
    """Whether a pod fails: has failed, is stuck, has ended badly, can't be scheduled, or runs without being ready."""
    if pod.metadata.deletion_timestamp is not None or pod.status.phase == "Succeeded":
        return False
    return pod.status.phase in ("Failed", "Unknown") or symptom(pod) != ""


def symptom(pod: Pod) -> str:
    """The plainest sign of trouble: a waiting reason, "exit code N", "OOMKilled", "Unschedulable", "not ready".

    Of a container that ends again and again it is how it ended, if that was badly.
    """
    if pod.status.phase == "Failed":
        return pod.status.reason or "Failed"
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        ended = _sign(status.last_state) if status.restart_count > 0 and not status.ready else ""
        sign = _sign(status.state)
        if sign := (ended or sign) if sign in ("", "CrashLoopBackOff") else sign:
            return sign
    scheduled = condition(pod.status.conditions, "PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return scheduled.reason or "Unschedulable"
    started = bool(pod.status.container_statuses) and all(s.state.running for s in pod.status.container_statuses)
    return "not ready" if started and not ready(pod) else ""


def _sign(state: ContainerState) -> str:
    if state.waiting is not None:
        return state.waiting.reason if state.waiting.reason in STUCK else ""
    if state.terminated is not None and state.terminated.exit_code:
        ended = state.terminated
        return ended.reason if ended.reason == "OOMKilled" else f"exit code {ended.exit_code}"
    return ""


Common = tuple[Shared, frozenset[str]]
"""A shared thing with all failing pods that have it, as "namespace/name"."""


def commons(failing: Sequence[Pod], healthy: Sequence[Pod], nodes: Iterable[Node]) -> list[Common]:
    """What at least two failing pods share, the most telling first."""
    zones = {n.name: n.metadata.labels.get(ZONE, "") for n in nodes}
    trouble = {n.name: tuple(_trouble(n)) for n in nodes}
    signs = {f"{p.namespace}/{p.name}": symptom(p) for p in failing}
    sick, well = _holders(failing, zones), _holders(healthy, zones)
    totals = (len(failing), len(healthy))
    found = [
        (_shared(thing, pods, len(well.get(thing, ())), totals, trouble), frozenset(pods))
        for thing, pods in sick.items()
        if len(pods) > 1
    ]
    found.sort(key=lambda c: (-_weight(c[0]), not _fits(c, signs), ORDER.index(c[0].what), c[0].value))
    return found


def _fits(common: Common, signs: Mapping[str, str]) -> bool:
    """Whether a bad thing of the kind shows as the pods that have it do."""
    shared, pods = common
    shown_by = SHOWN_BY.get(shared.what)
    return shown_by is None or any(signs[p] in shown_by for p in pods)


def _weight(shared: Shared) -> float:
    """The F1 measure of "has it" as a forecast of "fails"; a node in trouble counts before all."""
    rate, share = shared.failing_rate, shared.failing_share
    return 2 * rate * share / (rate + share) + bool(shared.trouble) + 0.5 * shared.telling


def _holders(pods: Iterable[Pod], zones: dict[str, str]) -> dict[tuple[str, str], list[str]]:
    held: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pod in pods:
        for thing in dict.fromkeys(_things(pod, zones)):
            held[thing].append(f"{pod.namespace}/{pod.name}")
    return held


def _things(pod: Pod, zones: dict[str, str]) -> Iterator[tuple[str, str]]:
    if pod.spec.node_name:
        yield "node", pod.spec.node_name
        if zone := zones.get(pod.spec.node_name):
            yield "zone", zone
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        yield "image", container.image
    for reference in references(pod.spec):
        if (reference.kind, reference.name) not in (("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")):
            yield reference.kind, f"{pod.namespace}/{reference.name}"
    owner = pod.metadata.controller
    if owner is not None:
        revision = pod.metadata.labels.get(HASH_LABEL) or pod.metadata.labels.get("controller-revision-hash", "")
        yield "revision", f"{pod.namespace}/{owner.kind}/{owner.name}{f' ({revision})' if revision else ''}"
    if sign := symptom(pod):
        yield "symptom", sign


def _trouble(node: Node) -> Iterator[str]:
    told = condition(node.status.conditions, "Ready")
    if told is None or told.status != "True":
        yield "not ready"
    yield from (c.type for c in node.status.conditions if c.type.endswith("Pressure") and c.status == "True")


def _shared(
    thing: tuple[str, str],
    pods: list[str],
    healthy_with: int,
    totals: tuple[int, int],
    trouble: dict[str, tuple[str, ...]],
) -> Shared:
    what, value = thing
    failing, healthy = totals
    with_it, without = len(pods) + healthy_with, failing + healthy - len(pods) - healthy_with
    rate = len(pods) / with_it
    rate_without = (failing - len(pods)) / without if without else 0.0
    why = trouble.get(value, ()) if what == "node" else ()
    telling = what != "symptom" and without > 0 and rate >= 2 * rate_without and rate > 0.5
    says = f"{what} {value}: {len(pods)} of {with_it} pods with it fail, {failing - len(pods)} of {without} without"
    return Shared(
        what=what,
        value=value,
        failing_with=len(pods),
        healthy_with=healthy_with,
        failing_share=round(len(pods) / failing, 3),
        failing_rate=round(rate, 3),
        rate_without=round(rate_without, 3),
        telling=telling or bool(why),
        trouble=why,
        says=says + (f"; the node: {', '.join(why)}" if why else ""),
        pods=tuple(sorted(pods)[:NAMED]),
    )
