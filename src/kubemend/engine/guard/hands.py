"""The only place that changes a cluster. Nothing else in the program imports the client's write methods."""

from __future__ import annotations

import copy
from typing import Any

from kubemend.cluster.errors import READ_BACK, AlreadyExists, ClusterError, NotFound, OutcomeUnknown
from kubemend.cluster.reader import Reader
from kubemend.cluster.transport import Transport
from kubemend.cluster.writer import Writer
from kubemend.engine.guard import revision
from kubemend.engine.guard.identity import CONTROLLERS
from kubemend.kube.patch import inverse, strategic
from kubemend.kube.patch import merge as merge_patch
from kubemend.kube.recreation import manifest
from kubemend.kube.redaction import text
from kubemend.model.access import Access
from kubemend.model.objects import kind_of
from kubemend.model.plan import Change, Create, Delete, Evict, Exec, Patch, RollBack, Scale
from kubemend.model.ref import Ref

MARK = "kubemend.dev/repair"
"""Annotation with the id of the repair that last wrote the object: how a restart tells its own write from others'."""

Object = dict[str, Any]


class Hands:
    """Carries out one change, for real or as a server-side dry run, always conditional on uid and version."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader, self._writer = reader, writer

    async def write(self, change: Change, before: Object | None, *, repair: str, dry_run: bool = False) -> Object:
        """Make the change against the very object in `before`. Returns the object as it is afterwards.

        Raises the client's Conflict when the object is no longer at that version, and what `resolved` raises.
        """
        version = _version(before)
        change = await self.resolved(change, before)
        match change:
            case Patch():
                body = marked(change.body, repair)
                return await self._writer.patch(
                    change.target,
                    body,
                    kind=change.kind,
                    uid=change.uid,
                    resource_version=version,
                    dry_run=dry_run,
                )
            case Scale():
                await self._writer.scale(
                    change.target, change.replicas, uid=change.uid, resource_version=version, dry_run=dry_run
                )
                return await (self._reader.get(change.target) if dry_run else self._scaled(change))
            case Evict():
                await self._writer.evict(change.target, uid=change.uid, resource_version=version, dry_run=dry_run)
                return {}
            case Delete():
                await self._writer.delete(
                    change.target, uid=change.uid, resource_version=version, grace=change.grace, dry_run=dry_run
                )
                return {}
            case Exec():
                return {} if dry_run else await self._executed(change)
            case Create():
                made = marked(change.manifest, repair)
                if dry_run:
                    # The name may still be taken by the object that an earlier change of the plan deletes.
                    made["metadata"]["name"] += "-dry-run"
                return await self._writer.create(made, dry_run=dry_run)

    async def _executed(self, change: Exec) -> Object:
        """Run the command. What it printed is kept without what looks secret in it."""
        ended = await self._writer.execute(change.target, change.container, change.command, within=change.within_s)
        return {**ended, "stdout": text(ended["stdout"]), "stderr": text(ended["stderr"])}

    async def _scaled(self, change: Scale) -> Object:
        """The object after its scale was set: the answer to that held no more than the scale."""
        try:
            return await self._reader.get(change.target)
        except ClusterError as error:
            message = f"{change.target} was scaled, but can't be read since: {error.message}"
            raise OutcomeUnknown(message, where=error.where, hint=READ_BACK) from error

    async def resolved(self, change: Change, before: Object | None) -> revision.Written:
        """The change as it is written to the object in `before`: see `revision.resolved`."""
        return await revision.resolved(change, before, self._reader)

    async def restore(self, change: Change, before: Object | None, after: Object, live: Object | None) -> None:
        """Take one change back, conditional on the version of `live`."""
        match change:
            case Patch() | RollBack() if live is not None and before is not None:
                await self._writer.patch(
                    change.target,
                    undo_body(before, after),
                    kind="merge",
                    uid=change.uid,
                    resource_version=_version(live),
                )
            case Scale():
                await self._writer.scale(change.target, change.was, uid=change.uid, resource_version=_version(live))
            case Create() if live is not None:
                await self._writer.delete(change.target, uid=live["metadata"]["uid"], resource_version=_version(live))
            case Delete() if before is not None:
                await self._recreate(before)
            case Evict() if live is not None:
                # The pod that was made since from a template that is taken back: see `succession`.
                target = Ref("Pod", live["metadata"]["namespace"], live["metadata"]["name"])
                await self._writer.evict(target, uid=live["metadata"]["uid"], resource_version=_version(live))
            case _:
                return

    async def _recreate(self, before: Object) -> None:
        try:
            await self._writer.create(manifest(before))
        except AlreadyExists:
            # A restart in the middle of this very step: the object is back already, which is what was wanted.
            return

    async def live(self, ref: Ref) -> Object | None:
        """The object as it is now, or None when it is not there."""
        try:
            return await self._reader.get(ref)
        except NotFound:
            return None


def hands(reader: Reader, transport: Transport) -> Hands:
    """Hands on the cluster that `reader` reads, through the same transport."""
    return Hands(reader, Writer(transport, reader))


def marked(body: Object, repair: str) -> Object:
    """The body with the repair's mark on the object."""
    out = copy.deepcopy(body)
    out.setdefault("metadata", {}).setdefault("annotations", {})[MARK] = repair
    return out


def is_marked(obj: Object | None, repair: str) -> bool:
    """Whether this repair was the last of ours to write the object."""
    return obj is not None and obj["metadata"].get("annotations", {}).get(MARK) == repair


def expected(change: Patch, before: Object, repair: str) -> Object:
    """What the object should be after the patch, by our own reading of the patch rules."""
    body = marked(change.body, repair)
    if change.kind == "merge":
        return merge_patch(before, body)
    return strategic(before, body, kind=change.target.kind)


def undo_body(before: Object, after: Object) -> Object:
    """The JSON merge patch that takes `after` back to `before`; what controllers write beside it stays."""
    body = inverse(_with_maps(before), _with_maps(after))
    annotations = body.get("metadata", {}).get("annotations", {})
    for key in [k for k in annotations if k.startswith(CONTROLLERS)]:
        del annotations[key]
    return body


def _with_maps(obj: Object) -> Object:
    """The object with its label and annotation maps there, so that they are compared key by key, never as a whole."""
    metadata = {"labels": {}, "annotations": {}, **obj["metadata"]}
    return {**obj, "metadata": metadata}


def permissions(change: Change, plural: str = "") -> tuple[Access, ...]:
    """The RBAC permissions that a change and its undo need. plural: of a kind that we have no Struct for."""
    target = change.target
    kind = kind_of(target)
    plural = kind.plural if kind is not None else plural or target.kind.lower() + "s"
    match change:
        case Patch():
            return (Access("get", plural, target.group), Access("patch", plural, target.group))
        case RollBack():
            kept = kind_of(change.revision)
            read = Access("get", "replicasets" if kept is None else kept.plural, change.revision.group)
            return (read, Access("get", plural, target.group), Access("patch", plural, target.group))
        case Scale():
            return (Access("get", plural, target.group), Access("patch", f"{plural}/scale", target.group))
        case Evict():
            return (Access("create", "pods/eviction"),)
        case Exec():
            # A WebSocket is a GET; servers from 1.35 on ask for both.
            return (Access("create", "pods/exec"), Access("get", "pods/exec"))
        case Create() | Delete():
            return (Access("create", plural, target.group), Access("delete", plural, target.group))


def _version(obj: Object | None) -> str:
    return "" if obj is None else str(obj["metadata"]["resourceVersion"])
