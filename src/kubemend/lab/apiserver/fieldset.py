"""Sets of fields of objects, and what two objects make of each other field by field (structured merge and diff).

A field is the path to it: "f:spec" for a field, `k:{"name":"web"}` for the element of a keyed list, `v:"x"` for the
element of a set. What is granular, and what one owner holds as a whole, follows the marks in the API's types.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kubemend.lab.api import Object
from kubemend.lab.apiserver.schema import types
from kubemend.lab.kinds import Kind

Path = tuple[str, ...]
Fields = frozenset[Path]
Tree = dict[str, Any]

ATOMIC: Final = frozenset(
    {
        *("ConfigMapKeySelector", "EndpointAddress", "EndpointPort", "FileKeySelector"),
        *("LabelSelector", "LocalObjectReference", "NodeSelector", "NodeSelectorTerm", "ObjectFieldSelector"),
        *("ObjectReference", "OwnerReference", "ResourceFieldSelector", "RoleRef", "ScopeSelector", "SecretReference"),
        *("SecretKeySelector", "ServiceBackendPort", "Subject", "TopologySelectorTerm", "TypedLocalObjectReference"),
        *("PodSpec.nodeSelector", "ReplicationControllerSpec.selector", "ServiceSpec.selector"),
    }
)
"""Types, and fields that are maps, that are held as a whole (`x-kubernetes-map-type: atomic`)."""

_CONTAINER: Final = {
    "env": ("name",),
    "ports": ("containerPort", "protocol"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
}
_CONDITIONED: Final = (
    *("DaemonSet", "Deployment", "HorizontalPodAutoscaler", "Namespace", "Node", "PersistentVolumeClaim", "Pod"),
    *("PodDisruptionBudget", "ReplicaSet", "ReplicationController", "Service", "StatefulSet"),
)
KEYED: Final[Mapping[str, tuple[str, ...]]] = {
    **{f"{t}.{f}": keys for t in ("Container", "EphemeralContainer") for f, keys in _CONTAINER.items()},
    **{f"{kind}Status.conditions": ("type",) for kind in _CONDITIONED},
    **{f"PodSpec.{f}": ("name",) for f in ("containers", "ephemeralContainers", "initContainers", "volumes")},
    **{f"PodSpec.{f}": ("name",) for f in ("imagePullSecrets", "resourceClaims", "schedulingGates")},
    "ContainerStatus.volumeMounts": ("mountPath",),
    "NodeStatus.addresses": ("type",),
    "ObjectMeta.ownerReferences": ("uid",),
    "PodSpec.hostAliases": ("ip",),
    "PodSpec.topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "PodStatus.podIPs": ("ip",),
    "ResourceRequirements.claims": ("name",),
    "ServiceAccount.secrets": ("name",),
    "ServiceSpec.ports": ("port", "protocol"),
    **{f"{w}WebhookConfiguration.webhooks": ("name",) for w in ("Mutating", "Validating")},
    **{f"{w}Webhook.matchConditions": ("name",) for w in ("Mutating", "Validating")},
}
"""Lists whose elements are told apart by these fields (`x-kubernetes-list-map-keys`)."""
SETS: Final = frozenset({"Endpoint.addresses", "NodeSpec.podCIDRs", "ObjectMeta.finalizers"})
_KEY_DEFAULTS: Final = {"protocol": "TCP"}


@dataclass(frozen=True)
class Spot:
    """What is known of a value's place. place: "PodSpec.containers"; type: as in `types.txt`."""

    type: str
    place: str = ""

    @property
    def whole(self) -> bool:
        """Whether it is held as a whole."""
        if self.type.startswith("["):
            return self.place not in KEYED and self.place not in SETS
        if self.type.startswith("{"):
            return self.place in ATOMIC
        return self.type not in types() or self.type in ATOMIC

    def child(self, name: str) -> Spot:
        """The place of one field or value."""
        if self.type.startswith("{"):
            return Spot(self.type[1:-1])
        known = types()[self.type].get(name)
        return Spot(known.type if known else "*", f"{self.type}.{name}")

    def item(self) -> Spot:
        """The place of one element."""
        return Spot(self.type[1:-1])

    @property
    def of_map(self) -> bool:
        """Whether its fields are free."""
        return self.type.startswith("{")

    def step(self, item: Any) -> str:
        """The path element of an element of a list that isn't held as a whole."""
        if self.place in SETS:
            return f"v:{json.dumps(item)}"
        found = {k: item.get(k, _KEY_DEFAULTS.get(k)) for k in sorted(KEYED[self.place])}
        return "k:" + json.dumps(found, separators=(",", ":"))


