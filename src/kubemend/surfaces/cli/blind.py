"""Telling "there is nothing wrong" from "nothing could be seen"."""

from __future__ import annotations

from kubemend.cluster.errors import Forbidden, NotFound
from kubemend.cluster.reader import Reader
from kubemend.model.errors import InvalidInput, KubemendError
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot


class Blind(KubemendError):
    """Not one kind of object could be read: there is nothing to judge, and nothing may be said."""

    code = "nothing-readable"
    exit_status = 3


def refuse_blind(snapshot: Snapshot, where: str) -> Snapshot:
    """The snapshot, if anything at all is in it that was read. Blind otherwise, with the first reason."""
    if snapshot.objects:
        return snapshot
    why = next((u.why for u in snapshot.unread), "nothing was asked for")
    hint = "kubemend rbac viewer prints a role that may read what is needed; kubemend doctor tells what is missing"
    raise Blind(f"not one kind of object could be read: {why}", where=where, hint=hint)


class NoSuchNamespace(InvalidInput):
    """A namespace that is not there: lists of it are empty, which is not the same as healthy."""

    code = "namespace-unknown"


async def demand_namespace(reader: Reader, name: str | None) -> None:
    """Raise when the one namespace that is asked about does not exist. Who may not ask is believed."""
    if name is None:
        return
    try:
        await reader.get(Ref("Namespace", "", name))
    except NotFound as error:
        raise NoSuchNamespace(f"there is no namespace {name!r}", hint="kubectl get namespaces") from error
    except Forbidden:
        return
