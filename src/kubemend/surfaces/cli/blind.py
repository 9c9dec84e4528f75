"""Telling "there is nothing wrong" from "nothing could be seen"."""

from __future__ import annotations

from kubemend.model.errors import KubemendError
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
