"""ControllerRevisions: the templates a StatefulSet or DaemonSet has had, for its rollout and its undo."""

from __future__ import annotations

from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.controllers.template import digest, plain
from kubemend.lab.fields import name, namespace, owner_reference, spec, uid
from kubemend.lab.informer import Informer

HASH_LABEL = "controller-revision-hash"
REVISION_LABELS = {"StatefulSet": "controller.kubernetes.io/hash"}
"""Under which label a revision carries its hash, where that isn't the label of its pods."""


async def current_revision(seen: Informer, owner: Object) -> Object:
    """The ControllerRevision of the owner's present template, with the highest number: found, raised or made."""
    template = spec(owner)["template"]
    known = seen.owned(owner, "ControllerRevision")
    last = max((r["revision"] for r in known), default=0)
    same = next((r for r in known if plain(template_of(r)) == plain(template)), None)
    if same is None:
        return await seen.create(_revision(owner, template, last + 1))
    if same["revision"] < last:
        return await seen.patch(same, {"metadata": {"uid": uid(same)}, "revision": last + 1})
    return same


async def forget_old(seen: Informer, owner: Object, live: set[str]) -> None:
    """Delete revisions beyond `revisionHistoryLimit`, oldest first, that no pod is of. live: names in use."""
    old = [r for r in seen.owned(owner, "ControllerRevision") if name(r) not in live]
    kept = spec(owner).get("revisionHistoryLimit", 10)
    for r in sorted(old, key=lambda r: r["revision"])[: max(0, len(old) - kept)]:
        await seen.delete(r)


def template_of(revision: Object) -> Object:
    """The pod template that a revision keeps."""
    return {k: v for k, v in revision["data"]["spec"]["template"].items() if k != "$patch"}


def _revision(owner: Object, template: Object, number: int) -> dict[str, Any]:
    hashed = digest(plain(template))
    labels = (spec(owner).get("selector") or {}).get("matchLabels") or {}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{name(owner)}-{hashed}",
            "namespace": namespace(owner),
            "labels": {**labels, REVISION_LABELS.get(owner["kind"], HASH_LABEL): hashed},
            "ownerReferences": [owner_reference(owner)],
        },
        "revision": number,
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
    }
