"""A repair strategy: a pure planner for a class of faults."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import Obj
from kubemend.model.plan import Change, Declined, Evict, Patch, Plan, Scale, Verify
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot


@dataclass(frozen=True)
class Proposal:
    """What a planner returns: the changes and why. The strategy's name, risk and the diagnosis are added for it."""

    changes: tuple[Change, ...]
    reason: str
    confidence: float
    verify: Verify
    requires: tuple[Any, ...] = ()
    risk: Risk | None = None
    """A risk above the strategy's own, when this case calls for it."""


Planner = Callable[[Diagnosis, Snapshot], "Proposal | Declined"]


@dataclass(frozen=True)
class Strategy:
    """A planner with what it declares.

    cures: rule codes. order: lower is tried first. reads: kinds it plans from. uses: kinds that tell it more where
    they can be read. needs: RBAC its changes use.
    """

    planner: Planner
    cures: tuple[str, ...]
    risk: Risk
    order: int
    reads: tuple[type[Obj], ...]
    needs: frozenset[Access]
    uses: tuple[type[Obj], ...] = ()

    @property
    def id(self) -> str:
        """The strategy's name, kebab-case."""
        return self.planner.__name__.replace("_", "-")

    @property
    def doc(self) -> str:
        """The user's page."""
        return inspect.cleandoc(self.planner.__doc__ or "")

    def plan(self, diagnosis: Diagnosis, snapshot: Snapshot) -> Plan | Declined:
        """Plan a repair, or say why there is none."""
        if unread := _unread(self.reads, diagnosis, snapshot):
            return Declined(f"could not read {unread}, on which this repair depends")
        made = self.planner(diagnosis, snapshot)
        if isinstance(made, Declined):
            unread = _unread(self.uses, diagnosis, snapshot)
            return Declined(f"{made.why} (could not read {unread}, which might tell more)") if unread else made
        return Plan(
            strategy=self.id,
            code=diagnosis.root.code,
            fingerprint=diagnosis.fingerprint,
            target=diagnosis.target,
            changes=made.changes,
            reason=made.reason,
            risk=max(self.risk, made.risk or Risk.READ),
            confidence=min(made.confidence, diagnosis.root.confidence),
            verify=made.verify,
            requires=made.requires,
        ).canonical


def _unread(kinds: tuple[type[Obj], ...], diagnosis: Diagnosis, snapshot: Snapshot) -> str:
    """The names of those kinds that could not be read where the diagnosed object is."""
    return ", ".join(k.__name__ for k in kinds if not snapshot.was_read(k, diagnosis.target.namespace))


def strategy(
    *,
    cures: tuple[str, ...],
    risk: Risk,
    reads: tuple[type[Obj], ...],
    needs: set[Access],
    order: int = 50,
    uses: tuple[type[Obj], ...] = (),
) -> Callable[[Planner], Planner]:
    """Mark a function as a strategy; the function itself stays as it is."""

    def mark(planner: Planner) -> Planner:
        marked: Any = planner
        marked.__strategy__ = Strategy(planner, cures, risk, order, reads, frozenset(needs), uses)
        return planner

    return mark


def patch(obj: Obj, body: dict[str, Any]) -> Patch:
    """A strategic-merge patch of exactly this object (uid)."""
    return Patch(target=obj.ref, uid=obj.metadata.uid, body=body)


def scale(obj: Obj, *, was: int, replicas: int) -> Scale:
    """A new replica count for exactly this object (uid)."""
    return Scale(target=obj.ref, uid=obj.metadata.uid, was=was, replicas=replicas)


def evict(obj: Obj) -> Evict:
    """Eviction of exactly this pod (uid)."""
    return Evict(target=obj.ref, uid=obj.metadata.uid)


def container_patch(field: str, container: str, body: dict[str, Any], *, pod: bool = False) -> dict[str, Any]:
    """The strategic-merge body that changes one container of a pod template (of a pod itself with `pod`).

    field: "containers" or "initContainers"; both merge by name.
    """
    spec = {"spec": {field: [{"name": container, **body}]}}
    return spec if pod else {"spec": {"template": spec}}


def template_of(ref: Ref) -> tuple[str, ...]:
    """The JSON steps to the pod template of a workload kind."""
    return ("spec", "jobTemplate", "spec", "template") if ref.kind == "CronJob" else ("spec", "template")
