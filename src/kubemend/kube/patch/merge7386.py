"""JSON merge patch (RFC 7386) and its inverse, from which every undo is made."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from kubemend.kube.fields import SERVER_ANNOTATIONS, SERVER_METADATA, same

_NO_CHANGE = object()


def merge(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7386: null removes, objects merge, all else (lists too) replaces."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            old = merged.get(key)
            merged[key] = merge(old if isinstance(old, dict) else {}, dict(value))
        else:
            merged[key] = value
    return merged


def inverse(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that turns `after` back into `before`; empty when there is nothing to turn back.

    What the server sets (`status`, the fields of `SERVER_METADATA`, a Deployment's revision annotation) is left as it
    is in `after`. A null in `before` counts as absent, for a merge patch can't say otherwise and the API keeps none.
    """
    patch = _undo(_adopting(before, after), after)
    return {} if patch is _NO_CHANGE else patch


def _adopting(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """`before` with all that is the server's taken from `after`."""
    adopted = _taking(before, after, {"status"})
    old, new = _field(before, "metadata"), _field(after, "metadata")
    metadata = _taking(old, new, SERVER_METADATA)
    annotations = _taking(_field(old, "annotations"), _field(new, "annotations"), SERVER_ANNOTATIONS)
    if annotations:
        metadata["annotations"] = annotations
    elif _field(old, "annotations"):
        del metadata["annotations"]
    if metadata:
        adopted["metadata"] = metadata
    return adopted


def _field(obj: dict[str, Any], name: str) -> dict[str, Any]:
    value = obj.get(name)
    return value if isinstance(value, dict) else {}


def _taking(own: dict[str, Any], other: dict[str, Any], names: Set[str]) -> dict[str, Any]:
    return {k: v for k, v in own.items() if k not in names} | {k: v for k, v in other.items() if k in names}


def _undo(before: Any, after: Any) -> Any:
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return _NO_CHANGE if same(before, after) else before
    patch: dict[str, Any] = {}
    for key in {**before, **after}:
        was, now = before.get(key), after.get(key)
        if was is None:
            if now is not None:
                patch[key] = None
        elif (back := _undo(was, now)) is not _NO_CHANGE:
            patch[key] = back
    return patch or _NO_CHANGE
