"""What a plan would make of the objects that are there now, by our own reading of the patch rules. Writes nothing."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from kubemend.kube.diff import changed, unified
from kubemend.kube.patch import merge, strategic
from kubemend.kube.redaction import redacted, text
from kubemend.model.objects import kind_of
from kubemend.model.plan import Change, Create, Delete, Evict, Exec, Patch, Plan, RollBack, Scale
from kubemend.model.repair import Repair, Step

if TYPE_CHECKING:
    from kubemend.cluster.reader import Reader

Object = dict[str, Any]


class Preview(Struct, frozen=True):
    """One change with the difference it makes: a unified diff of YAML, "" where there is none to show.

    For a rollback that can't be made any more it is a comment with the reason.
    """

    change: Change
    diff: str


async def previews(plan: Plan, reader: Reader, *, veil: bool = False) -> tuple[Preview, ...]:
    """The differences against the cluster as it is now. veil: without the values that look secret."""
    from kubemend.cluster.errors import NotFound  # noqa: PLC0415 - the room that is in use by now
    from kubemend.engine.guard.revision import NotItsRevision, resolved  # noqa: PLC0415 - likewise

    found = []
    for change in plan.changes:
        before = None if isinstance(change, Create) else await _live(change, reader)
        try:
            after = outcome(await resolved(change, before, reader), before)
        except (NotFound, NotItsRevision) as error:
            found.append(Preview(change, f"# {error.message}"))
        else:
            found.append(Preview(change, (veiled if veil else difference)(change, before, after)))
    return tuple(found)


async def _live(change: Change, reader: Reader) -> Object | None:
    from kubemend.cluster.errors import NotFound  # noqa: PLC0415 - the room that is in use by now

    try:
        return await reader.get(change.target)
    except NotFound:
        return None


def done(repair: Repair) -> tuple[Preview, ...]:
    """The differences that a repair has made, from the objects it kept; what it never reached gives none."""
    steps = [*repair.steps, *[Step()] * len(repair.plan.changes)]
    return tuple(
        Preview(change, "" if step.after is None else difference(change, step.before, step.after or None))
        for change, step in zip(repair.plan.changes, steps, strict=False)
    )


def outcome(change: Change, before: Object | None) -> Object | None:
    """The object as it should be after the change; None when it should be gone."""
    match change:
        case Create():
            return change.manifest
        case Patch() if before is not None:
            if change.kind == "merge":
                return merge(before, change.body)
            return strategic(before, change.body, kind=change.target.kind)
        case Scale() if before is not None:
            return merge(before, {"spec": {"replicas": change.replicas}})
        case _:
            return None


def difference(change: Change, before: Object | None, after: Object | None) -> str:
    """The unified diff. An eviction has none, for what it removes comes back by itself; neither has a command."""
    if isinstance(change, Exec):
        return f"# runs in container {change.container}: {shlex.join(change.command)}\n"
    return "" if isinstance(change, Evict) else unified(before, after, str(change.target))


def veiled(change: Change, before: Object | None, after: Object | None) -> str:
    """The same without what looks secret, for readers who may not see that. Where such a value differs, it says so."""
    if isinstance(change, (Evict, Exec)):
        return text(difference(change, None, None))
    shown = difference(change, redacted(before), redacted(after))
    if before is None or after is None:
        return shown
    seen = {path for path, _, _ in changed(redacted(before), redacted(after))}
    hidden = [path for path, _, _ in changed(before, after) if path not in seen]
    return shown + "".join(f"# a value that looks secret differs at {path}\n" for path in hidden)


def headline(change: Change) -> str:
    """The change in one line."""
    match change:
        case Scale():
            return f"scale {change.target} from {change.was} to {change.replicas}"
        case Evict():
            return f"evict {change.target}; its controller makes another"
        case RollBack():
            return f"roll back {change.target} to the template of {change.revision}"
        case Exec():
            return f"run a command in container {change.container} of {change.target}"
        case _:
            return f"{type(change).__name__.lower()} {change.target}"


async def as_files(plan: Plan, reader: Reader) -> list[Object]:
    """The plan as patch documents for whoever keeps the manifests: kustomize's strategic-merge form.

    An eviction is no state and has no document. Raises ClusterError when the revision to roll back to can't be had.
    """
    return [made for change in plan.changes if (made := _document(await _written(change, reader))) is not None]


async def _written(change: Change, reader: Reader) -> Change:
    """A rollback as a strategic-merge patch, which merges lists unless it is told to replace; any other as it is."""
    from kubemend.engine.guard.revision import resolved  # noqa: PLC0415 - the room that is in use by now

    if not isinstance(change, RollBack):
        return change
    before = await _live(change, reader)
    after = outcome(await resolved(change, before, reader), before) or {}
    template = {"$patch": "replace", **after["spec"]["template"]}
    return Patch(target=change.target, uid=change.uid, body={"spec": {"template": template}})


def _document(change: Change) -> Object | None:
    kind = kind_of(change.target)
    version = "v1" if kind is None else f"{kind.group}/{kind.version}".lstrip("/")
    meta = {"name": change.target.name}
    if change.target.namespace:
        meta["namespace"] = change.target.namespace
    head: Object = {"apiVersion": version, "kind": change.target.kind, "metadata": meta}
    match change:
        case Patch():
            return merge(head, change.body)
        case Scale():
            return {**head, "spec": {"replicas": change.replicas}}
        case Create():
            return change.manifest
        case Delete():
            return {**head, "$patch": "delete"}
        case Evict() | RollBack() | Exec():
            return None
