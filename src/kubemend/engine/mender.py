"""One cluster being mended: diagnosis, plan and guard side by side, as the surfaces use them."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubemend.engine import catalogue
from kubemend.engine.guard.machine import Guard
from kubemend.engine.planner import Planned, plan
from kubemend.engine.policy import Policy
from kubemend.engine.sight import LiveSight
from kubemend.engine.standing import Standing
from kubemend.model.finding import Diagnosis, Report
from kubemend.model.ref import Ref
from kubemend.model.repair import Incident, Repair
from kubemend.store.ledger import Ledger


@dataclass(frozen=True)
class Mender:
    """What it takes to mend one cluster, opened together and closed together."""

    cluster: str
    policy: Policy
    ledger: Ledger
    sight: LiveSight
    guard: Guard
    standing: Standing = field(default_factory=lambda: Standing(catalogue.rules()))

    def report(self) -> Report:
        """What is wrong now."""
        return self.standing.look(self.sight.snapshot())

    def diagnosis_of(self, ref: Ref) -> Diagnosis | None:
        """The worst fault whose subject, target or shown object is `ref`; None when there is none."""
        for diagnosis in self.report().diagnoses:
            root = diagnosis.root
            if ref in (root.subject, root.target, root.about):
                return diagnosis
        return None

    async def plan(self, diagnosis: Diagnosis, *, asked: bool = False) -> Planned:
        """The best plan that has not failed before, or why there is none.

        asked: a person wants it, who may have one again that was only refused, rejected or undone.
        """
        tried = await self.ledger.repairs.tried(diagnosis.fingerprint, self.cluster, asked=asked)
        return plan(diagnosis, self.sight.snapshot(), catalogue.strategies(), tried=tried)

    async def propose(
        self, diagnosis: Diagnosis, *, actor: str, asked: bool = False
    ) -> tuple[Incident, Planned, Repair | None]:
        """Note the incident, plan a repair, and hand the plan to the guard. Nothing is written to the cluster."""
        incident, _ = await self.ledger.incidents.see(diagnosis, cluster=self.cluster)
        planned = await self.plan(diagnosis, asked=asked)
        if planned.plan is None:
            return incident, planned, None
        return incident, planned, await self.guard.propose(planned.plan, incident=incident.id, actor=actor)
