"""What a pod reserves on its node, and what a node has left to reserve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from kubemend.kube.quantity import add, parse
from kubemend.model.objects.node import Node
from kubemend.model.objects.pod import Container, Pod, PodSpec

PODS = "pods"


def requests(spec: PodSpec) -> dict[str, Decimal]:
    """What the scheduler reserves for a pod, per resource name in base units.

    The larger of all app containers and sidecars together, and of each init container with the sidecars started
    before it; plus the overhead (KEP-753; `component-helpers/resource.PodRequests`). A limit without a request
    is a request, as the API server defaults it. Pod-level resources and in-place resizes aren't read.
    Raises `QuantityError`.
    """
    running: dict[str, Decimal] = {}
    for container in spec.containers:
        _reserve(running, container)
    if not spec.init_containers:
        return add(running, spec.overhead) if spec.overhead else running
    sidecars: dict[str, Decimal] = {}
    starting: dict[str, Decimal] = {}
    for container in spec.init_containers:
        peak = dict(sidecars)
        _reserve(peak, container)
        if container.restart_policy == "Always":
            _reserve(running, container)
            sidecars = peak
        starting = _largest(starting, peak)
    return add(_largest(running, starting), spec.overhead)


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
