"""The checks between a plan and its first write. Every one that fails is a reason to refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from kubemend.cluster.errors import ClusterError, Conflict
from kubemend.cluster.reader import Reader
from kubemend.engine.guard.capacity import shortages
from kubemend.engine.guard.hands import MARK, Hands, expected, permissions
from kubemend.engine.guard.identity import authored, typed, untouched
from kubemend.engine.guard.ownership import owner_of
from kubemend.kube.diff import changed
from kubemend.kube.privileges import privileges
from kubemend.kube.recreation import gone_for_good
from kubemend.kube.rollout import RESTARTED_AT, restarting
from kubemend.model.access import Risk
from kubemend.model.finding import plain
from kubemend.model.objects import HorizontalPodAutoscaler, kind_of
from kubemend.model.plan import Change, Create, Delete, Evict, Exec, Patch, Plan, RollBack, Scale
from kubemend.model.pointer import at, pointer
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot

Object = dict[str, Any]

_NOTES = pointer("spec", "template", "metadata", "annotations")

CONFLICTS = 8
"""How often a dry run is repeated when only status moved the object's version: a crash-looping pod does so often."""


class Check(Struct, frozen=True):
    """One question and its answer. `ok` False refuses the plan; `why` says what was seen.

    planned: of a dry run, the whole object as the server made it, by the change's index.
    """

    name: str
    ok: bool
    why: str
    planned: Mapping[int, Object] = {}


async def checks(
    plan: Plan, before: Mapping[int, Object | None], snapshot: Snapshot, *, reader: Reader, hands: Hands, repair: str
) -> AsyncIterator[Check]:
    """Ask everything that must be true before the first write; `before` holds the fresh objects by change."""
    deleted: set[Ref] = set()
    for index, change in enumerate(plan.changes):
        # What an earlier change of this plan deletes is out of a later one's way.
        yield _same_object(change, None if change.target in deleted else before[index])
        if isinstance(change, Delete):
            deleted.add(change.target)
    for check in _still_true(plan, before, snapshot):
        yield check
    for index, change in enumerate(plan.changes):
        yield _nobody_elses(change, before[index], snapshot)
    for change in plan.changes:
        async for check in _permitted(change, reader):
            yield check
    for index, change in enumerate(plan.changes):
        async for check in _dry_run(index, change, before[index], snapshot, hands, repair=repair, risk=plan.risk):
            yield check


def _same_object(change: Change, live: Object | None) -> Check:
    name = f"target {change.target}"
    if isinstance(change, Create):
        return Check(name, live is None, "free" if live is None else "an object of that name is there already")
    if live is None:
        return Check(name, ok=False, why="it is gone")
    uid = live["metadata"]["uid"]
    if uid != change.uid:
        return Check(name, ok=False, why=f"it was replaced: uid {uid}, diagnosed was {change.uid}")
    if live["metadata"].get("deletionTimestamp"):
        return Check(name, ok=False, why="it is being deleted")
    return Check(name, ok=True, why=f"uid {uid}, version {live['metadata']['resourceVersion']}")


def _still_true(plan: Plan, before: Mapping[int, Object | None], snapshot: Snapshot) -> list[Check]:
    fresh: dict[Ref, Object | None] = {c.target: before[i] for i, c in enumerate(plan.changes)}
    found = []
    for fact in plan.requires:
        held: Any = fresh.get(fact.ref) or snapshot.find(fact.ref)
        now = plain(at(held, fact.path))
        why = "holds" if now == fact.value else f"was {fact.value!r}, is {now!r}"
        found.append(Check(f"fact {fact.ref} {fact.path}", now == fact.value, why))
    return found


def _nobody_elses(change: Change, live: Object | None, snapshot: Snapshot) -> Check:
    name = f"owner of {change.target}"
    if live is not None and not _undisputed(change, live) and (owner := owner_of(live)) is not None:
        return Check(name, ok=False, why=f"managed by {owner}; make the change there (kubemend fix -o patch prints it)")
    if isinstance(change, Scale):
        for autoscaler in snapshot.all(HorizontalPodAutoscaler, change.target.namespace):
            aim, spec = autoscaler.spec.scale_target_ref, autoscaler.spec
            if (aim.kind, aim.name) == (change.target.kind, change.target.name) and not (
                spec.min_replicas <= change.replicas <= spec.max_replicas
            ):
                return Check(name, ok=False, why=f"HorizontalPodAutoscaler {autoscaler.name} owns its replicas")
    return Check(name, ok=True, why="nobody else's")


