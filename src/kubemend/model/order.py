"""What a tool wants changed: handed to the guard as a plan, never carried out by the tool itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kubemend.model.access import Risk
from kubemend.model.plan import Change, Plan, Verify


@dataclass(frozen=True, kw_only=True)
class Order:
    """Changes that somebody asked for by name.

    told: what the answer says beside the repair, known before the change is made. risk: above the tool's own, where
    this case calls for it. requires: facts the order rests on.
    """

    changes: tuple[Change, ...]
    reason: str
    verify: Verify
    told: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[Any, ...] = ()
    risk: Risk | None = None

    def plan(self, tool: str, risk: Risk) -> Plan:
        """The plan of this order. It has no code: nothing was diagnosed, so the policy always asks a person."""
        target = self.changes[0].target
        body = msgspec.json.encode([tool, self.changes], order="deterministic")
        return Plan(
            strategy=tool,
            code="",
            fingerprint=hashlib.sha256(body).hexdigest()[:12],
            target=target,
            changes=self.changes,
            reason=self.reason,
            risk=max(risk, self.risk or Risk.READ),
            confidence=1.0,
            verify=self.verify,
            requires=self.requires,
        ).canonical
