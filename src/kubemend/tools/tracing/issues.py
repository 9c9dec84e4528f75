"""What can be wrong at a hop of a request's way, and how the hops are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

Component = Literal["ingress", "gateway", "service", "endpoints", "pod", "node"]
Severity = Literal["critical", "high", "medium"]
WAY: tuple[Component, ...] = ("ingress", "gateway", "service", "endpoints", "pod", "node")
"""The hops in the order in which a request takes them."""


class Issue(Struct, frozen=True):
    """Something wrong. critical: nothing gets through; high: a part does not; medium: it may not."""

    severity: Severity
    component: Component
    object: str
    message: str
    fix: str = ""


class Hop(Struct, frozen=True):
    """One hop. health: "ok", "degraded", "broken", "unused" (nothing of the kind leads here) or "unknown"."""

    hop: Component
    health: str
    objects: tuple[str, ...]
    issues: tuple[Issue, ...]


def hops(issues: Sequence[Issue], objects: dict[Component, tuple[str, ...] | None]) -> tuple[Hop, ...]:
    """The way as hops; objects: what stands at each, None where it could not be read."""
    return tuple(_hop(name, tuple(i for i in issues if i.component == name), objects.get(name, ())) for name in WAY)


def _hop(name: Component, issues: tuple[Issue, ...], objects: tuple[str, ...] | None) -> Hop:
    if any(i.severity == "critical" for i in issues):
        health = "broken"
    elif issues:
        health = "degraded"
    elif objects is None:
        health = "unknown"
    else:
        health = "ok" if objects else "unused"
    return Hop(name, health, objects or (), issues)


def health_of(issues: Iterable[Issue]) -> str:
    """ "critical", "degraded" or "healthy": the word for the whole way."""
    severities = {i.severity for i in issues}
    return "critical" if "critical" in severities else "degraded" if severities else "healthy"
