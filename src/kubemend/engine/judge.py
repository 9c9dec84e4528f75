"""The judge: rules over a snapshot, findings joined into causes."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Iterable

import msgspec

from kubemend.model.finding import Diagnosis, Finding, NotJudged, Report
from kubemend.model.ref import Ref
from kubemend.model.rule import Rule
from kubemend.model.snapshot import Snapshot

log = logging.getLogger(__name__)


def judge(snapshot: Snapshot, rules: Iterable[Rule]) -> Report:
    """Apply every rule that can be applied and tell causes from symptoms.

    A rule whose kinds were not read, or that fails, is listed as not judged; where only some namespaces are missing
    it judges the rest and is listed for those.
    """
    rules = tuple(rules)
    blind = unjudged(snapshot, rules)
    made = [(rule, *applied(rule, snapshot)) for rule in rules if not is_blind(rule, blind)]
    findings = [f for _, found, _ in made for f in found]
    failed = (NotJudged(rule.code, why) for rule, _, why in made if why)
    return Report(diagnoses=joined(findings, rules), not_judged=tuple(sorted((*blind, *failed))))


def applied(rule: Rule, snapshot: Snapshot) -> tuple[tuple[Finding, ...], str]:
    """What a rule finds, or why it failed: one rule's mistake must not keep all others from judging."""
    try:
        return tuple(rule.findings(snapshot)), ""
    except Exception as error:
        log.exception("rule %s failed", rule.code)
        return (), f"the rule failed, which is a mistake in it: {type(error).__name__}: {error}"


def unjudged(snapshot: Snapshot, rules: Iterable[Rule]) -> tuple[NotJudged, ...]:
    """The rules that can't be applied, wholly or in some namespace, and why."""
    return tuple(sorted(n for rule in rules for n in _missing(rule, snapshot)))


def is_blind(rule: Rule, blind: Iterable[NotJudged]) -> bool:
    """Whether a rule can't be applied at all."""
    return any(n.code == rule.code and n.namespace == "" for n in blind)


def joined(findings: Iterable[Finding], rules: Iterable[Rule]) -> tuple[Diagnosis, ...]:
    """Findings as causes with their symptoms, worst first. The order in which they were found doesn't matter."""
    return tuple(_diagnose(_merge(findings), {r.code: r.explains for r in rules}))


def _missing(rule: Rule, snapshot: Snapshot) -> list[NotJudged]:
    failed = {u.kind for u in snapshot.unread}
    wanted = {k.__name__ for k in rule.reads}
    never = [k for k in rule.reads if k not in snapshot.objects and k.__name__ not in failed]
    return [NotJudged(rule.code, f"{k.plural} were not read") for k in never] + [
        NotJudged(rule.code, f"could not read {u.kind}: {u.why}", u.namespace)
        for u in snapshot.unread
        if u.kind in wanted
    ]


def _merge(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each fault of each workload, ordered; the surest (then first) speaks for all."""
    by_key: dict[str, list[Finding]] = {}
    for f in findings:
        by_key.setdefault(f.key, []).append(f)
    return [
        msgspec.structs.replace(max(same, key=lambda f: f.confidence), count=len(same))
        for _, same in sorted(by_key.items())
    ]


def _diagnose(findings: list[Finding], explains: dict[str, frozenset[str]]) -> list[Diagnosis]:
    """Hang every finding that another explains below its cause; what nothing explains is a cause."""
    causes = _causes(findings, explains)
    # Two faults that explain one another (both found by looking at the same pods): the surer one is the cause.
    roots = {i for i, f in enumerate(findings) if all(i in causes[c] and _surer(f, findings[c]) for c in causes[i])}
    symptoms: dict[int, list[Finding]] = {r: [] for r in roots}
    for i, f in enumerate(findings):
        if i not in roots and (root := _root(i, causes, roots)) is not None:
            symptoms[root].append(f)
    ordered = sorted(roots, key=lambda r: (-findings[r].severity, findings[r].subject, findings[r].code, r))
    return [Diagnosis(root=findings[r], symptoms=tuple(symptoms[r])) for r in ordered]


def _causes(findings: list[Finding], explains: dict[str, frozenset[str]]) -> list[list[int]]:
    """For each finding those that explain it: of a code that does, about an object that it depends on."""
    showing: dict[Ref, list[int]] = defaultdict(list)
    for i, f in enumerate(findings):
        for ref in {f.subject, f.target, f.about, *f.depends}:
            showing[ref].append(i)
    causes: list[list[int]] = [[] for _ in findings]
    for i, f in enumerate(findings):
        if wanted := explains.get(f.code):
            touched = {f.subject, f.target, f.about, *f.affects}
            for effect in {e for ref in touched for e in showing.get(ref, ()) if findings[e].code in wanted} - {i}:
                causes[effect].append(i)
    return causes


def _surer(one: Finding, other: Finding) -> bool:
    return (-one.confidence, one.code) < (-other.confidence, other.code)


def _root(finding: int, causes: list[list[int]], roots: set[int]) -> int | None:
    """The nearest root from which a finding can be explained."""
    seen, queue = {finding}, deque(causes[finding])
    while queue:
        cause = queue.popleft()
        if cause in roots:
            return cause
        if cause not in seen:
            seen.add(cause)
            queue += causes[cause]
    return None
