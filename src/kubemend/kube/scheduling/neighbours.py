"""The scheduler's filters that look at the other pods: required pod (anti-)affinity and topology spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from msgspec import structs

from kubemend.kube.scheduling.node import Misfit, selects, tolerates
from kubemend.kube.selectors import matches
from kubemend.model.objects.meta import LabelSelector, LabelSelectorRequirement
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
    def of(cls, term: PodAffinityTerm, namespace: str, labels: Labels) -> _Term:
        """A term that names no namespace at all means its own pod's. Its label keys stand for the pod's own values."""
        own = not term.namespaces and term.namespace_selector is None
        names = (namespace,) if own else term.namespaces
        # What the API server has merged into a pod's selector is what counts, even once the pod's labels change.
        selector = narrowed(term.label_selector, _unmerged(term, term.match_label_keys), "In", labels)
        selector = narrowed(selector, _unmerged(term, term.mismatch_label_keys), "NotIn", labels)
        return cls(term.topology_key, selector, names, term.namespace_selector)

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
    placed: list[tuple[Pod, Node]]
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
    """Every reason why the pods already there keep a new pod off one node: see `Neighbours`."""
    return Neighbours(pod_spec, namespace, labels, nodes, pods, namespaces=namespaces).misfits(node)


class Neighbours:
    """What the pods already there mean for a new pod with these `labels`: reckoned once, then asked node by node.

    Follows the filters InterPodAffinity (the anti-affinity of existing pods included) and PodTopologySpread with
    minDomains, the policies for nodes and the label keys.
    nodes and pods: all of the cluster; a pod without a node, or Succeeded or Failed, holds no place.
    namespaces: labels per namespace; without them a namespace selector sees each namespace's name only.
    """

    def __init__(
        self,
        pod_spec: PodSpec,
        namespace: str,
        labels: Labels,
        nodes: Iterable[Node],
        pods: Iterable[Pod],
        *,
        namespaces: Mapping[str, Labels] | None = None,
    ) -> None:
        by_name = {n.name: n for n in nodes}
        placed = [
            (p, by_name[p.spec.node_name])
            for p in pods
            if p.spec.node_name in by_name and p.status.phase not in ("Succeeded", "Failed")
        ]
        self._world = _World(list(by_name.values()), placed, namespaces or {})
        self._by_name = by_name
        self._pod = _Incoming(pod_spec, namespace, labels)

    @property
    def matter(self) -> bool:
        """Whether other pods can keep the new one off any node at all, itself placed before included."""
        terms = bool(self._wished[0] or self._shunned or self._repelled[0])
        return terms or bool(self._hard)

    def add(self, pod: Pod) -> None:
        """One more pod has its place: what was reckoned is carried on, not reckoned anew."""
        terms, counts, first = self._wished
        shunned, (_, repelled), spreads = self._shunned, self._repelled, self._spreads
        place = self._by_name[pod.spec.node_name]
        self._world.placed.append((pod, place))
        if terms and all(self._world.selected(t, pod) for t in terms):
            counts.update(d for t in terms if (d := _domain(place, t.topology_key)) is not None)
        self.__dict__["_wished"] = (terms, counts, first and not counts)
        for term, met in shunned:
            domain = _domain(place, term.topology_key)
            if domain is not None and self._world.selected(term, pod):
                met.setdefault(domain, pod)
        self._note_repelling(len(self._world.placed) - 1, pod, place, repelled)
        self.__dict__["_repelled"] = (tuple(sorted({d[0] for d in repelled})), repelled)
        for constraint, held in spreads:
            if self._counts_there(constraint, place) and _counts_pod(constraint, self._pod.namespace, pod):
                held[place.metadata.labels[constraint.topology_key]] += 1

    def misfits(self, node: Node) -> tuple[Misfit, ...]:
        """Every reason why the pods keep the new one off `node`; empty when none does.

        Raises `SelectorError` for a selector that the API server would have refused.
        """
        return (*self._affinity(node), *self._anti_affinity(node), *self._unwelcome(node), *self._spread(node))

    def _affinity(self, node: Node) -> Iterator[Misfit]:
        """Each term's domain must hold a pod matching all terms; the first of a series that wants its like may go."""
        terms, counts, first = self._wished
        for term in terms:
            domain = _domain(node, term.topology_key)
            if domain is None:
                yield Misfit("pod-affinity", f"the node lacks the label {term.topology_key}")
            elif not counts[domain] and not first:
                yield Misfit("pod-affinity", f"no pod that the pod wants to be with runs in {_place(domain)}")

    @cached_property
    def _wished(self) -> tuple[tuple[_Term, ...], Counter[Domain], bool]:
        """The affinity terms, how many pods match them all in each domain, and whether the pod is the first of such."""
        terms, world = _required(self._pod, anti=False), self._world
        counts: Counter[Domain] = Counter()
        for pod, place in world.placed if terms else ():
            if all(world.selected(t, pod) for t in terms):
                counts.update(d for t in terms if (d := _domain(place, t.topology_key)) is not None)
        return terms, counts, not counts and all(world.selected(t, self._pod) for t in terms)

    def _anti_affinity(self, node: Node) -> Iterator[Misfit]:
        for term, met in self._shunned:
            domain = _domain(node, term.topology_key)
            if domain is not None and (pod := met.get(domain)) is not None:
                detail = f"the pod keeps away from {pod.namespace}/{pod.name} in {_place(domain)}"
                yield Misfit("pod-anti-affinity", detail)

    @cached_property
    def _shunned(self) -> list[tuple[_Term, dict[Domain, Pod]]]:
        """For each anti-affinity term the first pod that it selects in each domain."""
        found = []
        for term in _required(self._pod, anti=True):
            met: dict[Domain, Pod] = {}
            for pod, place in self._world.placed:
                domain = _domain(place, term.topology_key)
                if domain is not None and domain not in met and self._world.selected(term, pod):
                    met[domain] = pod
            found.append((term, met))
        return found

    def _unwelcome(self, node: Node) -> Iterator[Misfit]:
        """The first pod already there that doesn't want the incoming one near."""
        keys, first = self._repelled
        here = [(*first[d], d) for k in keys if (d := _domain(node, k)) is not None and d in first]
        if here:
            _, pod, domain = min(here, key=lambda h: h[0])
            detail = f"{pod.namespace}/{pod.name} keeps such pods away from {_place(domain)}"
            yield Misfit("pod-anti-affinity", detail)

    @cached_property
    def _repelled(self) -> tuple[tuple[str, ...], dict[Domain, tuple[tuple[int, int], Pod]]]:
        """The topology keys of the terms that keep the pod away, and for each domain the first pod with its rank."""
        first: dict[Domain, tuple[tuple[int, int], Pod]] = {}
        for i, (pod, place) in enumerate(self._world.placed):
            self._note_repelling(i, pod, place, first)
        return tuple(sorted({d[0] for d in first})), first

    def _note_repelling(
        self, rank: int, pod: Pod, place: Node, first: dict[Domain, tuple[tuple[int, int], Pod]]
    ) -> None:
        for j, term in enumerate(_required(pod, anti=True)):
            domain = _domain(place, term.topology_key)
            if domain is not None and domain not in first and self._world.selected(term, self._pod):
                first[domain] = ((rank, j), pod)

    def _spread(self, node: Node) -> Iterator[Misfit]:
        for constraint, counts in self._spreads:
            domain = _domain(node, constraint.topology_key)
            if domain is None:
                yield Misfit("topology-spread", f"the node lacks the label {constraint.topology_key}")
                continue
            own = matches(constraint.label_selector, self._pod.labels)
            least = 0 if len(counts) < (constraint.min_domains or 1) else min(counts.values(), default=0)
            skew = counts.get(domain[1], 0) - least + own
            if skew > constraint.max_skew:
                detail = f"{_place(domain)} would be {skew} pods ahead, {constraint.max_skew} allowed"
                yield Misfit("topology-spread", detail)

    @cached_property
    def _spreads(self) -> list[tuple[TopologySpreadConstraint, dict[str, int]]]:
        """Each hard constraint with its matching pods by domain (`podtopologyspread/filtering.go`)."""
        found = []
        for constraint in self._hard:
            key = constraint.topology_key
            here = {n.name: n.metadata.labels[key] for n in self._world.nodes if self._counts_there(constraint, n)}
            counts = dict.fromkeys(here.values(), 0)
            for pod, place in self._world.placed:
                if place.name in here and _counts_pod(constraint, self._pod.namespace, pod):
                    counts[here[place.name]] += 1
            found.append((constraint, counts))
        return found

    @cached_property
    def _hard(self) -> tuple[TopologySpreadConstraint, ...]:
        """The constraints that are no mere wishes, each with the selector that its label keys make of it."""
        held = (c for c in self._pod.spec.topology_spread_constraints if c.when_unsatisfiable == "DoNotSchedule")
        return tuple(
            structs.replace(c, label_selector=narrowed(c.label_selector, c.match_label_keys, "In", self._pod.labels))
            for c in held
        )

    def _counts_there(self, constraint: TopologySpreadConstraint, node: Node) -> bool:
        """Whether a node's pods count: it has the labels of all constraints, and the policies want it (KEP-3094)."""
        spec = self._pod.spec
        if not all(c.topology_key in node.metadata.labels for c in self._hard):
            return False
        if constraint.node_affinity_policy == "Honor" and not selects(spec, node):
            return False
        hard = [t for t in node.spec.taints if t.effect in ("NoSchedule", "NoExecute")]
        return constraint.node_taints_policy != "Honor" or all(tolerates(spec.tolerations, t) for t in hard)


