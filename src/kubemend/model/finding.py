"""What a rule says it saw, and what the judge makes of it."""

from __future__ import annotations

import enum
import hashlib
from typing import Any

import msgspec
from msgspec import Struct

from kubemend.model.objects import Obj
from kubemend.model.pointer import at, pointer
from kubemend.model.ref import Ref

Fact = str | int | float | bool | tuple[str, ...] | None
"""A typed parameter that a rule hands to strategies. Never free text from the cluster."""


class Severity(enum.IntEnum):
    """How bad it is, mildest first."""

    INFO = 0
    WARNING = 1
    ERROR = 2
    CRITICAL = 3


class Cite(Struct, frozen=True):
    """One fact a finding rests on: the object, the JSON Pointer in it, and the value read there."""

    ref: Ref
    path: str
    value: Any


def cite(obj: Obj, *steps: str | int) -> Cite:
    """Cite what stands in `obj` at these steps (JSON field names and indexes). The value is read, so it is true."""
    path = pointer(*steps)
    return Cite(obj.ref, path, plain(at(obj, path)))


def plain(value: Any) -> Any:
    """A value as JSON would hold it."""
    return msgspec.to_builtins(value, str_keys=True)


class Observation(Struct, frozen=True, kw_only=True):
    """What a rule yields. The rule's code and severity are added by the rule itself.

    about: the object the fault shows on.
    says: one sentence with numbers, without a final full stop.
    evidence: at least one citation.
    target: the object a repair would change, if it is not the topmost controller of `about`.
    facts: typed parameters for strategies (container name, bytes, port, key …).
    affects: objects whose faults this one explains, beside those of the same workload.
    depends: objects whose faults would explain this one (the workloads behind a Service …).
    """

    about: Ref
    says: str
    evidence: tuple[Cite, ...]
    target: Ref | None = None
    confidence: float = 0.9
    facts: dict[str, Fact] = {}
    affects: tuple[Ref, ...] = ()
    depends: tuple[Ref, ...] = ()


class Finding(Struct, frozen=True, kw_only=True):
    """One observed fault. `subject` is the workload (or other object) it counts against; `target` is what to repair."""

    code: str
    title: str
    severity: Severity
    about: Ref
    subject: Ref
    target: Ref
    message: str
    evidence: tuple[Cite, ...]
    confidence: float
    facts: dict[str, Fact] = {}
    affects: tuple[Ref, ...] = ()
    depends: tuple[Ref, ...] = ()
    count: int = 1
    """How many objects show it (pods of one workload are counted, not repeated)."""

    @property
    def key(self) -> str:
        """What makes two findings the same fault on the same workload."""
        return f"{self.code}|{self.subject}|{self.facts.get('container') or ''}"


class NotJudged(Struct, frozen=True, order=True):
    """A rule that could not be applied, and why: never to be read as "no fault"."""

    code: str
    why: str
    namespace: str = ""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """A cause with its symptoms."""

    root: Finding
    symptoms: tuple[Finding, ...] = ()

    @property
    def target(self) -> Ref:
        """The object a repair would change."""
        return self.root.target

    @property
    def fingerprint(self) -> str:
        """Stable id of this fault on this workload: 12 hex digits."""
        return hashlib.sha256(self.root.key.encode()).hexdigest()[:12]


class Report(Struct, frozen=True, kw_only=True):
    """All that the judge made of one snapshot."""

    diagnoses: tuple[Diagnosis, ...] = ()
    not_judged: tuple[NotJudged, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, causes before their symptoms."""
        return tuple(f for d in self.diagnoses for f in (d.root, *d.symptoms))
