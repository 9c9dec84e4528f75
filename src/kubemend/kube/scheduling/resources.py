"""What a pod reserves on its node, and what a node has left to reserve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from kubemend.kube.quantity import add, parse
from kubemend.model.objects.node import Node
from kubemend.model.objects.pod import Container, Pod, PodSpec, Resources

PODS = "pods"


def requests(spec: PodSpec) -> dict[str, Decimal]:
    """What the scheduler reserves for a pod, per resource name in base units.

    The larger of all app containers and sidecars together, and of each init container with the sidecars started
    before it; what the pod asks for as a whole goes before that (KEP-2837); plus the overhead (KEP-753;
    `component-helpers/resource.PodRequests`). A limit without a request is a request, as the API server defaults it.
    In-place resizes aren't read. Raises `QuantityError`.
    """
    whole = _of_containers(spec)
    if spec.resources is not None:
        whole = {**whole, **_of_pod(spec.resources, whole)}
    return add(whole, spec.overhead) if spec.overhead else whole


def _of_pod(resources: Resources, containers: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What the pod asks for as a whole; a limit alone counts where no container asks for that resource."""
    limits = {k: v for k, v in resources.limits.items() if k not in containers}
    held = {**limits, **resources.requests}
    return {k: parse(v) for k, v in held.items() if k in ("cpu", "memory") or k.startswith("hugepages-")}


def _of_containers(spec: PodSpec) -> dict[str, Decimal]:
    running: dict[str, Decimal] = {}
    for container in spec.containers:
        _reserve(running, container)
    if not spec.init_containers:
        return running
    sidecars: dict[str, Decimal] = {}
    starting: dict[str, Decimal] = {}
    for container in spec.init_containers:
        peak = dict(sidecars)
        _reserve(peak, container)
        if container.restart_policy == "Always":
            _reserve(running, container)
            sidecars = peak
        starting = _largest(starting, peak)
    return _largest(running, starting)


def _reserve(total: dict[str, Decimal], container: Container) -> None:
    """Add what one container asks for."""
    resources = container.resources
    for name, quantity in {**resources.limits, **resources.requests}.items():
        held = total.get(name)
        total[name] = parse(quantity) if held is None else held + parse(quantity)


def _largest(a: Mapping[str, Decimal], b: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: max(a.get(name, Decimal()), b.get(name, Decimal())) for name in {**a, **b}}


def free(node: Node, pods: Iterable[Pod]) -> dict[str, Decimal]:
    """What is left of a node's allocatable resources, the number of pods included; below zero if overcommitted.

    Of `pods` only those count that are assigned to the node and not Succeeded or Failed: a pod being deleted holds
    its share until it is gone. Raises `QuantityError`.
    """
    left = {name: parse(q) for name, q in node.status.allocatable.items()}
    for pod in pods:
        if pod.spec.node_name == node.name and pod.status.phase not in ("Succeeded", "Failed"):
            for name, taken in {**requests(pod.spec), PODS: Decimal(1)}.items():
                left[name] = left.get(name, Decimal()) - taken
    return left
