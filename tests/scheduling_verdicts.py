"""Our verdict on a generated world, node by node, and the words that kube-scheduler v1.34 would use for it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from kubemend.kube.scheduling import Misfit, Room, Storage
from kubemend.model.objects import Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass
from scheduling_corpus import SPACES, Raw, World

Verdicts = dict[str, tuple[Misfit, ...]]
"""By the node's name: why the pod can't go there, if so."""

EVERYWHERE = (
    (r"claim (\S+) is not there", 'persistentvolumeclaim "{}" not found'),
    (
        r"claim (\S+) has lost its volume (\S+)",
        'persistentvolumeclaim "{}" bound to non-existent persistentvolume "{}"',
    ),
    (r"claim \S+ is not bound", "pod has unbound immediate PersistentVolumeClaims"),
)
"""What our details say of claims that keep a pod off every node, and the scheduler of the pod, in its order."""
FIT, BINDING = "NodeResourcesFit", "VolumeBinding"
FILTERS = (
    ("NodeUnschedulable", "unschedulable", "", "node(s) were unschedulable"),
    ("TaintToleration", "taint", "", "node(s) had untolerated taint(s)"),
    ("NodeAffinity", "node-selector", "", "node(s) didn't match Pod's node affinity/selector"),
    ("NodeAffinity", "node-affinity", "", "node(s) didn't match Pod's node affinity/selector"),
    ("NodePorts", "port", "", "node(s) didn't have free ports for the requested pod ports"),
    (FIT, "pods", "", "Too many pods"),
    (FIT, "cpu", "", "Insufficient cpu"),
    (FIT, "memory", "", "Insufficient memory"),
    (FIT, "resource", r"(\S+): ", "Insufficient {}"),
    ("VolumeRestrictions", "volume", "disk ", "node(s) had no available disk"),
    (
        "VolumeRestrictions",
        "volume",
        "claim .* is for one pod",
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by "
        "another pod",
    ),
    (BINDING, "volume", "volume .* can't be reached", "node(s) didn't match PersistentVolume's node affinity"),
    (BINDING, "volume", "no free volume", "node(s) didn't find available persistent volumes to bind"),
    (BINDING, "volume", "class .* makes no volumes", "node(s) didn't find available persistent volumes to bind"),
    ("VolumeZone", "volume", "volume .* is in another zone", "node(s) had no available volume zone"),
    (
        "PodTopologySpread",
        "topology-spread",
        "the node lacks",
        "node(s) didn't match pod topology spread constraints (missing required label)",
    ),
    ("PodTopologySpread", "topology-spread", "", "node(s) didn't match pod topology spread constraints"),
    ("InterPodAffinity", "pod-affinity", "", "node(s) didn't match pod affinity rules"),
    ("InterPodAffinity", "pod-anti-affinity", "the pod keeps away", "node(s) didn't match pod anti-affinity rules"),
    ("InterPodAffinity", "pod-anti-affinity", "", "node(s) didn't satisfy existing pods anti-affinity rules"),
)
"""Plugin, our kind, how our detail begins, the scheduler's words; in the order of its plugins: the first speaks."""
NOT_NAMED = "node(s) didn't satisfy plugin(s) [NodeAffinity]"


@dataclass(frozen=True)
class Seen:
    """What there is, as the product reads it."""

    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    storage: Storage
    namespaces: Mapping[str, Mapping[str, str]]

    def verdicts(self, raw: Raw) -> Verdicts:
        """Of each node about a pod."""
        pod = msgspec.convert(raw, Pod)
        room = Room(
            pod.spec,
            pod.namespace,
            pod.metadata.labels,
            self.nodes,
            self.pods,
            storage=self.storage,
            namespaces=self.namespaces,
        )
        return {n.name: room.misfits(n) for n in self.nodes}


def seen(objects: Iterable[Raw], namespaces: Mapping[str, Mapping[str, str]] = SPACES) -> Seen:
    """Raw objects of all kinds, decoded."""
    found: dict[str, list[Raw]] = {}
    for one in objects:
        found.setdefault(one["kind"], []).append(one)
    return Seen(
        tuple(msgspec.convert(found.get("Node", []), list[Node])),
        tuple(msgspec.convert(found.get("Pod", []), list[Pod])),
        Storage.of(
            msgspec.convert(found.get("PersistentVolumeClaim", []), list[PersistentVolumeClaim]),
            msgspec.convert(found.get("PersistentVolume", []), list[PersistentVolume]),
            msgspec.convert(found.get("StorageClass", []), list[StorageClass]),
        ),
        namespaces,
    )


def as_written(world: World) -> Seen:
    """A world before any server saw it."""
    kinds = ("Node", "Pod", "PersistentVolumeClaim", "PersistentVolume", "StorageClass")
    return seen(o for kind in kinds for o in world.objects(kind))


def reasons(verdicts: Verdicts, spec: Raw) -> Counter[str]:
    """What the scheduler would say of a pod that fits nowhere: for how many nodes which reason, or one for all."""
    for pattern, words in EVERYWHERE:
        for misfits in verdicts.values():
            if found := next(filter(None, (re.match(pattern, m.detail) for m in misfits if m.kind == "volume")), None):
                return Counter({words.format(*found.groups()): 1})
    named = _named(spec)
    said: Counter[str] = Counter()
    for name, misfits in verdicts.items():
        said.update({NOT_NAMED} if named is not None and name not in named else _first(misfits))
    return said


def _first(misfits: tuple[Misfit, ...]) -> set[str]:
    """The first reason of the first plugin that has any; two plugins tell all of theirs."""
    found = [
        (plugin, words.format(*match.groups()))
        for plugin, kind, start, words in FILTERS
        for match in _seen(misfits, kind, start)
    ]
    speaker, first = found[0]
    return {w for plugin, w in found if plugin == speaker and (w == first or speaker in (FIT, BINDING))}


def _seen(misfits: tuple[Misfit, ...], kind: str, start: str) -> list[re.Match[str]]:
    return [s for m in misfits if m.kind == kind and (s := re.match(start, m.detail))]


def _named(spec: Raw) -> set[str] | None:
    """The nodes that a pod names in each term of its required affinity; the scheduler looks at no others."""
    affinity = spec.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    named: set[str] = set()
    for term in affinity["nodeSelectorTerms"] if affinity else ():
        fields = [set(f["values"]) for f in term.get("matchFields", ()) if f["operator"] == "In"]
        if not fields:
            return None
        named |= set.intersection(*fields)
    return named or None


def told(message: str) -> Counter[str]:
    """The reasons in the scheduler's own message, each with its number of nodes; one for all counts once."""
    found = re.match(r"0/\d+ nodes are available: (.*?)\.(?: |$)", message)
    assert found is not None, message
    parts = [re.fullmatch(r"(\d+) (.*)", part) for part in found[1].split(", ")]
    counted = Counter({part[2]: int(part[1]) for part in parts if part})
    return counted or Counter({found[1]: 1})