def _undisputed(change: Change, live: Object) -> bool:
    """Whether an owner wouldn't have it otherwise: pods that are made anew or have ended, and the mark of a restart.

    Pods bear the marks of their owner's charts, since templates do. A field that is in nobody's manifests is reverted
    by nobody, so `kubectl rollout restart` is usual on what Helm or Argo CD owns.
    """
    match change:
        case Evict() | Exec():
            return True
        case Delete():
            return gone_for_good(live) is not None
        case Patch():
            held: Any = at(change.body, _NOTES)
            return isinstance(held, dict) and change.body == restarting(held.get(RESTARTED_AT, ""))
        case _:
            return False


async def _permitted(change: Change, reader: Reader) -> AsyncIterator[Check]:
    for access in permissions(change, await plural_of(change, reader)):
        answer = await reader.allowed(access, namespace=change.target.namespace)
        name = f"permission {access.verb} {access.resource}"
        hint = answer.reason or "no role allows it (kubemend rbac fixer prints one)"
        yield Check(name, answer.allowed, "allowed" if answer.allowed else hint)


async def plural_of(change: Change, reader: Reader) -> str:
    """How the API server's rules call the kind of a change's target; "" for a kind that we have a Struct for."""
    return "" if kind_of(change.target) is not None else (await reader.locate(change.target)).plural


async def _dry_run(
    index: int, change: Change, before: Object | None, snapshot: Snapshot, hands: Hands, *, repair: str, risk: Risk
) -> AsyncIterator[Check]:
    name = f"server dry run of {type(change).__name__.lower()} {change.target}"
    try:
        written = await hands.resolved(change, before)
        result = await _rehearsed(written, before, hands, repair)
    except ClusterError as error:
        yield Check(name, ok=False, why=error.message)
        return
    if not isinstance(written, (Patch, Scale)) or before is None:
        why = "can't be rehearsed: it runs once" if isinstance(written, Exec) else "accepted"
        yield Check(name, ok=True, why=why)
        return
    if isinstance(written, Scale):
        result = {**before, "spec": {**before["spec"], "replicas": written.replicas}}
        noop = before["spec"].get("replicas") == written.replicas
        yield Check(name, not noop, "would change nothing" if noop else "accepted")
    else:
        compared = _as_planned(name, written, before, result, repair)
        yield msgspec.structs.replace(compared, planned={index: result})
    if isinstance(change, RollBack):
        yield _privileges(change, before, result, risk)
    for shortage in _shortages(change.target, before, result, snapshot):
        yield Check("capacity", ok=False, why=shortage)


async def _rehearsed(change: Change, before: Object | None, hands: Hands, repair: str) -> Object:
    """The server's answer to the dry run. A version that only status moved on is no reason to refuse."""
    live = before
    for _ in range(CONFLICTS):
        try:
            return await hands.write(change, live, repair=repair, dry_run=True)
        except Conflict:
            live = await hands.live(change.target)
            if not untouched(change, before, live):
                raise
    return await hands.write(change, live, repair=repair, dry_run=True)


def _as_planned(name: str, change: Patch, before: Object, result: Object, repair: str) -> Check:
    mark = pointer("metadata", "annotations", MARK)
    differs = [p for p, _, _ in changed(before, result) if not _within(p, mark) and not _within(mark, p)]
    if not differs:
        return Check(name, ok=False, why="would change nothing")
    # The server may fill in defaults below what was asked for, and keep its own count of a DaemonSet's templates; it
    # may not change what was there or was asked.
    wanted = authored(expected(change, before, repair))
    strange = [p for p, ours, _ in changed(wanted, authored(result)) if ours is not None]
    if strange:
        return Check(name, ok=False, why=f"the server would make something else of it at {', '.join(strange)}")
    return Check(name, ok=True, why=f"accepted; changes {', '.join(differs)}")


def _privileges(change: RollBack, before: Object, result: Object, risk: Risk) -> Check:
    """Snapshots don't hold all that a template grants, so the strategy may have thought less of the risk than it is."""
    name = f"privileges of {change.target}"
    found = ", ".join(privileges(before["spec"]["template"], result["spec"]["template"]))
    if found and risk < Risk.HIGH:
        why = f"{change.revision} has other privileges ({found}); kubectl rollout undo would give them"
        return Check(name, ok=False, why=why)
    return Check(name, ok=True, why=f"others, as the risk says: {found}" if found else "the same")


def _within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


def _shortages(target: Ref, before: Object, after: Object, snapshot: Snapshot) -> list[str]:
    was, is_ = typed(target, before), typed(target, after)
    return [] if was is None or is_ is None else list(shortages(was, is_, snapshot))
