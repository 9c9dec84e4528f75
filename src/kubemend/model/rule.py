"""A diagnosis rule: a pure function of a snapshot, with a stable code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from kubemend.model.finding import Finding, Observation, Severity
from kubemend.model.objects import Obj
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot

Judge = Callable[[Snapshot], Iterator[Observation]]


@dataclass(frozen=True)
class Rule:
    """A rule function with what it declares.

    reads: kinds without which it can't judge. uses: kinds that help if they are there. spreads: whether a change to
    one workload can bring this fault upon others on the same node (but for a finding with the fact `alone`: it would
    be there without any others). whole: whether it looks at all namespaces together; any other finds the same when it
    is shown one namespace after the other.
    """

    code: str
    judge: Judge
    severity: Severity
    reads: tuple[type[Obj], ...]
    uses: tuple[type[Obj], ...]
    explains: frozenset[str]
    spreads: bool = False
    whole: bool = False

    @property
    def id(self) -> str:
        """The fault's name, kebab-case."""
        return self.judge.__name__.replace("_", "-")

    @cached_property
    def doc(self) -> str:
        """The user's page."""
        return inspect.cleandoc(self.judge.__doc__ or "")

    @cached_property
    def title(self) -> str:
        """The first line of the doc, without its full stop."""
        return self.doc.partition("\n")[0].removesuffix(".")

    def findings(self, snapshot: Snapshot) -> Iterator[Finding]:
        """Run the rule and stamp what it yields."""
        for seen in self.judge(snapshot):
            subject = seen.target or _top(snapshot, seen.about)
            yield Finding(
                code=self.code,
                title=self.title,
                severity=self.severity,
                about=seen.about,
                subject=_top(snapshot, seen.about),
                target=subject,
                message=seen.says,
                evidence=seen.evidence,
                confidence=seen.confidence,
                facts=seen.facts,
                affects=seen.affects,
                depends=seen.depends,
            )


def _top(snapshot: Snapshot, ref: Ref) -> Ref:
    obj = snapshot.find(ref)
    return ref if obj is None else snapshot.top(obj).ref


class Marked(Protocol):
    """A function that carries its rule."""

    __rule__: Rule


def rule(
    code: str,
    *,
    severity: Severity,
    reads: tuple[type[Obj], ...],
    uses: tuple[type[Obj], ...] = (),
    explains: tuple[str, ...] = (),
    spreads: bool = False,
    whole: bool = False,
) -> Callable[[Judge], Judge]:
    """Mark a function as a rule; the function itself stays as it is.

    explains: codes of rules whose findings on the same workload (or on what the observation `affects`) are
    only symptoms of this one.
    """

    def mark(judge: Judge) -> Judge:
        marked: Any = judge
        marked.__rule__ = Rule(code, judge, severity, reads, uses, frozenset(explains), spreads, whole)
        return judge

    return mark
