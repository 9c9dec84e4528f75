"""The desk that tools over the engine sit at: one cluster's diagnoses and repairs, as views."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kubemend.cluster.reader import Reader
from kubemend.engine import catalogue, views
from kubemend.engine.guide import guide
from kubemend.engine.judge import judge
from kubemend.engine.mender import Mender
from kubemend.engine.planner import plan
from kubemend.engine.preview import previews, veiled
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import kind_of
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State


class MendingDesk:
    """See `kubemend.tools.desk.Desk`."""

    def __init__(self, mender: Mender, reader: Reader, *, actor: str) -> None:
        self._mender, self._reader, self._actor = mender, reader, actor

    async def diagnose(self, namespace: str | None) -> dict[str, Any]:
        """Judge what is there now."""
        snapshot = self._mender.sight.snapshot()
        if namespace is not None:
            snapshot = snapshot.within(namespace)
        report = judge(snapshot, catalogue.rules())
        remedies = {}
        for diagnosis in report.diagnoses:
            planned = plan(diagnosis, snapshot, catalogue.strategies())
            remedies[diagnosis.fingerprint] = views.Remedy(planned.plan, planned.why_not)
        return views.of_scan(
            views.Scan(
                report=report,
                source=self._mender.cluster,
                taken_at=snapshot.taken_at,
                namespace=namespace,
                unread=snapshot.unread,
                remedies=remedies,
            )
        )

    async def propose(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """Plan a repair of what is wrong with one object."""
        resource = await self._reader.resource(kind)
        ref = Ref(resource.kind, namespace if resource.namespaced else "", name, resource.group)
        snapshot, known = self._mender.sight.snapshot(), kind_of(ref)
        if known is not None and snapshot.was_read(known, ref.namespace) and snapshot.find(ref) is None:
            raise InvalidInput(f"there is no {ref}", code="not-found", where=str(ref))
        diagnosis = self._mender.diagnosis_of(ref)
        if diagnosis is None:
            return {"diagnosis": None, "plan": None, "why": f"no fault found on {ref}"}
        _, planned, repair = await self._mender.propose(diagnosis, actor=self._actor, asked=True)
        found = views.of_diagnosis(diagnosis, views.Remedy(planned.plan, planned.why_not))
        if repair is None:
            return {"diagnosis": found, "plan": None, "why": planned.why_not}
        return {"diagnosis": found, **await waiting(repair, self._reader)}

    async def guide(self, keyword: str, namespace: str | None) -> dict[str, Any]:
        """The rules whose page speaks of it, those that fire now first."""
        report = (await self.diagnose(namespace))["findings"]
        return guide(keyword, namespace, {f["code"]: f["message"] for f in report})

    async def own(self, repair: str) -> Repair:
        """A repair of this cluster. UnknownRepair, and InvalidInput for another cluster's."""
        found = await self._mender.ledger.repairs.get(repair)
        if found.cluster != self._mender.cluster:
            raise InvalidInput(f"repair {repair} belongs to another cluster", code="other-cluster", where=repair)
        return found

    async def lacks_yes(self, repair: Repair) -> bool:
        """Whether the repair waits for a person, and no approval of its plan counts now."""
        if repair.state is not State.AWAITING_APPROVAL:
            return False
        now, given = datetime.now(UTC), await self._mender.ledger.approvals.list(repair=repair.id)
        return not any(a.used_at is None and a.expires_at > now and a.plan_hash == repair.plan.hash for a in given)


async def waiting(repair: Repair, reader: Reader) -> dict[str, Any]:
    """A plan that waits for a yes: what it would change, and how to say it."""
    diffs = [p.diff for p in await previews(repair.plan, reader, veil=True)]
    asks = repair.state in (State.PROPOSED, State.AWAITING_APPROVAL)
    return {
        "repair": repair.id,
        "state": repair.state.value,
        "why": repair.why,
        "plan": views.of_plan(repair.plan),
        "diff": "\n".join(d for d in diffs if d),
        "approve": f"kubemend approvals approve {repair.id} --allow-changes" if asks else "",
    }


def returning(repair: Repair) -> dict[str, Any]:
    """A repair that may be taken back: what that would change, and how to say yes to it."""
    made = zip(repair.plan.changes, repair.steps, strict=False)
    diffs = [veiled(c, s.after or None, s.before) for c, s in made if s.after is not None and not s.undone]
    return {
        "repair": repair.id,
        "state": repair.state.value,
        "why": repair.why,
        "plan": views.of_plan(repair.plan),
        "diff": "\n".join(d for d in diffs if d),
        "approve": f"kubemend undo {repair.id} --allow-changes",
    }
