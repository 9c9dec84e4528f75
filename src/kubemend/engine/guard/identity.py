"""Whether an object is still what a plan was made for; its version may differ by what controllers wrote."""

from __future__ import annotations

from typing import Any

from kubemend.kube.diff import without_server_fields
from kubemend.model.plan import Change, Create

Object = dict[str, Any]


def untouched(change: Change, before: Object | None, live: Object | None) -> bool:
    """The same object (uid) with the same fields, but for status and other server-set ones."""
    if isinstance(change, Create):
        return live is None
    if live is None or before is None:
        return False
    same_uid = bool(live["metadata"]["uid"] == before["metadata"]["uid"])
    return same_uid and without_server_fields(live) == without_server_fields(before)
