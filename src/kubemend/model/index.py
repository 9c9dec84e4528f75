"""Objects of one kind sorted into groups by one property, so that nobody looks through all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from kubemend.model.objects import Obj

Key = tuple[str, str]
"""(namespace, name)"""

By = Callable[[Any], Hashable]
"""The group that an object is in, told from the object alone; None for none."""

Make = Callable[[list[Any]], Any]
"""What is made of a whole group, told from its objects alone."""


class Index:
    """Groups of objects, kept up to date one object at a time, and what was made of each group as a whole."""

    def __init__(self, by: By, held: Mapping[Key, Obj]) -> None:
        self._by = by
        self._groups: dict[Hashable, dict[Key, Obj]] = defaultdict(dict)
        self._sorted: dict[Hashable, list[Any]] = {}
        self._made: dict[Make, dict[Hashable, Any]] = defaultdict(dict)
        for key, obj in held.items():
            if (group := by(obj)) is not None:
                self._groups[group][key] = obj

    def of(self, group: Hashable) -> list[Any]:
        """The objects of a group, ordered by namespace and name. Not to be changed by the caller."""
        if (found := self._sorted.get(group)) is not None:
            return found
        held = self._groups.get(group)
        if held is None:
            return []
        found = self._sorted[group] = [held[k] for k in sorted(held)]
        return found

    def made(self, group: Hashable, make: Make) -> Any:
        """What `make` makes of a group; made once for as long as the group stays as it is."""
        known = self._made[make]
        if group not in known:
            known[group] = make(self.of(group))
        return known[group]

    def change(self, key: Key, before: Obj | None, after: Obj | None) -> tuple[Hashable, ...]:
        """Take over one object's change. Returns the groups it changes."""
        left = None if before is None else self._by(before)
        joined = None if after is None else self._by(after)
        if left is not None and left != joined:
            self._groups[left].pop(key, None)
            if not self._groups[left]:
                del self._groups[left]
        if joined is not None and after is not None:
            self._groups[joined][key] = after
        changed = tuple({g for g in (left, joined) if g is not None})
        for group in changed:
            self._sorted.pop(group, None)
        return changed

    def remake(self, groups: Iterable[Hashable]) -> list[tuple[Hashable, Make]]:
        """Make anew what was made of these changed groups. Returns what has come out differently."""
        differ: list[tuple[Hashable, Make]] = []
        for group in groups:
            for make, known in self._made.items():
                if group in known and (fresh := make(self.of(group))) != known[group]:
                    known[group] = fresh
                    differ.append((group, make))
        return differ
