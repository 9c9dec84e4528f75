"""What may be done without asking, with asking, and not at all."""

from __future__ import annotations

import enum

from msgspec import Struct

from kubemend.model.access import Risk
from kubemend.model.plan import Delete, Plan
from kubemend.store.budget import Limits


class Mode(enum.StrEnum):
    """How far this process may go. Read-only unless told otherwise."""

    READ_ONLY = "read-only"
    ALLOW_CHANGES = "allow-changes"
    AUTO_FIX = "auto-fix"


class Verdict(enum.StrEnum):
    """What the policy says of one plan."""

    NEVER = "never"
    ASK = "ask"
    AUTO = "auto"


class Policy(Struct, frozen=True, kw_only=True):
    """Limits on unattended repair.

    risk: the greatest risk that goes without asking. confidence: the least. protected: namespaces in which
    every plan is high risk. approval_ttl_s: how long a yes counts.
    """

    mode: Mode = Mode.READ_ONLY
    risk: Risk = Risk.MEDIUM
    confidence: float = 0.7
    protected: frozenset[str] = frozenset({"kube-system", "kube-public", "kube-node-lease", "kubemend"})
    approval_ttl_s: float = 300.0
    limits: Limits = Limits()

    def risk_of(self, plan: Plan) -> Risk:
        """The plan's risk where it would happen."""
        return Risk.HIGH if plan.target.namespace in self.protected else plan.risk

    def decide(self, plan: Plan) -> tuple[Verdict, str]:
        """What may be done with a plan, and why."""
        if self.mode is Mode.READ_ONLY:
            return Verdict.NEVER, "read-only mode: nothing is written"
        if self.mode is Mode.ALLOW_CHANGES:
            return Verdict.ASK, "every change asks a person in this mode"
        if not plan.code:
            return Verdict.ASK, "it was asked for, not diagnosed"
        risk = self.risk_of(plan)
        if any(isinstance(c, Delete) for c in plan.changes):
            return Verdict.ASK, "it deletes an object"
        if risk > self.risk:
            return Verdict.ASK, f"its risk is {risk.name.lower()}; up to {self.risk.name.lower()} goes without asking"
        if plan.confidence < self.confidence:
            return Verdict.ASK, f"confidence {plan.confidence:.2f} is below {self.confidence:.2f}"
        return Verdict.AUTO, f"risk {risk.name.lower()} and confidence {plan.confidence:.2f} are within the policy"
