"""What a pod template grants: as whom its pods run, and what they may reach on their node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

_HOST = ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "securityContext")


def privileges(before: Object, after: Object) -> Iterator[str]:
    """What two raw pod templates differ in that decides as whom pods run and what they may reach on their node.

    Containers and host paths that are only in `before` don't count: going without them gives nothing.
    Source: the fields that the Pod Security Standards restrict, and the service account.
    """
    old, new = before.get("spec") or {}, after.get("spec") or {}
    yield from (k for k in _HOST if (old.get(k) or None) != (new.get(k) or None))
    if (old.get("serviceAccountName") or "default") != (new.get("serviceAccountName") or "default"):
        yield "serviceAccountName"
    was, now = _contexts(old), _contexts(new)
    yield from (f"securityContext of container {n}" for n, held in now.items() if held != was.get(n, {}))
    paths = _host_paths(old)
    yield from (f"hostPath {p}" for p in _host_paths(new) if p not in paths)


def _contexts(spec: Object) -> dict[str, Object]:
    held = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    return {c["name"]: c.get("securityContext") or {} for c in held}


def _host_paths(spec: Object) -> list[str]:
    return [v["hostPath"]["path"] for v in spec.get("volumes") or () if v.get("hostPath")]
