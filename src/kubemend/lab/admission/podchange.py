"""What may change in a pod that exists (`ValidatePodUpdate`, and its subresource resize)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import Cause

_ALLOWED = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_RESIZE = "only cpu and memory resources are mutable"
_LISTS = ("containers", "initContainers")


def check(old: Object, new: Object) -> Iterator[Cause]:
    """Faults of an ordinary update of a pod."""
    before, after = old["spec"], new["spec"]
    for field in _LISTS:
        if len(before.get(field) or ()) != len(after.get(field) or ()):
            yield Cause.forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            return
    kept = before.get("tolerations") or []
    if any(t not in (after.get("tolerations") or []) for t in kept):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        yield Cause.forbidden("spec.tolerations", detail)
    if _frozen(before, "image") != _frozen(after, "image"):
        yield Cause.forbidden("spec", _ALLOWED)


def check_resize(old: Object, new: Object) -> Iterator[Cause]:
    """Faults of an update by the subresource resize."""
    if _frozen(old["spec"], "resources") != _frozen(new["spec"], "resources"):
        yield Cause.forbidden("spec", _RESIZE)


def _frozen(spec: Object, free: str) -> dict[str, Any]:
    """The spec without what may change; `free` is the containers' field that may."""
    loose = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds") if free == "image" else ()
    kept = {k: v for k, v in spec.items() if k not in loose}
    for field in _LISTS:
        if field in kept:
            kept[field] = [{k: v for k, v in c.items() if k != free} for c in kept[field]]
    return kept
