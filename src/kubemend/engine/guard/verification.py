"""The proof that a repair worked: the target healthy and steady, the fault gone, nobody near it worse."""

from __future__ import annotations

import enum
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct

from kubemend.engine.guard.hands import is_marked
from kubemend.engine.guard.health import beside, health, near
from kubemend.engine.guard.identity import typed
from kubemend.engine.judge import judge
from kubemend.kube.rollout import ready, restarts, template_equal
from kubemend.model.finding import Finding, Severity
from kubemend.model.objects import Deployment, Obj, Pod, ReplicaSet, kind_of
from kubemend.model.plan import Create, Delete, Evict, Exec, Patch, Plan, RollBack
from kubemend.model.ref import Ref
from kubemend.model.repair import Baseline, Repair
from kubemend.model.rule import Rule
from kubemend.model.snapshot import Snapshot


class Sight(Protocol):
    """A live view of the cluster."""

    def snapshot(self) -> Snapshot:
        """What is known now."""
        ...

    async def changed(self, within_s: float) -> None:
        """Return at the next change, or after `within_s` seconds."""
        ...


class Seen(enum.Enum):
    """What one look says."""

    WELL = "well"
    NOT_YET = "not yet"
    BAD = "bad"


class Look(Struct, frozen=True):
    """One look at the repaired world, and why it says what it says."""

    seen: Seen
    why: str


def baseline(plan: Plan, snapshot: Snapshot, rules: Sequence[Rule]) -> Baseline:
    """What is already so before the first write."""
    target = snapshot.find(plan.target)
    pods = [] if target is None else snapshot.pods(target)
    faults = [f.key for f in judge(snapshot, rules).findings]
    return Baseline(faults=tuple(sorted(faults)), pods=tuple(p.metadata.uid for p in pods))


def look(repair: Repair, snapshot: Snapshot, rules: Sequence[Rule]) -> Look:
    """Judge one snapshot taken after the repair's writes."""
    plan = repair.plan
    if (stale := _not_seen_yet(repair, snapshot)) is not None:
        return Look(Seen.NOT_YET, stale)
    report = judge(snapshot, rules)
    findings = report.findings
    if any(n.code == plan.code and n.namespace in ("", plan.target.namespace) for n in report.not_judged):
        return Look(Seen.NOT_YET, f"whether {plan.code} is gone can't be judged now")
    if (bad := _new_fault(repair, snapshot, findings, rules)) is not None:
        return Look(Seen.BAD, bad)
    for ref in plan.verify.healthy:
        obj = snapshot.find(ref)
        if obj is None:
            return Look(Seen.NOT_YET, f"{ref} is not there")
        state = health(obj, snapshot)
        if not state.complete:
            return Look(Seen.NOT_YET, f"{ref}: {state.why}")
        if (restarted := _restarted(obj, snapshot, repair)) is not None:
            return Look(Seen.BAD, restarted)
    if (lacking := _unreplaced(repair, snapshot)) is not None:
        return lacking
    if plan.verify.gone and any(_same_fault(f, plan) for f in findings):
        return Look(Seen.NOT_YET, f"{plan.code} still shows on {plan.target}")
    done = "the fault is gone" if plan.code else "made as planned, and nothing near it is worse"
    return Look(Seen.WELL, ", ".join(f"{ref} is healthy" for ref in plan.verify.healthy) or done)


def _not_seen_yet(repair: Repair, snapshot: Snapshot) -> str | None:
    """The watch may lag behind the write: an object is judged only when our write has arrived in it."""
    for change, step in zip(repair.plan.changes, repair.steps, strict=True):
        obj = snapshot.find(change.target)
        if isinstance(change, Exec):
            continue
        if isinstance(change, Evict):
            if obj is not None and obj.metadata.uid == change.uid:
                return f"{change.target} is still being evicted"
        elif not _is_watched(change.target, snapshot):
            # What is never seen here can't arrive; the server's own answer to the write stands for it.
            continue
        elif isinstance(change, (Patch, RollBack, Create)):
            known = None if obj is None else {"metadata": {"annotations": obj.metadata.annotations}}
            if not is_marked(known, repair.id):
                return f"the change to {change.target} has not arrived in the watch"
        elif step.after and obj is not None and obj.metadata.generation < step.after["metadata"].get("generation", 0):
            return f"the change to {change.target} has not arrived in the watch"
    return None


def _is_watched(ref: Ref, snapshot: Snapshot) -> bool:
    kind = kind_of(ref)
    return kind is not None and snapshot.was_read(kind, ref.namespace)


