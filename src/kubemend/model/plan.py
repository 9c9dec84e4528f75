"""What a strategy proposes: typed changes with their reason, bound to one hash."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec
from msgspec import Struct

from kubemend.model.access import Risk
from kubemend.model.finding import Cite
from kubemend.model.ref import Ref


class Patch(Struct, frozen=True, kw_only=True, tag="patch", tag_field="op"):
    """Change fields of one object.

    body: a strategic-merge patch (kind "strategic"; built-in kinds) or a JSON merge patch (RFC 7386, "merge").
    It never names metadata.uid or metadata.resourceVersion: the guard adds both as preconditions.
    """

    target: Ref
    uid: str
    body: dict[str, Any]
    kind: Literal["strategic", "merge"] = "strategic"


class Scale(Struct, frozen=True, kw_only=True, tag="scale", tag_field="op"):
    """Set replicas through the scale subresource."""

    target: Ref
    uid: str
    replicas: int
    was: int


class Evict(Struct, frozen=True, kw_only=True, tag="evict", tag_field="op"):
    """Evict one managed pod (policy/v1 Eviction), so that its controller makes another.

    patience_s: how long a PodDisruptionBudget may hold it back, as `kubectl drain` waits for one.
    """

    target: Ref
    uid: str
    patience_s: float = 0.0


class Create(Struct, frozen=True, kw_only=True, tag="create", tag_field="op"):
    """Create one object from a manifest."""

    target: Ref
    manifest: dict[str, Any]


class Delete(Struct, frozen=True, kw_only=True, tag="delete", tag_field="op"):
    """Delete one object; undo creates it anew from the snapshot, where that takes anything back.

    grace: seconds that a pod gets to end; its own when None.
    """

    target: Ref
    uid: str
    grace: int | None = None


class Exec(Struct, frozen=True, kw_only=True, tag="exec", tag_field="op"):
    """Run a command in a container of one pod, once. What it does in there is not known, and can't be taken back."""

    target: Ref
    uid: str
    container: str
    command: tuple[str, ...]
    within_s: float = 30.0


class RollBack(Struct, frozen=True, kw_only=True, tag="rollback", tag_field="op"):
    """Give a workload the whole pod template of one of its revisions: ReplicaSets, or ControllerRevisions.

    Snapshots hold a part of a template only, so the guard reads both raw when it writes.
    """

    target: Ref
    uid: str
    revision: Ref
    revision_uid: str


Change = Patch | RollBack | Scale | Evict | Create | Delete | Exec


class Verify(Struct, frozen=True, kw_only=True):
    """How the guard proves that the plan worked.

    healthy: objects that must be complete and ready.
    within_s: seconds until they must be, beyond which the plan is rolled back.
    steady_s: seconds they must then stay so, with no new restart.
    gone: also require that the root finding no longer fires on the target (always true but for restarts).
    replaced: so many pods that the target made since must be ready; for changes that are not to mend the rest of it.
    """

    healthy: tuple[Ref, ...]
    within_s: float = 120.0
    steady_s: float = 3.0
    gone: bool = True
    replaced: int = 0


class Plan(Struct, frozen=True, kw_only=True):
    """Concrete changes for one diagnosed fault."""

    strategy: str
    code: str
    fingerprint: str
    target: Ref
    changes: tuple[Change, ...]
    reason: str
    risk: Risk
    confidence: float
    verify: Verify
    requires: tuple[Cite, ...] = ()
    """Facts the plan rests on; each must still hold on a fresh read."""

    def __post_init__(self) -> None:
        if not self.changes:
            raise ValueError(f"{self.strategy}: a plan changes something; decline instead")

    @property
    def hash(self) -> str:
        """64 hex digits over everything an approval covers. Equal plans have equal hashes."""
        return hashlib.sha256(msgspec.json.encode(self.canonical, order="deterministic")).hexdigest()

    @property
    def canonical(self) -> Plan:
        """This plan as it comes back from the ledger: lists for tuples in bodies, floats for whole seconds."""
        return msgspec.json.decode(msgspec.json.encode(self), type=Plan)


class Declined(Struct, frozen=True):
    """Why a strategy has nothing to offer here."""

    why: str
