"""Making a deleted object anew from what it was: what of it may be sent, and where that would be no undo at all."""

from __future__ import annotations

from typing import Any

from kubemend.kube.diff import without_server_fields

Object = dict[str, Any]

JOB_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid")
"""Labels that the API server puts on a Job's pods; they hold the uid of the deleted Job and no other may have them."""

_LOST = {
    "Namespace": "all that was in the namespace is gone with it",
    "CustomResourceDefinition": "all objects of that kind are gone with it",
    "PersistentVolume": "the volume's data may be gone, and its claim is not bound again by itself",
    "PersistentVolumeClaim": "the data may be gone with the volume (reclaim policy Delete)",
    "Node": "the pods on it are made anew elsewhere",
}


def manifest(before: Object) -> Object:
    """What to create so that the object is there again.

    A pod is scheduled anew. A Job gets a selector of its own again, as the API server generates it
    (`registry/batch/job/strategy.go`): the old one names the uid of the deleted Job.
    """
    made = {"apiVersion": before["apiVersion"], "kind": before["kind"], **without_server_fields(before)}
    if made["kind"] == "Pod":
        made["spec"] = {k: v for k, v in made["spec"].items() if k != "nodeName"}
    if made["kind"] == "Job" and not made["spec"].get("manualSelector"):
        made["metadata"] = _unlabelled(made["metadata"])
        template = made["spec"]["template"]
        made["spec"] = {k: v for k, v in made["spec"].items() if k != "selector"}
        made["spec"]["template"] = {**template, "metadata": _unlabelled(template.get("metadata") or {})}
    return made


def _unlabelled(metadata: Object) -> Object:
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k not in JOB_LABELS}
    rest = {k: v for k, v in metadata.items() if k != "labels"}
    return {**rest, "labels": labels} if labels else rest


def gone_for_good(before: Object) -> str | None:
    """Why making the object anew would take nothing back, as a sentence; None when it would.

    A pod that has a controller was replaced already; what has finished would run a second time.
    """
    if before["kind"] == "Pod":
        if (before.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return "a finished pod is not run again"
        if any(o.get("controller") for o in before["metadata"].get("ownerReferences") or ()):
            return "its controller makes another pod in its place"
    if before["kind"] == "Job":
        held = (before.get("status") or {}).get("conditions") or ()
        if any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in held):
            return "a finished Job is not run again"
    return None


def lost(before: Object) -> str | None:
    """What does not come back although the object itself does; None when nothing is known to stay away."""
    return _LOST.get(before["kind"])
