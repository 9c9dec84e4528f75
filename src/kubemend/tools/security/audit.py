"""The security audit: facts read once, and checks over them that each tell what fails and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal

from msgspec import Struct

from kubemend.cluster.errors import Forbidden, NotServed, TimedOut, Unreachable
from kubemend.kube.podsecurity import Level, Mode, judge
from kubemend.model.access import Access
from kubemend.model.objects import Ingress, Namespace, NetworkPolicy, Obj, Service, ServiceAccount
from kubemend.model.ref import Ref
from kubemend.tools.look import Look
from kubemend.tools.security import rights as rights_module
from kubemend.tools.security import runners as runners_module
from kubemend.tools.security.rights import Rights, read_rights
from kubemend.tools.security.runners import Runner, runners

_READ: tuple[type[Obj], ...] = (Namespace, NetworkPolicy, Ingress, Service)
NEEDS = frozenset({*runners_module.NEEDS, *rights_module.NEEDS, *(Access("list", k.plural, k.group) for k in _READ)})
"""What reading the facts takes."""

Severity = Literal["critical", "high", "medium", "low"]
WEIGHT: dict[str, int] = {"critical": 10, "high": 5, "medium": 2, "low": 1}
"""What a check counts in the score."""


@dataclass(frozen=True)
class Facts:
    """What was read. None: could not be read, so nothing is said about it."""

    namespace: str | None
    server: int
    runners: tuple[Runner, ...]
    namespaces: tuple[Namespace, ...] | None
    policies: tuple[NetworkPolicy, ...] | None
    ingresses: tuple[Ingress, ...] | None
    services: tuple[Service, ...] | None
    rights: Rights | None

    @cached_property
    def violated(self) -> dict[Level, dict[Ref, frozenset[str]]]:
        """The Pod Security checks that each template and pod fails at each level, judged once for all who ask."""
        return {
            level: {
                r.ref: frozenset(v.check for v in judge(r.subject, Mode(level), server=self.server))
                for r in self.runners
            }
            for level in (Level.BASELINE, Level.RESTRICTED)
        }

    @cached_property
    def defaults(self) -> dict[str, ServiceAccount]:
        """The default ServiceAccount of each namespace that has one, as far as they could be read."""
        accounts = (self.rights.accounts if self.rights is not None else None) or ()
        return {a.namespace: a for a in accounts if a.name == "default"}


class Finding(Struct, frozen=True):
    """A check that fails. objects: what fails it; of: how many were judged."""

    code: str
    category: str
    severity: Severity
    title: str
    objects: tuple[str, ...]
    count: int
    of: int
    fix: str


class Audit(Struct, frozen=True):
    """score: 0 to 100. passed: checks that nothing fails. not_judged: checks whose facts could not be read."""

    namespace: str
    taken_at: datetime
    score: float
    by_severity: dict[str, int]
    findings: tuple[Finding, ...]
    passed: tuple[str, ...]
    not_judged: tuple[str, ...]


Judged = tuple[Sequence[str], int]
"""What fails, and how many were judged."""


@dataclass(frozen=True)
class Check:
    """A question of the audit. judge: None when what it needs could not be read."""

    code: str
    category: str
    severity: Severity
    title: str
    fix: str
    judge: Callable[[Facts], Judged | None]


async def read_facts(cluster: Look, namespace: str | None) -> Facts:
    """Everything the checks ask for. Pods must be readable; all else may be missing."""
    return Facts(
        namespace=namespace,
        server=(await cluster.reader.version()).minor,
        runners=tuple(await runners(cluster, namespace)),
        namespaces=await cluster.beside(Namespace),
        policies=await cluster.beside(NetworkPolicy, namespace),
        ingresses=await cluster.beside(Ingress, namespace),
        services=await cluster.beside(Service, namespace),
        rights=await _rights(cluster),
    )


async def _rights(cluster: Look) -> Rights | None:
    try:
        return await read_rights(cluster)
    except (Forbidden, NotServed, TimedOut, Unreachable) as error:
        cluster.missing("RBAC", error.message)
        return None


def audit(facts: Facts, checks: Iterable[Check]) -> Audit:
    """All checks. The score is 100 less the weighted share of what fails:

    100 · (1 - Σ weight · failing / judged  /  Σ weight), over the checks that had something to judge.
    """
    judged = [(c, c.judge(facts)) for c in checks]
    asked = [(c, told) for c, told in judged if told is not None and told[1]]
    findings = sorted((_finding(c, *told) for c, told in asked if told[0]), key=lambda f: (-WEIGHT[f.severity], f.code))
    lost = sum(WEIGHT[c.severity] * len(failing) / of for c, (failing, of) in asked)
    total = sum(WEIGHT[c.severity] for c, _ in asked)
    return Audit(
        namespace=facts.namespace or "all",
        taken_at=datetime.now(UTC),
        score=round(100 * (1 - lost / total), 1) if total else 100.0,
        by_severity={s: sum(f.severity == s for f in findings) for s in WEIGHT},
        findings=tuple(findings),
        passed=tuple(c.code for c, told in judged if told is not None and not told[0]),
        not_judged=tuple(c.code for c, told in judged if told is None),
    )


def _finding(check: Check, failing: Sequence[str], of: int) -> Finding:
    objects = tuple(sorted(failing))
    return Finding(check.code, check.category, check.severity, check.title, objects, len(objects), of, check.fix)


def shown(names: Sequence[str], most: int) -> Iterator[str]:
    """The first of some names, and how many more there are."""
    yield from names[:most]
    if len(names) > most:
        yield f"and {len(names) - most} more"
