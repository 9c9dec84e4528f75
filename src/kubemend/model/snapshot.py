"""What was seen of a cluster at one moment, and what could not be seen."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar, overload

from msgspec import Struct

from kubemend.model.index import By, Index, Key
from kubemend.model.objects import (
    ControllerRevision,
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    Obj,
    Pod,
    ReplicaSet,
    StatefulSet,
    kind_of,
)
from kubemend.model.ref import Ref

T = TypeVar("T", bound=Obj)
V = TypeVar("V")

MAKERS: tuple[type[Obj], ...] = (ReplicaSet, Job, Deployment, StatefulSet, DaemonSet, CronJob)
"""Kinds that may stand between a workload and its pods."""

_BOTTOM = (ReplicaSet, StatefulSet, DaemonSet, Job)
"""Kinds below which there are pods only."""


class Unread(Struct, frozen=True, order=True):
    """A kind that could not be read, wholly (namespace "") or in one namespace, or one undecodable object."""

    kind: str
    why: str
    namespace: str = ""


@dataclass(frozen=True)
class Snapshot:
    """Immutable, typed view of a cluster's objects at `taken_at`.

    `objects` maps a kind's Struct to its objects by (namespace, name). A kind that is absent from `objects`
    was not asked for; one in `unread` was asked for and could not be had. Neither means "there are none".
    """

    taken_at: datetime
    objects: Mapping[type[Obj], Mapping[Key, Obj]]
    unread: tuple[Unread, ...] = ()
    cluster: str = ""
    namespace: str | None = None
    """The one namespace that was read, or None for all."""

    _cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What was made of the objects: sorted lists by kind, indexes by kind and property, what was derived."""

    @classmethod
    def of(
        cls,
        objects: Iterable[Obj],
        *,
        taken_at: datetime,
        unread: Iterable[Unread] = (),
        cluster: str = "",
        kinds: Iterable[type[Obj]] = (),
        namespace: str | None = None,
    ) -> Snapshot:
        """Build one from objects; `kinds` names kinds that were read and may have no object."""
        by_kind: dict[type[Obj], dict[Key, Obj]] = {k: {} for k in kinds}
        for o in objects:
            by_kind.setdefault(type(o), {})[(o.namespace, o.name)] = o
        return cls(taken_at, by_kind, tuple(unread), cluster, namespace)

    def all(self, kind: type[T], namespace: str | None = None) -> list[T]:
        """Every object of a kind (of one namespace), ordered by namespace and name."""
        if namespace is not None and kind.namespaced:
            return list(self.group(kind, _namespace, namespace))
        found = self._cache.get(kind)
        if found is None:
            held = self.objects.get(kind, {})
            found = self._cache[kind] = [held[k] for k in sorted(held)]
        return list(found)

    def group(self, kind: type[T], by: By, value: Hashable) -> list[T]:
        """The objects of a kind of which `by` gives this value, ordered by namespace and name.

        by: a function of one object alone, always the same one (no lambda made on the spot): it names the index.
        """
        return self._index(kind, by).of(value)

    def made(self, kind: type[T], by: By, value: Hashable, make: Callable[[list[T]], V]) -> V:
        """What `make` makes of such a group, a function of these objects alone; made once for each group."""
        found: V = self._index(kind, by).made(value, make)
        return found

    def derived(self, make: Callable[[Snapshot], V]) -> V:
        """What `make` makes of this snapshot; made once, for all who ask."""
        if make not in self._cache:
            self._cache[make] = make(self)
        found: V = self._cache[make]
        return found

    def _index(self, kind: type[Obj], by: By) -> Index:
        found: Index | None = self._cache.get((kind, by))
        if found is None:
            found = self._cache[kind, by] = Index(by, self.objects.get(kind, {}))
        return found

    def get(self, kind: type[T], namespace: str, name: str) -> T | None:
        """One object, or None when it is not there. Ask `was_read` before calling that an absence."""
        return self.objects.get(kind, {}).get((namespace, name))  # type: ignore[return-value]

    def find(self, ref: Ref) -> Obj | None:
        """The object a reference names."""
        kind = kind_of(ref)
        return None if kind is None else self.get(kind, ref.namespace, ref.name)

    def is_past(self, moment: datetime) -> bool:
        """Whether this moment had gone by when the snapshot was taken. Once it has, it has for good.

        Rules ask this and don't read `taken_at`, so that they have to be asked again only once that moment comes.
        """
        return self.taken_at > moment

    def has_passed(self, seconds: float, since: datetime | None) -> bool:
        """Whether more than so many seconds have gone by since then; not where that isn't known."""
        return since is not None and self.is_past(since + timedelta(seconds=seconds))

    def was_read(self, kind: type[Obj], namespace: str = "") -> bool:
        """Whether absence of an object of this kind (in this namespace) means that there is none."""
        if kind not in self.objects:
            return False
        return not any(u.kind == kind.__name__ and u.namespace in ("", namespace) for u in self.unread)

    def owned(self, owner: Obj, kind: type[T]) -> list[T]:
        """The objects of a kind that `owner` controls, by name."""
        return sorted(self.group(kind, _controller, owner.metadata.uid), key=lambda o: o.name)

    def owner(self, obj: Obj) -> Obj | None:
        """The controller of an object, when it was read and is still the same one (uid)."""
        up = obj.metadata.controller
        if up is None:
            return None
        group = up.api_version.partition("/")[0] if "/" in up.api_version else ""
        found = self.find(Ref(up.kind, obj.namespace, up.name, group))
        return found if found is not None and found.metadata.uid == up.uid else None

    def top(self, obj: Obj) -> Obj:
        """The topmost controller that was read: a pod's Deployment, say; the object itself if it has none."""
        seen = obj
        while (up := self.owner(seen)) is not None:
            seen = up
        return seen

    def pods(self, workload: Obj) -> list[Pod]:
        """The pods of a workload, through ReplicaSets (Deployment) and Jobs (CronJob) too."""
        if isinstance(workload, Pod):
            return [workload]
        return sorted(self._pods_below(workload), key=lambda p: p.name)

    def _pods_below(self, obj: Obj) -> Iterator[Pod]:
        yield from self.group(Pod, _controller, obj.metadata.uid)
        if isinstance(obj, _BOTTOM):
            return
        for kind in MAKERS:
            for child in self.group(kind, _controller, obj.metadata.uid):
                yield from self._pods_below(child)

    @overload
    def revisions(self, workload: Deployment) -> list[ReplicaSet]: ...

    @overload
    def revisions(self, workload: StatefulSet | DaemonSet) -> list[ControllerRevision]: ...

    def revisions(self, workload: Obj) -> list[ReplicaSet] | list[ControllerRevision]:
        """A Deployment's ReplicaSets, a StatefulSet's or DaemonSet's ControllerRevisions; newest revision first."""
        if isinstance(workload, Deployment):
            return sorted(self.owned(workload, ReplicaSet), key=revision_of, reverse=True)
        return sorted(self.owned(workload, ControllerRevision), key=revision_of, reverse=True)

    def within(self, namespace: str) -> Snapshot:
        """This snapshot narrowed to one namespace and the cluster-scoped objects."""
        kept = {
            kind: (held if not kind.namespaced else {k: o for k, o in held.items() if k[0] == namespace})
            for kind, held in self.objects.items()
        }
        return replace(self, objects=kept, namespace=namespace, _cache={})


def _namespace(obj: Obj) -> str:
    return obj.metadata.namespace


def _controller(obj: Obj) -> str | None:
    up = obj.metadata.controller
    return None if up is None else up.uid


def revision_of(obj: Obj) -> int:
    """The number of the rollout: a ControllerRevision's own, else what a Deployment controller noted; 0 for none."""
    if isinstance(obj, ControllerRevision):
        return obj.revision
    text = obj.metadata.annotations.get("deployment.kubernetes.io/revision", "")
    return int(text) if text.isdigit() else 0
