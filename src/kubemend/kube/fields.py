"""Which fields of an object are the server's own, and when two JSON values are the same."""

from __future__ import annotations

from typing import Any

SERVER_METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""Fields of `metadata` that the API server sets and no client can."""

SERVER_ANNOTATIONS = frozenset({"deployment.kubernetes.io/revision"})
"""Annotations that a controller keeps on an object of ours: the Deployment controller's count of rollouts."""


def same(a: Any, b: Any) -> bool:
    """Equality of JSON values: unlike in Python, true isn't 1; unlike in Go, 1.0 is 1."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)