def _target(repair: Repair, snapshot: Snapshot) -> Obj | None:
    """What the repair is about; of an object that it deleted, what it was."""
    found = snapshot.find(repair.plan.target)
    if found is not None:
        return found
    made = zip(repair.plan.changes, repair.steps, strict=True)
    befores = (s.before for c, s in made if isinstance(c, Delete) and c.target == repair.plan.target and s.before)
    return next((typed(repair.plan.target, b) for b in befores), None)


def _same_fault(finding: Finding, plan: Plan) -> bool:
    return finding.code == plan.code and plan.target in (finding.target, finding.subject)


def _new_fault(repair: Repair, snapshot: Snapshot, findings: Sequence[Finding], rules: Sequence[Rule]) -> str | None:
    old = repair.baseline
    target = _target(repair, snapshot)
    if target is None:
        return None
    fresh = {p.ref for p in _made_since(target, snapshot, old)}
    answered, around = near(target, snapshot), beside(target, snapshot)
    spreading = {r.code for r in rules if r.spreads}
    for finding in findings:
        if finding.severity < Severity.ERROR:
            continue
        if finding.about in fresh:
            return f"a pod made by the repair shows {finding.code}: {finding.message}"
        brought = finding.code in spreading and not finding.facts.get("alone")
        ours = finding.subject in answered or (brought and finding.subject in around)
        if ours and finding.key not in old.faults:
            return f"neighbour {finding.subject} now shows {finding.code}: {finding.message}"
    return None


def _made_since(workload: Obj, snapshot: Snapshot, old: Baseline) -> list[Pod]:
    """The pods that the repair made: new ones, but for those of an older template, which only came late."""
    fresh = (p for p in snapshot.pods(workload) if p.metadata.uid not in old.pods)
    return [p for p in fresh if not _is_of_older(p, workload, snapshot)]


def _is_of_older(pod: Pod, workload: Obj, snapshot: Snapshot) -> bool:
    maker = snapshot.owner(pod)
    if not isinstance(workload, Deployment) or not isinstance(maker, ReplicaSet):
        return False
    return not template_equal(maker.spec.template, workload.spec.template)


def _restarted(obj: Obj, snapshot: Snapshot, repair: Repair) -> str | None:
    if isinstance(obj, Pod) and obj.metadata.uid in repair.baseline.pods:
        return None
    for pod in _made_since(obj, snapshot, repair.baseline):
        if restarts(pod) > 0:
            return f"{pod.ref} has restarted {restarts(pod)} times since the repair"
    return None


def _unreplaced(repair: Repair, snapshot: Snapshot) -> Look | None:
    """What is wrong with the pods that came in the place of others, if they alone are judged."""
    wanted, target = repair.plan.verify.replaced, snapshot.find(repair.plan.target)
    if not wanted or target is None:
        return None
    if (restarted := _restarted(target, snapshot, repair)) is not None:
        return Look(Seen.BAD, restarted)
    good = sum(map(ready, _made_since(target, snapshot, repair.baseline)))
    return None if good >= wanted else Look(Seen.NOT_YET, f"{good} of {wanted} new pods of {target.ref} are ready")


async def verify(
    repair: Repair, sight: Sight, rules: Sequence[Rule], *, patience_s: float, beat: Callable[[], Awaitable[None]]
) -> Look:
    """Watch until it is proven well (steady for `steady_s`), bad for `patience_s` on end, or out of time.

    Never returns NOT_YET: what is not proven in time is BAD, with the last reason.
    """
    terms = repair.plan.verify
    began = time.monotonic()
    deadline = began + terms.within_s
    since, last = began, Look(Seen.NOT_YET, "nothing seen yet")
    while True:
        now = time.monotonic()
        seen = look(repair, sight.snapshot(), rules)
        if seen.seen is not last.seen:
            since = now
        last = seen
        if seen.seen is Seen.WELL and now - since >= terms.steady_s:
            return seen
        if seen.seen is Seen.BAD and now - since >= patience_s:
            return seen
        if now >= deadline and seen.seen is not Seen.WELL:
            return Look(Seen.BAD, f"not well within {terms.within_s:g} s: {seen.why}")
        await beat()
        until = {Seen.WELL: since + terms.steady_s, Seen.BAD: since + patience_s, Seen.NOT_YET: deadline}[seen.seen]
        await sight.changed(min(max(until - now, 0.01), 5.0))
