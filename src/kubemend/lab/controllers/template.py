"""Pods as controllers make them from a template, and the names that tell templates apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.fields import annotated, labels, name, namespace, owner_reference

HASH_LABEL = "pod-template-hash"

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels, so that no hash spells a word (apimachinery `rand.SafeEncodeString`)."""


def pod_from(
    template: Object, owner: Object, *, named: str = "", extra: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A pod of this template that `owner` controls. named: its name; without one the API makes it from the owner's."""
    meta = template.get("metadata") or {}
    identity = {"name": named} if named else {"generateName": f"{name(owner)}-"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **identity,
            "namespace": namespace(owner),
            "labels": {**labels(template), **(extra or {})},
            **({"annotations": dict(found)} if (found := annotated(template)) else {}),
            **({"finalizers": list(kept)} if (kept := meta.get("finalizers")) else {}),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": template["spec"],
    }


def digest(value: Any, collisions: int = 0) -> str:
    """Ten letters that differ when the value (JSON) or the count of collisions does."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":")) + f"#{collisions}"
    return "".join(_ALPHABET[b % len(_ALPHABET)] for b in hashlib.sha256(text.encode()).digest()[:10])


def plain(template: Object) -> Any:
    """A template without its hash label, nulls and empty maps: equal ones make the same pods."""
    kept = {k: v for k, v in labels(template).items() if k != HASH_LABEL}
    return _bare({**template, "metadata": {**(template.get("metadata") or {}), "labels": kept}})


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        bare = {k: _bare(v) for k, v in value.items()}
        return {k: v for k, v in bare.items() if v is not None and v != {}}
    return [_bare(v) for v in value] if isinstance(value, list) else value
