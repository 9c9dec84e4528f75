"""A repair as a persisted state machine, and the incident it belongs to."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from msgspec import Struct

from kubemend.model.plan import Plan


class State(enum.StrEnum):
    """Where a repair stands. It is written down before the step it names begins."""

    PROPOSED = "proposed"
    AWAITING_APPROVAL = "awaiting_approval"
    PREFLIGHT = "preflight"
    SNAPSHOTTED = "snapshotted"
    APPLYING = "applying"
    VERIFYING = "verifying"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    REFUSED = "refused"
    FAILED = "failed"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    ESCALATED = "escalated"


NEXT: dict[State, frozenset[State]] = {
    State.PROPOSED: frozenset({State.AWAITING_APPROVAL, State.PREFLIGHT, State.REFUSED, State.REJECTED}),
    State.AWAITING_APPROVAL: frozenset({State.PREFLIGHT, State.REJECTED, State.REFUSED}),
    State.PREFLIGHT: frozenset({State.SNAPSHOTTED, State.REFUSED, State.ESCALATED}),
    State.SNAPSHOTTED: frozenset({State.APPLYING, State.PREFLIGHT, State.REFUSED}),
    State.APPLYING: frozenset({State.VERIFYING, State.FAILED, State.ROLLING_BACK, State.ESCALATED}),
    State.VERIFYING: frozenset({State.SUCCEEDED, State.ROLLING_BACK, State.ESCALATED}),
    State.SUCCEEDED: frozenset({State.ROLLING_BACK}),
    State.ROLLING_BACK: frozenset({State.ROLLED_BACK, State.ESCALATED}),
    State.REJECTED: frozenset(),
    State.REFUSED: frozenset(),
    State.FAILED: frozenset(),
    State.ROLLED_BACK: frozenset(),
    State.ESCALATED: frozenset({State.ROLLING_BACK}),
}
"""Which state may follow which. `succeeded` and `escalated → rolling_back` are a person's undo."""

OPEN = frozenset({State.PREFLIGHT, State.SNAPSHOTTED, State.APPLYING, State.VERIFYING, State.ROLLING_BACK})
"""States in which a repair holds its target: at most one repair of an object is in one of these."""

MUTATING = frozenset({State.APPLYING, State.VERIFYING, State.ROLLING_BACK})
"""States in which the cluster may already differ from before the repair."""


class Step(Struct, frozen=True, kw_only=True):
    """One change of a repair as it was carried out: the whole object before and after, for undo.

    planned: the object as the server's dry run made it of `before`. sent: the write was announced, and what came of
    it isn't known: a process died, or an answer was lost.
    """

    before: dict[str, Any] | None = None
    planned: dict[str, Any] | None = None
    sent: bool = False
    after: dict[str, Any] | None = None
    undone: bool = False


class Baseline(Struct, frozen=True, kw_only=True):
    """What was already so before the first write, so that verification blames a repair for nothing older.

    faults: keys of findings. pods: uids of the target's pods.
    """

    faults: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()


class Repair(Struct, frozen=True, kw_only=True):
    """One plan on its way."""

    id: str
    cluster: str
    incident: str
    plan: Plan
    state: State
    created_at: datetime
    updated_at: datetime
    actor: str = ""
    why: str = ""
    """The reason for the state it is in, in one sentence."""
    steps: tuple[Step, ...] = ()
    baseline: Baseline = Baseline()
    undo: bool = False
    """Whether a person asked for the rollback under way."""


class Phase(enum.StrEnum):
    """Where an incident stands."""

    OPENED = "opened"
    REPAIRING = "repairing"
    VERIFYING = "verifying"
    RESOLVED = "resolved"
    ESCALATED = "escalated"


class Incident(Struct, frozen=True, kw_only=True):
    """A diagnosed fault over time on one owner workload."""

    id: str
    cluster: str
    fingerprint: str
    code: str
    title: str
    subject: str
    namespace: str
    phase: Phase
    message: str
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None = None
    reopened: int = 0
