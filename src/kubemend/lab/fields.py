"""Raw objects: the few questions that controllers, scheduler and nodes ask of them all the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from kubemend.kube.selectors import matches
from kubemend.lab.api import Object
from kubemend.model.objects.meta import LabelSelector

Key = tuple[str, str]
"""(namespace, name) of an object whose kind is known."""


def name(obj: Object) -> str:
    """`metadata.name`."""
    found: str = obj["metadata"]["name"]
    return found


def namespace(obj: Object) -> str:
    """`metadata.namespace`; empty for a cluster-scoped object."""
    found: str = obj["metadata"].get("namespace", "")
    return found


def uid(obj: Object) -> str:
    """`metadata.uid`."""
    found: str = obj["metadata"].get("uid", "")
    return found


def version(obj: Object) -> int:
    """`metadata.resourceVersion`: those of one API server are comparable as numbers (KEP-5504)."""
    text = obj["metadata"].get("resourceVersion", "")
    return int(text) if text.isdigit() else 0


def key(obj: Object) -> Key:
    """Where it is among the objects of its kind."""
    return namespace(obj), name(obj)


def labels(obj: Object) -> dict[str, str]:
    """`metadata.labels`, empty when absent."""
    return obj.get("metadata", {}).get("labels") or {}


def annotated(obj: Object) -> dict[str, str]:
    """`metadata.annotations`, empty when absent."""
    return obj.get("metadata", {}).get("annotations") or {}


def spec(obj: Object) -> dict[str, Any]:
    """`spec`, empty when absent."""
    return obj.get("spec") or {}


def status(obj: Object) -> dict[str, Any]:
    """`status`, empty when absent."""
    return obj.get("status") or {}


def deleting(obj: Object) -> bool:
    """Whether its deletion has begun."""
    return obj["metadata"].get("deletionTimestamp") is not None


def owners(obj: Object) -> list[dict[str, Any]]:
    """`metadata.ownerReferences`, empty when absent."""
    return obj["metadata"].get("ownerReferences") or []


def controller(obj: Object) -> dict[str, Any] | None:
    """The owner reference of the object's controller."""
    return next((o for o in owners(obj) if o.get("controller")), None)


def owner_reference(owner: Object) -> dict[str, Any]:
    """What an object that `owner` controls carries."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Object, type_: str) -> dict[str, Any] | None:
    """The condition of one type."""
    return next((c for c in status(obj).get("conditions") or () if c["type"] == type_), None)


def holds(obj: Object, type_: str) -> bool:
    """Whether the condition of this type is True."""
    found = condition(obj, type_)
    return found is not None and found.get("status") == "True"


def ready(pod: Object) -> bool:
    """Whether the pod's condition Ready is True."""
    return holds(pod, "Ready")


def finished(pod: Object) -> bool:
    """Whether the pod has come to its end."""
    return status(pod).get("phase") in ("Succeeded", "Failed")


def active(pod: Object) -> bool:
    """Whether the pod still counts for its controller: neither finished nor being deleted."""
    return not finished(pod) and not deleting(pod)


def selects(selector: Mapping[str, Any] | None, found: Mapping[str, str]) -> bool:
    """Whether a raw `metav1.LabelSelector` selects these labels; None selects nothing, an empty one everything."""
    return selector is not None and matches(msgspec.convert(selector, LabelSelector), found)


def now() -> str:
    """This moment as the API writes it (RFC 3339, whole seconds)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_condition(conditions: Iterable[dict[str, Any]], new: dict[str, Any]) -> list[dict[str, Any]]:
    """The conditions with `new` in its type's place; its transition time moves only with its status."""
    kept = list(conditions)
    place = next((i for i, c in enumerate(kept) if c["type"] == new["type"]), None)
    if place is None:
        return [*kept, {**new, "lastTransitionTime": now()}]
    old = kept[place]
    moved = now() if old.get("status") != new["status"] else old.get("lastTransitionTime", now())
    kept[place] = {**new, "lastTransitionTime": moved}
    return kept


def difference(before: Any, after: Any) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that makes `after` of `before`; both are mappings. Empty when equal."""
    patch: dict[str, Any] = {k: None for k in before if k not in after}
    for field, value in after.items():
        old = before.get(field)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if deeper := difference(old, value):
                patch[field] = deeper
        elif value != old or field not in before:
            patch[field] = value
    return patch


def scaled(value: int | str | None, total: int, *, up: bool) -> int:
    """An int-or-percent field: "25%" of `total`, rounded up or down; 0 when absent."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        return int(value)
    part = int(value[:-1]) * total
    return -(-part // 100) if up else part // 100
