"""The judge: rules over a snapshot, findings joined into causes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubemend.model.finding import Diagnosis, Finding, NotJudged, Report
from kubemend.model.ref import Ref
from kubemend.model.rule import Rule
from kubemend.model.snapshot import Snapshot


def judge(snapshot: Snapshot, rules: Iterable[Rule]) -> Report:
    """Apply every rule that can be applied and tell causes from symptoms.

    A rule whose kinds were not read is listed as not judged; where only some namespaces are missing it judges
    the rest and is listed for those.
    """
    findings: list[Finding] = []
    not_judged: list[NotJudged] = []
    rules = tuple(rules)
    for rule in rules:
        missing = _missing(rule, snapshot)
        not_judged += missing
        if not any(m.namespace == "" for m in missing):
            findings += rule.findings(snapshot)
    merged = _merge(findings)
    explains = {r.code: r.explains for r in rules}
    return Report(diagnoses=tuple(_diagnose(merged, explains)), not_judged=tuple(sorted(not_judged)))


def _missing(rule: Rule, snapshot: Snapshot) -> list[NotJudged]:
    failed = {u.kind for u in snapshot.unread}
    wanted = {k.__name__ for k in rule.reads}
    never = [k for k in rule.reads if k not in snapshot.objects and k.__name__ not in failed]
    return [NotJudged(rule.code, f"{k.plural} were not read") for k in never] + [
        NotJudged(rule.code, f"could not read {u.kind}: {u.why}", u.namespace)
        for u in snapshot.unread
        if u.kind in wanted
    ]


def _merge(findings: list[Finding]) -> list[Finding]:
    """One finding for each fault of each workload; the surest (then first) speaks for all."""
    by_key: dict[str, list[Finding]] = {}
    for f in findings:
        by_key.setdefault(f.key, []).append(f)
    return [msgspec.structs.replace(max(same, key=lambda f: f.confidence), count=len(same)) for same in by_key.values()]


def _diagnose(findings: list[Finding], explains: dict[str, frozenset[str]]) -> list[Diagnosis]:
    """Hang every finding that another explains below its cause; what nothing explains is a cause."""
    causes = {f.key: [c for c in findings if c is not f and _explains(c, f, explains)] for f in findings}
    # Two faults that explain one another (both found by looking at the same pods): the surer one is the cause.
    roots = [f for f in findings if not causes[f.key] or all(_mutual(f, c, causes) for c in causes[f.key])]
    symptoms: dict[str, list[Finding]] = {r.key: [] for r in roots}
    for f in findings:
        if f.key not in symptoms and (root := _root(f, causes, symptoms)) is not None:
            symptoms[root.key].append(f)
    ordered = sorted(roots, key=lambda r: (-r.severity, r.subject, r.code))
    return [Diagnosis(root=r, symptoms=tuple(symptoms[r.key])) for r in ordered]


def _explains(cause: Finding, effect: Finding, explains: dict[str, frozenset[str]]) -> bool:
    return effect.code in explains.get(cause.code, ()) and _related(cause, effect)


def _related(cause: Finding, effect: Finding) -> bool:
    touched: set[Ref] = {cause.subject, cause.target, cause.about, *cause.affects}
    return bool(touched & {effect.subject, effect.target, effect.about, *effect.depends})


def _mutual(finding: Finding, cause: Finding, causes: dict[str, list[Finding]]) -> bool:
    if finding not in causes[cause.key]:
        return False
    return (-finding.confidence, finding.code) < (-cause.confidence, cause.code)


def _root(finding: Finding, causes: dict[str, list[Finding]], roots: dict[str, list[Finding]]) -> Finding | None:
    seen, queue = {finding.key}, list(causes[finding.key])
    while queue:
        cause = queue.pop(0)
        if cause.key in roots:
            return cause
        if cause.key not in seen:
            seen.add(cause.key)
            queue += causes[cause.key]
    return None
