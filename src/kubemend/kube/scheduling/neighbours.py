"""The scheduler's filters that look at the other pods: required pod (anti-)affinity and topology spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kubemend.kube.scheduling.node import Misfit, selects
from kubemend.kube.selectors import matches
from kubemend.model.objects.meta import LabelSelector
from kubemend.model.objects.node import Node
from kubemend.model.objects.pod import Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint

Labels = Mapping[str, str]
Domain = tuple[str, str]
"""(topology key, value): all nodes with that label are one place."""


@dataclass(frozen=True)
class _Term:
    """A pod (anti-)affinity term as the pod that has it means it."""

    topology_key: str
    selector: LabelSelector | None
    namespaces: tuple[str, ...]
    namespace_selector: LabelSelector | None

    @classmethod
    def of(cls, term: PodAffinityTerm, namespace: str) -> _Term:
        """A term that names no namespace at all means its own pod's."""
        own = not term.namespaces and term.namespace_selector is None
        names = (namespace,) if own else term.namespaces
        return cls(term.topology_key, term.label_selector, names, term.namespace_selector)

    def selects(self, namespace: str, namespace_labels: Labels, labels: Labels) -> bool:
        if namespace not in self.namespaces and not matches(self.namespace_selector, namespace_labels):
            return False
        return matches(self.selector, labels)


@dataclass(frozen=True)
class _Incoming:
    """The pod that looks for a place."""

    spec: PodSpec
    namespace: str
    labels: Labels


@dataclass(frozen=True)
class _World:
    """The nodes, the pods that hold a place, each with its node, and the labels of the namespaces."""

    nodes: Sequence[Node]
    placed: Sequence[tuple[Pod, Node]]
    namespaces: Mapping[str, Labels]

    def selected(self, term: _Term, pod: Pod | _Incoming) -> bool:
        namespace, labels = pod.namespace, pod.metadata.labels if isinstance(pod, Pod) else pod.labels
        # Every namespace carries its own name as a label, so a selector on that needs no read.
        known = {"kubernetes.io/metadata.name": namespace, **self.namespaces.get(namespace, {})}
        return term.selects(namespace, known, labels)


def affinity_misfit(  # noqa: PLR0917 (the scheduler's own inputs, each of another type)
    pod_spec: PodSpec,
    namespace: str,
    labels: Labels,
    node: Node,
    nodes: Iterable[Node],
    pods: Iterable[Pod],
    *,
    namespaces: Mapping[str, Labels] | None = None,
) -> tuple[Misfit, ...]:
    """Every reason why the pods already there keep a new pod with these `labels` off `node`; empty when none does.

    Follows the filters InterPodAffinity (the anti-affinity of existing pods included) and PodTopologySpread with
    its defaults (node affinity honoured, taints ignored, no minDomains: the fields that change these aren't read).
    nodes and pods: all of the cluster; a pod without a node, or Succeeded or Failed, holds no place.
    namespaces: labels per namespace; without them a namespace selector sees each namespace's name only.
    Raises `SelectorError` for a selector that the API server would have refused.
    """
    by_name = {n.name: n for n in nodes}
    placed = [
        (p, by_name[p.spec.node_name])
        for p in pods
        if p.spec.node_name in by_name and p.status.phase not in ("Succeeded", "Failed")
    ]
    world = _World(list(by_name.values()), placed, namespaces or {})
    pod = _Incoming(pod_spec, namespace, labels)
    return (
        *_affinity(pod, world, node),
        *_anti_affinity(pod, world, node),
        *_unwelcome(pod, world, node),
        *_spread(pod, world, node),
    )


def _required(pod: Pod | _Incoming, *, anti: bool) -> tuple[_Term, ...]:
    if pod.spec.affinity is None:
        return ()
    wanted = pod.spec.affinity.pod_anti_affinity if anti else pod.spec.affinity.pod_affinity
    terms = wanted.required_during_scheduling_ignored_during_execution if wanted else ()
    return tuple(_Term.of(t, pod.namespace) for t in terms)


def _domain(node: Node, key: str) -> Domain | None:
    value = node.metadata.labels.get(key)
    return None if value is None else (key, value)


