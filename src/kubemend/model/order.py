"""What a tool wants changed: handed to the guard as a plan, never carried out by the tool itself."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kubemend.model.access import Risk
from kubemend.model.plan import Change, Plan, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair

Afterwards = Callable[[Repair], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Order:
    """Changes that somebody asked for by name.

    told: what the answer says beside the repair, known before the change is made. afterwards: reads what can only be
    told after it, such as the pod that came instead. risk: above the tool's own, where this case calls for it.
    requires: facts the order rests on. target: the object the changes are about (the workload of a pod that is
    evicted), whose new pods and neighbours are watched; the first change's own when None.
    """

    changes: tuple[Change, ...]
    reason: str
    verify: Verify
    told: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[Any, ...] = ()
    risk: Risk | None = None
    target: Ref | None = None
    afterwards: Afterwards | None = None

    def plan(self, tool: str, risk: Risk) -> Plan:
        """The plan of this order. It has no code: nothing was diagnosed, so the policy always asks a person."""
        body = msgspec.json.encode([tool, self.changes], order="deterministic")
        return Plan(
            strategy=tool,
            code="",
            fingerprint=hashlib.sha256(body).hexdigest()[:12],
            target=self.target or self.changes[0].target,
            changes=self.changes,
            reason=self.reason,
            risk=max(risk, self.risk or Risk.READ),
            confidence=1.0,
            verify=self.verify,
            requires=self.requires,
        ).canonical


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What a tool wants done with a repair that is there already: carried out, or taken back with `undo`.

    Both write to the cluster, so a person is asked where the door can ask, unless they have approved it before.
    """

    repair: str
    undo: bool = False