def spot(kind: Kind) -> Spot:
    """The place of a whole object."""
    return Spot(kind.storage)


def said(kind: Kind, obj: Object) -> Fields:
    """The fields that an object sets (`ToFieldSet`)."""
    return frozenset(_said(spot(kind), obj, ()))


def _said(at: Spot, value: Any, path: Path) -> Iterator[Path]:
    if at.whole:
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _said(at.child(name), inner, (*path, f"f:{name}"))
            if at.of_map or inner in (None, {}):
                yield (*path, f"f:{name}")
    else:
        for item in value or ():
            yield from _said(at.item(), item, (*path, at.step(item)))
            yield (*path, at.step(item))


@dataclass
class Comparison:
    """Which fields one object has and the other hasn't, or has otherwise."""

    changed: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compared(kind: Kind, old: Object, new: Object) -> Comparison:
    """What `new` added or modified, and removed."""
    found = Comparison()
    _compare(spot(kind), old, new, (), found)
    return found


_NOTHING: Final = object()
"""In the place of a value that isn't there at all; null is one that is there."""


def _compare(at: Spot, old: Any, new: Any, path: Path, found: Comparison) -> None:
    if at.whole:
        if new is not _NOTHING and old != new:
            found.changed.add(path)
    else:
        ours, theirs = (dict(_parts(at, v, path)) for v in (old, new))
        for step, (inner, _) in {**ours, **theirs}.items():
            before, after = (parts.get(step, (inner, _NOTHING))[1] for parts in (ours, theirs))
            _compare(inner, before, after, step, found)
    if old is _NOTHING:
        found.changed.add(path)
    elif new is _NOTHING:
        found.removed.add(path)


def _parts(at: Spot, value: Any, path: Path) -> Iterator[tuple[Path, tuple[Spot, Any]]]:
    """What is inside a value, by its path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, f"f:{name}"), (at.child(name), inner)
    elif isinstance(value, list):
        for item in value:
            yield (*path, at.step(item)), (at.item(), item)


def merged(kind: Kind, old: Object, new: Object) -> Object:
    """`old` with what `new` says; elements of lists that `new` has alone come after those before them in it."""
    result: Object = _merge(spot(kind), old, new)
    return result


def _merge(at: Spot, old: Any, new: Any) -> Any:
    if old is None or at.whole:
        return new
    if isinstance(new, dict):
        return {**old, **{k: _merge(at.child(k), old.get(k), v) for k, v in new.items()}}
    mine, theirs = ({at.step(i): i for i in items} for items in (old, new))
    together = _order(list(mine), list(theirs))
    return [_merge(at.item(), mine.get(step), theirs[step]) if step in theirs else mine[step] for step in together]


def _order(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The order of two lists in one: that of `new`, and what `old` has alone before what follows it there."""
    order: list[str] = []
    waiting = list(old)
    for step in new:
        if step in waiting:
            place = waiting.index(step)
            order += [s for s in waiting[:place] if s not in new]
            waiting = [s for s in waiting if s not in order and s != step]
        elif not any(s in new for s in waiting):
            order += waiting
            waiting = []
        order.append(step)
    return order + [s for s in waiting if s not in order]


def cut(kind: Kind, obj: Object, gone: Fields) -> Object:
    """An object without these fields."""
    result: Object = _cut(spot(kind), obj, (), gone)
    return result


def _cut(at: Spot, value: Any, path: Path, gone: Fields) -> Any:
    if at.whole or not any(p[: len(path)] == path for p in gone):
        return value
    if isinstance(value, dict):
        kept = {}
        for name, inner in value.items():
            step = (*path, f"f:{name}")
            if step in gone:
                continue
            left = _cut(at.child(name), inner, step, gone)
            if left in ({}, []) and inner not in ({}, []):
                continue
            kept[name] = left
        return kept
    steps = ((item, (*path, at.step(item))) for item in value)
    return [_cut(at.item(), item, step, gone) for item, step in steps if step not in gone]


def tree(fields: Iterable[Path]) -> Tree:
    """A set as the API writes it (FieldsV1): what is in it and has parts in it, too, has a "."."""
    found: Tree = {}
    members = set(fields)
    for path in sorted(members):
        node = found
        for depth, step in enumerate(path):
            if depth and path[:depth] in members:
                node["."] = {}
            node = node.setdefault(step, {})
    return found


def fields(found: Tree, at: Path = ()) -> Fields:
    """The set that a tree writes."""
    members: set[Path] = set()
    for step, inner in found.items():
        if step == ".":
            members.add(at)
        elif inner:
            members |= fields(inner, (*at, step))
        else:
            members.add((*at, step))
    return frozenset(members)
