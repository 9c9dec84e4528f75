"""What is free on some nodes, by resource, so that not every pod has to be held against every one of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal

from kubemend.kube.quantity import parse
from kubemend.model.objects import Node

Needs = dict[str, Decimal]
"""What a pod asks for, per resource; "pods" is 1."""

NOTHING = Decimal()


class Room:
    """Some nodes with what is left on each (`free`: by node, by resource)."""

    def __init__(self, nodes: tuple[Node, ...], free: Mapping[str, Mapping[str, Decimal]]) -> None:
        self.nodes, self._free = nodes, free
        self._left: dict[str, list[Decimal]] = {}
        self._ranked: dict[str, list[Decimal]] = {}
        self._largest: dict[str, Decimal] = {}

    def fitting(self, wanted: Needs) -> tuple[Node, ...]:
        """The nodes that have all that is wanted."""
        # Most pods that wait want more of something than any node has.
        if any(amount > self.most(name) for name, amount in wanted.items()):
            return ()
        columns = [(self.left(name), amount) for name, amount in wanted.items()]
        return tuple(n for i, n in enumerate(self.nodes) if all(amount <= left[i] for left, amount in columns))

    def left(self, name: str) -> list[Decimal]:
        """What is left of a resource on each node, in their order; nothing where it is overcommitted."""
        if name not in self._left:
            rooms = (self._free[n.name] for n in self.nodes)
            self._left[name] = [max(room.get(name, NOTHING), NOTHING) for room in rooms]
        return self._left[name]

    def lacking(self, name: str, amount: Decimal) -> int:
        """How many of the nodes have less than that amount left."""
        if name not in self._ranked:
            self._ranked[name] = sorted(self.left(name))
        return bisect_left(self._ranked[name], amount)

    def most(self, name: str) -> Decimal:
        """The most that is left on a node."""
        return max(self.left(name), default=NOTHING)

    def best(self, name: str) -> Node | None:
        """The first node on which the most is left."""
        return self.nodes[self.left(name).index(self.most(name))] if self.nodes else None

    def largest(self, name: str) -> Decimal:
        """What the largest node holds in all."""
        if name not in self._largest:
            held = (parse(n.status.allocatable.get(name, 0)) for n in self.nodes)
            self._largest[name] = max(held, default=NOTHING)
        return self._largest[name]
