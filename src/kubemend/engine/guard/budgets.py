"""Whether the PodDisruptionBudgets of a namespace let a pod go now, by their own status."""

from __future__ import annotations

from typing import Any

from kubemend.kube.selectors import matches
from kubemend.model.objects import PodDisruptionBudget
from kubemend.model.snapshot import Snapshot

Object = dict[str, Any]


def allowed(pod: Object, snapshot: Snapshot) -> bool:
    """Whether every budget that selects the pod allows one more disruption (`policy/v1`, `status`)."""
    meta = pod["metadata"]
    labels = meta.get("labels") or {}
    budgets = snapshot.all(PodDisruptionBudget, meta["namespace"])
    return all(b.status.disruptions_allowed > 0 for b in budgets if matches(b.spec.selector, labels))
