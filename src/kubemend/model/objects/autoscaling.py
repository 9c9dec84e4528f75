"""HorizontalPodAutoscaler (autoscaling/v2) and PodDisruptionBudget (policy/v1)."""

from __future__ import annotations

from typing import ClassVar

from kubemend.model.objects.meta import Condition, IntOrString, LabelSelector, Obj, Part


class ScaleTargetRef(Part, frozen=True, gc=False):
    kind: str = ""
    name: str = ""
    api_version: str = ""


class AutoscalerSpec(Part, frozen=True, gc=False):
    scale_target_ref: ScaleTargetRef = ScaleTargetRef()
    min_replicas: int = 1
    max_replicas: int = 1


class AutoscalerStatus(Part, frozen=True, gc=False):
    current_replicas: int = 0
    desired_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class HorizontalPodAutoscaler(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "horizontalpodautoscalers"
    group: ClassVar[str] = "autoscaling"
    version: ClassVar[str] = "v2"

    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()


class DisruptionSpec(Part, frozen=True, gc=False):
    selector: LabelSelector | None = None
    min_available: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class DisruptionStatus(Part, frozen=True, gc=False):
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0


class PodDisruptionBudget(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "poddisruptionbudgets"
    group: ClassVar[str] = "policy"

    spec: DisruptionSpec = DisruptionSpec()
    status: DisruptionStatus = DisruptionStatus()
