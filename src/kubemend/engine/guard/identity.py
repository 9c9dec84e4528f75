"""Whether an object is still what a plan was made for; its version may differ by what controllers wrote."""

from __future__ import annotations

from typing import Any

import msgspec

from kubemend.kube.diff import without_server_fields
from kubemend.model.objects import Obj, kind_of
from kubemend.model.objects.config import decode_withheld
from kubemend.model.plan import Change, Create
from kubemend.model.ref import Ref

CONTROLLERS = (
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
)
"""Annotations that controllers and the API server keep on workloads and claims: nobody's edit, not ours to restore."""

Object = dict[str, Any]


def untouched(change: Change, before: Object | None, live: Object | None) -> bool:
    """The same object (uid) with the same fields, but for status and what servers and controllers set."""
    if isinstance(change, Create):
        return live is None
    if live is None or before is None:
        return False
    same_uid = bool(live["metadata"]["uid"] == before["metadata"]["uid"])
    return same_uid and authored(live) == authored(before)


def authored(obj: Object) -> Object:
    """The object without status and without what servers and controllers set."""
    own = without_server_fields(obj)
    notes = {k: v for k, v in own["metadata"].get("annotations", {}).items() if not k.startswith(CONTROLLERS)}
    # A controller's first note makes the map, so that an empty one and none are the same.
    return {**own, "metadata": {**own["metadata"], "annotations": notes}}


def typed(ref: Ref, obj: Object) -> Obj | None:
    """A raw object as the Struct of its kind; None for a kind that we have no Struct for."""
    kind = kind_of(ref)
    return None if kind is None else msgspec.convert(obj, type=kind, dec_hook=decode_withheld)