def _affinity(incoming: _Incoming, world: _World, node: Node) -> Iterator[Misfit]:
    """Each term's domain must hold a pod that matches all terms; the first of a series that wants its like may go."""
    terms = _required(incoming, anti=False)
    counts: Counter[Domain] = Counter()
    for pod, place in world.placed if terms else ():
        if all(world.selected(t, pod) for t in terms):
            counts.update(d for t in terms if (d := _domain(place, t.topology_key)) is not None)
    first = not counts and all(world.selected(t, incoming) for t in terms)
    for term in terms:
        domain = _domain(node, term.topology_key)
        if domain is None:
            yield Misfit("pod-affinity", f"the node lacks the label {term.topology_key}")
        elif not counts[domain] and not first:
            yield Misfit("pod-affinity", f"no pod that the pod wants to be with runs in {_place(domain)}")


def _anti_affinity(incoming: _Incoming, world: _World, node: Node) -> Iterator[Misfit]:
    for term in _required(incoming, anti=True):
        domain = _domain(node, term.topology_key)
        met = (p for p, n in _inside(domain, world) if world.selected(term, p))
        if domain is not None and (pod := next(met, None)) is not None:
            detail = f"the pod keeps away from {pod.namespace}/{pod.name} in {_place(domain)}"
            yield Misfit("pod-anti-affinity", detail)


def _inside(domain: Domain | None, world: _World) -> Iterator[tuple[Pod, Node]]:
    return ((p, n) for p, n in world.placed if domain is not None and _domain(n, domain[0]) == domain)


def _unwelcome(incoming: _Incoming, world: _World, node: Node) -> Iterator[Misfit]:
    """The first pod already there that doesn't want the incoming one near."""
    for pod, place in world.placed:
        for term in _required(pod, anti=True):
            domain = _domain(node, term.topology_key)
            here = domain is not None and domain == _domain(place, term.topology_key)
            if domain is not None and here and world.selected(term, incoming):
                detail = f"{pod.namespace}/{pod.name} keeps such pods away from {_place(domain)}"
                yield Misfit("pod-anti-affinity", detail)
                return


def _spread(incoming: _Incoming, world: _World, node: Node) -> Iterator[Misfit]:
    hard = [c for c in incoming.spec.topology_spread_constraints if c.when_unsatisfiable == "DoNotSchedule"]
    labelled = [n for n in world.nodes if all(c.topology_key in n.metadata.labels for c in hard)]
    counted = {n.name: n for n in labelled if selects(incoming.spec, n)}
    around = [(p, n) for p, n in world.placed if n.name in counted and p.namespace == incoming.namespace]
    for constraint in hard:
        domain = _domain(node, constraint.topology_key)
        if domain is None:
            yield Misfit("topology-spread", f"the node lacks the label {constraint.topology_key}")
            continue
        own = matches(constraint.label_selector, incoming.labels)
        skew = _skew(constraint, domain, counted.values(), around) + own
        if skew > constraint.max_skew:
            detail = f"{_place(domain)} would be {skew} pods ahead, {constraint.max_skew} allowed"
            yield Misfit("topology-spread", detail)


def _skew(
    constraint: TopologySpreadConstraint, domain: Domain, nodes: Iterable[Node], placed: Iterable[tuple[Pod, Node]]
) -> int:
    """Matching pods in the domain beyond those in the emptiest one (`podtopologyspread/filtering.go`)."""
    key = constraint.topology_key
    counts = {n.metadata.labels[key]: 0 for n in nodes}
    for pod, place in placed:
        if pod.metadata.deletion_timestamp is None and _counts(constraint.label_selector, pod.metadata.labels):
            counts[place.metadata.labels[key]] += 1
    return counts.get(domain[1], 0) - min(counts.values(), default=0)


def _counts(selector: LabelSelector | None, labels: Labels) -> bool:
    """The scheduler counts nothing for an empty selector, although that selects everything."""
    return selector is not None and selector != LabelSelector() and matches(selector, labels)


def _place(domain: Domain) -> str:
    return f"{domain[0]}={domain[1]}"
