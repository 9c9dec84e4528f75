"""Who goes first when a node runs short of memory: the kubelet's order.

kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction, and `rankMemoryPressure` in
`pkg/kubelet/eviction/helpers.go`: pods are ranked by whether they use more than they request, then by priority, the
lowest first, then by how much more than requested they use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from kubemend.kube.scheduling import requests
from kubemend.model.objects import Pod

CRITICAL = 2_000_000_000
"""From this priority on (system-cluster-critical) the kubelet spares a pod (`types.IsCriticalPod`)."""


def critical(pod: Pod) -> bool:
    """Whether the kubelet never evicts it: static pods, and those of system priority."""
    return "kubernetes.io/config.mirror" in pod.metadata.annotations or priority(pod) >= CRITICAL


def priority(pod: Pod) -> int:
    """Its priority; 0 when it has none."""
    return pod.spec.priority or 0


def over(pod: Pod, used: int) -> int:
    """Bytes that it uses above its memory request; below zero when it keeps to it."""
    return used - int(requests(pod.spec).get("memory", Decimal()))


def order(pods: Iterable[Pod], used: Mapping[tuple[str, str], int]) -> list[Pod]:
    """The pods in the order in which memory pressure takes them. used: bytes, by (namespace, name).

    A pod of which nobody knows the use goes before all others, as the kubelet has it. Equals are ordered by name.
    """

    def rank(pod: Pod) -> tuple[bool, bool, int, int, str, str]:
        amount = used.get((pod.namespace, pod.name))
        above = 0 if amount is None else over(pod, amount)
        return amount is not None, above <= 0, priority(pod), -above, pod.namespace, pod.name

    return sorted((p for p in pods if not critical(p)), key=rank)
