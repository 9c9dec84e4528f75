"""The arithmetic of a rolling update: how large each ReplicaSet may or must be next. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kubemend.lab.api import Object
from kubemend.lab.fields import scaled, spec


@dataclass(frozen=True)
class Limits:
    """How many pods are wanted, and how many there may be too many or too few on the way."""

    replicas: int
    surge: int = 0
    unavailable: int = 0

    @property
    def most(self) -> int:
        """The largest total allowed."""
        return self.replicas + self.surge

    @property
    def fewest_available(self) -> int:
        """The smallest number of available pods allowed."""
        return self.replicas - self.unavailable


@dataclass(frozen=True)
class Size:
    """One ReplicaSet: pods asked for, pods available, and the largest total when it was last scaled (0 unknown)."""

    name: str
    asked: int
    available: int
    most: int = 0


def limits(deployment: Object) -> Limits:
    """A Deployment's limits. Percentages: surge is rounded up, unavailability down; both 0 would never move."""
    found = spec(deployment)
    replicas = 1 if found.get("replicas") is None else int(found["replicas"])
    strategy = found.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return Limits(replicas)
    rolling = strategy.get("rollingUpdate") or {}
    surge = scaled(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = min(replicas, scaled(rolling.get("maxUnavailable", "25%"), replicas, up=False))
    return Limits(replicas, surge, unavailable if surge or unavailable else 1)


def grown(limit: Limits, new: int, total: int) -> int:
    """The next size of the new ReplicaSet, now of size `new`, when all of them together are `total`."""
    if new > limit.replicas:
        return limit.replicas
    return min(limit.replicas, new + max(0, limit.most - total))


def shrunk(limit: Limits, old: Sequence[Size], new: Size) -> dict[str, int]:
    """The next sizes of old ReplicaSets (oldest first), where they differ.

    What may go: everything above the least available number, counting the new set's unavailable pods as missing.
    Old pods that aren't available go first, for they cost nothing; then available ones as far as others replace them.
    """
    total = sum(s.asked for s in old) + new.asked
    spare = total - limit.fewest_available - (new.asked - new.available)
    if spare <= 0:
        return {}
    sizes = {s.name: s.asked for s in old}
    for s in old:
        cut = max(0, min(spare, s.asked - s.available))
        sizes[s.name] -= cut
        spare -= cut
    surplus = sum(s.available for s in old) + new.available - limit.fewest_available
    for s in old:
        cut = max(0, min(surplus, sizes[s.name]))
        sizes[s.name] -= cut
        surplus -= cut
    return {s.name: sizes[s.name] for s in old if sizes[s.name] != s.asked}


def proportional(limit: Limits, sets: Sequence[Size]) -> dict[str, int]:
    """Sizes when a Deployment is scaled in the middle of a rollout, where they differ: all share in proportion.

    What rounding leaves over goes to the largest set.
    """
    allowed = limit.most if limit.replicas else 0
    change = allowed - sum(s.asked for s in sets)
    left = change
    sizes = {s.name: s.asked for s in sets}
    for s in sorted(sets, key=lambda s: -s.asked):
        share = round(s.asked * allowed / (s.most or allowed or 1)) - s.asked
        share = max(0, min(share, left)) if change > 0 else min(0, max(share, left))
        sizes[s.name] += share
        left -= share
    largest = max(sets, key=lambda s: s.asked)
    sizes[largest.name] = max(0, sizes[largest.name] + left)
    return {s.name: sizes[s.name] for s in sets if sizes[s.name] != s.asked}
