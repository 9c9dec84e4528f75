"""What programs get to see: the shapes of the JSON and YAML that commands print. A promise: they only ever grow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from kubemend.model.finding import Cite, Diagnosis, Finding, NotJudged, Report, Severity
from kubemend.model.plan import Plan
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair
from kubemend.model.snapshot import Snapshot, Unread

if TYPE_CHECKING:
    from kubemend.engine.detector import Happened
    from kubemend.store.audit import Record

View = dict[str, Any]


class Remedy(Struct, frozen=True):
    """What could be done about one diagnosis: a plan, or why there is none."""

    plan: Plan | None
    why_not: str = ""


class Scan(Struct, frozen=True, kw_only=True):
    """One look at a cluster and all that was made of it.

    source: the context, or the path of the snapshot. known: how many diagnoses a baseline took away.
    remedies: by fingerprint.
    """

    report: Report
    source: str
    taken_at: datetime
    namespace: str | None = None
    unread: tuple[Unread, ...] = ()
    remedies: dict[str, Remedy] = {}
    known: int = 0

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst cause."""
        return max((d.root.severity for d in self.report.diagnoses), default=None)

    def count(self, severity: Severity) -> int:
        """How many causes have it."""
        return sum(d.root.severity is severity for d in self.report.diagnoses)


def of_scan(scan: Scan) -> View:
    """A whole scan."""
    report = scan.report
    return {
        "source": scan.source,
        "taken_at": scan.taken_at,
        "namespace": scan.namespace,
        "summary": {
            **{s.name.lower(): scan.count(s) for s in reversed(Severity)},
            "not_judged": len(report.not_judged),
            "known": scan.known,
        },
        "findings": [of_diagnosis(d, scan.remedies.get(d.fingerprint)) for d in report.diagnoses],
        "not_judged": [of_not_judged(n) for n in report.not_judged],
        "unread": [{"kind": u.kind, "namespace": u.namespace, "why": u.why} for u in scan.unread],
    }


def of_diagnosis(diagnosis: Diagnosis, remedy: Remedy | None = None) -> View:
    """A cause with its symptoms and what could be done about it."""
    seen = {"fingerprint": diagnosis.fingerprint, **of_finding(diagnosis.root)}
    seen["symptoms"] = [of_finding(f) for f in diagnosis.symptoms]
    if remedy is not None:
        seen["repair"] = of_remedy(remedy)
    return seen


def of_remedy(remedy: Remedy) -> View:
    """A plan in short, or why there is none."""
    plan = remedy.plan
    if plan is None:
        return {"strategy": None, "why": remedy.why_not}
    return {"strategy": plan.strategy, "why": plan.reason, "risk": plan.risk.name.lower()}


def of_finding(finding: Finding) -> View:
    """One finding."""
    return {
        "code": finding.code,
        "title": finding.title,
        "severity": finding.severity.name.lower(),
        "subject": of_ref(finding.subject),
        "about": of_ref(finding.about),
        "target": of_ref(finding.target),
        "message": finding.message,
        "count": finding.count,
        "confidence": finding.confidence,
        "evidence": [of_cite(c) for c in finding.evidence],
    }


def of_cite(cite: Cite) -> View:
    """One cited fact."""
    return {"object": of_ref(cite.ref), "path": cite.path, "value": cite.value}


def of_ref(ref: Ref) -> View:
    """An object's address."""
    return {"kind": ref.kind, "group": ref.group, "namespace": ref.namespace, "name": ref.name}


def of_not_judged(entry: NotJudged) -> View:
    """A rule that could not be applied."""
    return {"code": entry.code, "namespace": entry.namespace, "why": entry.why}


def of_plan(plan: Plan) -> View:
    """A plan with its hash and the risk as a word."""
    whole: View = msgspec.to_builtins(plan, str_keys=True)
    return {**whole, "risk": plan.risk.name.lower(), "hash": plan.hash}


def of_repair(repair: Repair) -> View:
    """A repair without the objects it changed: those may hold what not everybody should read."""
    return {
        "id": repair.id,
        "state": repair.state.value,
        "why": repair.why,
        "cluster": repair.cluster,
        "incident": repair.incident,
        "actor": repair.actor,
        "created_at": repair.created_at,
        "updated_at": repair.updated_at,
        "plan": of_plan(repair.plan),
    }


def of_snapshot(snapshot: Snapshot) -> View:
    """What a snapshot holds, in counts."""
    return {
        "cluster": snapshot.cluster,
        "taken_at": snapshot.taken_at,
        "namespace": snapshot.namespace,
        "objects": {kind.__name__: len(held) for kind, held in snapshot.objects.items()},
        "unread": [{"kind": u.kind, "namespace": u.namespace, "why": u.why} for u in snapshot.unread],
    }


def of_happened(event: Happened) -> View:
    """One thing that a detector tells."""
    seen: View = {"at": datetime.fromtimestamp(event.at, UTC), "what": event.what, "text": event.text}
    if event.incident is not None:
        seen["incident"] = msgspec.to_builtins(event.incident)
    if event.repair is not None:
        seen["repair"] = of_repair(event.repair)
    return seen


def of_record(record: Record) -> View:
    """One line of the audit trail."""
    at = datetime.fromtimestamp(record.at, UTC)
    return {
        "seq": record.seq,
        "at": at,
        "kind": record.kind,
        "actor": record.actor,
        "repair": record.repair,
        "detail": record.detail,
        "hash": record.hash,
    }
