"""The planner: which strategy, for this diagnosis, here and now."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct

from kubemend.model.finding import Diagnosis
from kubemend.model.plan import Declined, Plan
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Strategy


class Turned(Struct, frozen=True):
    """A strategy that had nothing to offer, and why."""

    strategy: str
    why: str


class Planned(Struct, frozen=True):
    """The plan, if any, and every strategy that was turned down on the way to it."""

    plan: Plan | None
    turned: tuple[Turned, ...] = ()

    @property
    def why_not(self) -> str:
        """Why there is no plan, in one line."""
        if not self.turned:
            return "no strategy repairs this fault"
        return "; ".join(f"{t.strategy}: {t.why}" for t in self.turned)


def plan(
    diagnosis: Diagnosis, snapshot: Snapshot, strategies: Iterable[Strategy], *, tried: Collection[str] = ()
) -> Planned:
    """The first strategy that cures the root's code and offers a plan not in `tried` (plan hashes that failed)."""
    turned: list[Turned] = []
    for strategy in strategies:
        if diagnosis.root.code not in strategy.cures:
            continue
        made = strategy.plan(diagnosis, snapshot)
        if isinstance(made, Declined):
            turned.append(Turned(strategy.id, made.why))
        elif made.hash in tried:
            turned.append(Turned(strategy.id, "this very plan was tried in the last 24 h and did not hold"))
        else:
            return Planned(made, tuple(turned))
    return Planned(None, tuple(turned))