def _required(pod: Pod | _Incoming, *, anti: bool) -> tuple[_Term, ...]:
    if pod.spec.affinity is None:
        return ()
    wanted = pod.spec.affinity.pod_anti_affinity if anti else pod.spec.affinity.pod_affinity
    terms = wanted.required_during_scheduling_ignored_during_execution if wanted else ()
    labels = pod.metadata.labels if isinstance(pod, Pod) else pod.labels
    return tuple(_Term.of(t, pod.namespace, labels) for t in terms)


def _unmerged(term: PodAffinityTerm, keys: Sequence[str]) -> tuple[str, ...]:
    """The label keys that the selector doesn't hold yet; the API lets nobody else put them there."""
    merged = {e.key for e in term.label_selector.match_expressions} if term.label_selector else set()
    return tuple(k for k in keys if k not in merged)


def _domain(node: Node, key: str) -> Domain | None:
    value = node.metadata.labels.get(key)
    return None if value is None else (key, value)


def _counts_pod(constraint: TopologySpreadConstraint, namespace: str, pod: Pod) -> bool:
    """Whether a pod counts for a constraint: a living one of the same namespace that its selector takes."""
    mine = pod.namespace == namespace and pod.metadata.deletion_timestamp is None
    return mine and _counts(constraint.label_selector, pod.metadata.labels)


def narrowed(
    selector: LabelSelector | None, keys: Sequence[str], operator: str, labels: Labels
) -> LabelSelector | None:
    """The selector with the pod's own values of these label keys, as the API server merges them (KEP-3243, KEP-3633).

    A key that the pod doesn't have says nothing; neither does any beside no selector at all.
    """
    if selector is None:
        return None
    more = tuple(LabelSelectorRequirement(k, operator, (labels[k],)) for k in keys if k in labels)
    return structs.replace(selector, match_expressions=(*selector.match_expressions, *more)) if more else selector


def _counts(selector: LabelSelector | None, labels: Labels) -> bool:
    """The scheduler counts nothing for an empty selector, although that selects everything."""
    return selector is not None and selector != LabelSelector() and matches(selector, labels)


def _place(domain: Domain) -> str:
    return f"{domain[0]}={domain[1]}"
