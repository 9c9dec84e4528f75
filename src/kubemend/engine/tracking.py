"""Which parts of a cluster a judgement was made from, noted while it is made.

A token names one part: a kind (all its objects), one object, one group of an index, or what is made of such a group.
Each change of an object is told as the tokens it touches, so that a judgement has to be made anew only when one of its
own tokens is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from kubemend.model.index import By, Index, Key
from kubemend.model.objects import Obj
from kubemend.model.snapshot import Snapshot

T = TypeVar("T", bound=Obj)
V = TypeVar("V")
Token = Hashable


@dataclass
class Ground:
    """Objects that judgements are made from: the whole cluster's, or one namespace's, with what was made of them."""

    objects: Mapping[type[Obj], Mapping[Key, Obj]]
    cache: dict[Any, Any] = field(default_factory=dict)

    def sorted(self, kind: type[Obj]) -> list[Any]:
        """The objects of a kind, ordered by namespace and name. Not to be changed by the caller."""
        found: list[Any] | None = self.cache.get(kind)
        if found is None:
            held = self.objects.get(kind, {})
            found = self.cache[kind] = [held[k] for k in sorted(held)]
        return found

    def index(self, kind: type[Obj], by: By) -> Index:
        """The index of a kind by one property; kept up to date from then on."""
        found: Index | None = self.cache.get((kind, by))
        if found is None:
            found = self.cache[kind, by] = Index(by, self.objects.get(kind, {}))
        return found

    def change(self, kind: type[Obj], key: Key, before: Obj | None, after: Obj | None) -> Iterator[Token]:
        """Take over one change, which `objects` shows already. Yields what it touches."""
        self.cache.pop(kind, None)
        yield kind
        yield kind, key
        for known, index in self.cache.items():
            if isinstance(index, Index) and known[0] is kind:
                groups = index.change(key, before, after)
                yield from ((*known, group) for group in groups)
                yield from ((*known, *made) for made in index.remake(groups))


@dataclass
class Reads:
    """What one judgement was made from. near, far: tokens of its own ground and of the whole cluster's.

    due: the first moment that was asked about and hadn't come.
    """

    near: set[Token] = field(default_factory=set)
    far: set[Token] = field(default_factory=set)
    due: datetime | None = None
    shared: list[Reads] = field(default_factory=list)
    """Of what was derived for all, and used."""

    def total(self) -> Reads:
        """The same with what was used of others in it."""
        near, far, due = set(self.near), set(self.far), self.due
        for one in self.shared:
            held = one.total()
            near |= held.near
            far |= held.far
            due = earlier(due, held.due)
        return Reads(near, far, due)

    def wait(self, moment: datetime) -> None:
        """Note a moment that was asked about and hasn't come."""
        self.due = earlier(self.due, moment)


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two moments, of which either may be none."""
    return min((m for m in (one, other) if m is not None), default=None)


Derived = dict[Callable[[Snapshot], Any], tuple[Any, Reads]]
"""What was derived, by what made it, and what it was made from."""


class Tracked(Snapshot):
    """A snapshot of one ground that notes what is read of it. `Snapshot` says what its methods give.

    Cluster-scoped objects, and those of another namespace asked for by name, come from the whole cluster's ground.
    """

    reads: Reads
    _moment: datetime
    _near: Ground
    _far: Ground
    _space: str | None
    _seen: Snapshot
    _memo: Derived

    def __init__(self, seen: Snapshot, near: Ground, far: Ground, space: str | None, derived: Derived) -> None:
        """derived: what was derived from the same ground before, and still holds."""
        # A Snapshot is frozen, and these two of its fields are properties here.
        vars(self).update(unread=seen.unread, cluster=seen.cluster, namespace=seen.namespace)
        vars(self).update(_moment=seen.taken_at, _near=near, _far=far, _space=space, _seen=seen)
        vars(self).update(reads=Reads(), _memo=derived)

    def __repr__(self) -> str:
        return f"Tracked({self._space or 'the whole cluster'!r})"

    def aside(self) -> Tracked:
        """The same view with notes of its own."""
        made = object.__new__(Tracked)
        vars(made).update(vars(self), reads=Reads())
        return made

    @property
    def taken_at(self) -> datetime:
        """Not for rules: what is said of the time that is it now would have to be said anew all the time."""
        raise TypeError("a rule asks `has_passed` or `is_past`, so that it can be asked again when that moment comes")

    def is_past(self, moment: datetime) -> bool:
        """Whether this moment had gone by; who is told that it hadn't is judged again when it comes."""
        past = self._moment > moment
        if not past:
            self.reads.wait(moment)
        return past

    @property
    def objects(self) -> Mapping[type[Obj], Mapping[Key, Obj]]:
        """Not for rules: what is read of it can't be noted."""
        raise TypeError("a rule reads a snapshot through its methods, so that what it reads can be noted")

    def all(self, kind: type[T], namespace: str | None = None) -> list[T]:
        """Every object of a kind (of one namespace)."""
        if namespace is not None and kind.namespaced and namespace != self._space:
            return list(self._far_group(kind, _namespace, namespace))
        ground, notes = self._ground(kind)
        notes.add(kind)
        return list(ground.sorted(kind))

    def get(self, kind: type[T], namespace: str, name: str) -> T | None:
        """One object."""
        near = self._space is None or (kind.namespaced and namespace == self._space)
        ground, notes = (self._near, self.reads.near) if near else (self._far, self.reads.far)
        notes.add((kind, (namespace, name)))
        return ground.objects.get(kind, {}).get((namespace, name))  # type: ignore[return-value]

    def was_read(self, kind: type[Obj], namespace: str = "") -> bool:
        """Whether absence of an object of this kind means that there is none."""
        return self._seen.was_read(kind, namespace)

    def group(self, kind: type[T], by: By, value: Hashable) -> list[T]:
        """One group of an index."""
        ground, notes = self._ground(kind)
        notes.add((kind, by, value))
        return ground.index(kind, by).of(value)

    def made(self, kind: type[T], by: By, value: Hashable, make: Callable[[list[T]], V]) -> V:
        """What is made of one group."""
        ground, notes = self._ground(kind)
        notes.add((kind, by, value, make))
        found: V = ground.index(kind, by).made(value, make)
        return found

    def derived(self, make: Callable[[Snapshot], V]) -> V:
        """What is made of this view, for all who ask."""
        if make not in self._memo:
            aside = self.aside()
            self._memo[make] = (make(aside), aside.reads)
        value, reads = self._memo[make]
        self.reads.shared.append(reads)
        found: V = value
        return found

    def within(self, namespace: str) -> Snapshot:
        """Not for rules."""
        raise TypeError("a rule is given what it may look at, and doesn't narrow it")

    def _far_group(self, kind: type[T], by: By, value: Hashable) -> list[T]:
        notes = self.reads.near if self._space is None else self.reads.far
        notes.add((kind, by, value))
        return self._far.index(kind, by).of(value)

    def _ground(self, kind: type[Obj]) -> tuple[Ground, set[Token]]:
        near = self._space is None or kind.namespaced
        return (self._near, self.reads.near) if near else (self._far, self.reads.far)


def _namespace(obj: Obj) -> str:
    return obj.metadata.namespace
