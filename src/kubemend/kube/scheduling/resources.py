"""What a pod reserves on its node, and what a node has left to reserve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from kubemend.kube.quantity import add, parse
from kubemend.model.objects.meta import Quantities, condition
from kubemend.model.objects.node import Node
from kubemend.model.objects.pod import Container, ContainerStatus, Pod, PodSpec, Resources

PODS = "pods"
_MILLI, _ONE = Decimal("0.001"), Decimal(1)


def requests(spec: PodSpec) -> dict[str, Decimal]:
    """What the scheduler reserves for a pod, per resource name in base units.

    The larger of all app containers and sidecars together, and of each init container with the sidecars started
    before it; what the pod asks for as a whole goes before that (KEP-2837); plus the overhead (KEP-753;
    `component-helpers/resource.PodRequests`). A limit without a request is a request, as the API server defaults it.
    Raises `QuantityError`.
    """
    return _requests(spec, {})


def needs(spec: PodSpec) -> dict[str, Decimal]:
    """What a node must have left for a pod: its requests as the scheduler counts them, and one of the `pods`."""
    return {**_counted(requests(spec)), PODS: Decimal(1)}


def held(pod: Pod) -> dict[str, Decimal]:
    """What a pod takes of its node: its needs, or the more that a resize in place (KEP-1287) has not yet given back.

    Raises `QuantityError`.
    """
    known = {s.name: s for s in (*pod.status.container_statuses, *pod.status.init_container_statuses) if s.resources}
    if not known:
        return needs(pod.spec)
    resize = condition(pod.status.conditions, "PodResizePending")
    refused = resize is not None and resize.reason == "Infeasible"
    running = {name: _most(status) for name, status in known.items()}
    sizes = {
        c.name: running[c.name] if refused else _largest(_of(c.resources), running[c.name])
        for c in (*pod.spec.containers, *(i for i in pod.spec.init_containers if i.restart_policy == "Always"))
        if c.name in running
    }
    return {**_counted(_requests(pod.spec, sizes)), PODS: Decimal(1)}


def _most(status: ContainerStatus) -> dict[str, Decimal]:
    """What a container has, or what its node has set aside for it, whichever is more."""
    has = status.resources.requests if status.resources else {}
    return _largest(_parsed(has), _parsed(status.allocated_resources))


def _counted(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The scheduler counts thousandths of a core, and whole ones of anything else, rounded up."""
    return {name: _rounded(amount, _MILLI if name == "cpu" else _ONE) for name, amount in amounts.items()}


def _rounded(amount: Decimal, step: Decimal) -> Decimal:
    return amount.quantize(step, ROUND_CEILING) if amount % step else amount


def _requests(spec: PodSpec, sizes: Mapping[str, Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """sizes: by the container's name, what it asks for if that is not what its spec says."""
    whole = _of_containers(spec, sizes)
    if spec.resources is not None:
        whole = {**whole, **_of_pod(spec.resources, whole)}
    return add(whole, spec.overhead) if spec.overhead else whole


def _of_pod(resources: Resources, containers: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What the pod asks for as a whole; a limit alone counts where no container asks for that resource."""
    limits = {k: v for k, v in resources.limits.items() if k not in containers}
    wanted = {**limits, **resources.requests}
    return {k: parse(v) for k, v in wanted.items() if k in ("cpu", "memory") or k.startswith("hugepages-")}


def _of_containers(spec: PodSpec, sizes: Mapping[str, Mapping[str, Decimal]]) -> dict[str, Decimal]:
    running: dict[str, Decimal] = {}
    for container in spec.containers:
        _reserve(running, container, sizes)
    if not spec.init_containers:
        return running
    sidecars: dict[str, Decimal] = {}
    starting: dict[str, Decimal] = {}
    for container in spec.init_containers:
        peak = dict(sidecars)
        _reserve(peak, container, sizes)
        if container.restart_policy == "Always":
            _reserve(running, container, sizes)
            sidecars = peak
        starting = _largest(starting, peak)
    return _largest(running, starting)


def _reserve(total: dict[str, Decimal], container: Container, sizes: Mapping[str, Mapping[str, Decimal]]) -> None:
    """Add what one container asks for."""
    known = sizes.get(container.name)
    for name, amount in (_of(container.resources) if known is None else known).items():
        before = total.get(name)
        total[name] = amount if before is None else before + amount


def _of(resources: Resources) -> dict[str, Decimal]:
    return _parsed({**resources.limits, **resources.requests})


def _parsed(quantities: Quantities) -> dict[str, Decimal]:
    return {name: parse(quantity) for name, quantity in quantities.items()}


def _largest(a: Mapping[str, Decimal], b: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: max(a.get(name, Decimal()), b.get(name, Decimal())) for name in {**a, **b}}


def free(node: Node, pods: Iterable[Pod]) -> dict[str, Decimal]:
    """What is left of a node's allocatable resources, the number of pods included; below zero if overcommitted.

    Of `pods` only those count that are assigned to the node and not Succeeded or Failed: a pod being deleted holds
    its share until it is gone. Raises `QuantityError`.
    """
    left = _counted(_parsed(node.status.allocatable))
    for pod in pods:
        if pod.spec.node_name == node.name and pod.status.phase not in ("Succeeded", "Failed"):
            for name, taken in held(pod).items():
                left[name] = left.get(name, Decimal()) - taken
    return left
