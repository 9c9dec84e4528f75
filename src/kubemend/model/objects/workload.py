"""Deployment, ReplicaSet, StatefulSet, DaemonSet, ControllerRevision (apps/v1)."""

from __future__ import annotations

from typing import ClassVar

from kubemend.model.objects.meta import Condition, IntOrString, LabelSelector, Obj, Part
from kubemend.model.objects.pod import PodTemplate
from kubemend.model.objects.storage import PersistentVolumeClaim


class RollingUpdate(Part, frozen=True, gc=False):
    max_unavailable: IntOrString | None = None
    max_surge: IntOrString | None = None
    partition: int = 0


class UpdateStrategy(Part, frozen=True, gc=False):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(Part, frozen=True, gc=False):
    replicas: int = 1
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()
    strategy: UpdateStrategy = UpdateStrategy()
    min_ready_seconds: int = 0
    progress_deadline_seconds: int = 600
    revision_history_limit: int = 10
    paused: bool = False


class DeploymentStatus(Part, frozen=True, gc=False):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class Deployment(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "deployments"
    group: ClassVar[str] = "apps"

    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class ReplicaSetSpec(Part, frozen=True, gc=False):
    replicas: int = 1
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()
    min_ready_seconds: int = 0


class ReplicaSetStatus(Part, frozen=True, gc=False):
    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class ReplicaSet(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "replicasets"
    group: ClassVar[str] = "apps"

    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()

    @property
    def template(self) -> PodTemplate:
        """The pod template of this revision."""
        return self.spec.template


class StatefulSetSpec(Part, frozen=True, gc=False):
    replicas: int = 1
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()
    service_name: str = ""
    pod_management_policy: str = "OrderedReady"
    update_strategy: UpdateStrategy = UpdateStrategy()
    volume_claim_templates: tuple[PersistentVolumeClaim, ...] = ()
    min_ready_seconds: int = 0


class StatefulSetStatus(Part, frozen=True, gc=False):
    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    current_replicas: int = 0
    updated_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""
    conditions: tuple[Condition, ...] = ()


class StatefulSet(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "statefulsets"
    group: ClassVar[str] = "apps"

    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


class DaemonSetSpec(Part, frozen=True, gc=False):
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()
    update_strategy: UpdateStrategy = UpdateStrategy()
    min_ready_seconds: int = 0


class DaemonSetStatus(Part, frozen=True, gc=False):
    observed_generation: int = 0
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    number_misscheduled: int = 0
    conditions: tuple[Condition, ...] = ()


class DaemonSet(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "daemonsets"
    group: ClassVar[str] = "apps"

    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()


class Revised(Part, frozen=True, gc=False):
    template: PodTemplate = PodTemplate()


class RevisionData(Part, frozen=True, gc=False):
    spec: Revised = Revised()


class ControllerRevision(Obj, frozen=True, gc=False, kw_only=True):
    """A template that a StatefulSet or DaemonSet has had; those of other controllers hold what they like."""

    plural: ClassVar[str] = "controllerrevisions"
    group: ClassVar[str] = "apps"

    revision: int = 0
    data: RevisionData = RevisionData()

    @property
    def template(self) -> PodTemplate:
        """The pod template of this revision."""
        return self.data.spec.template


Revision = ReplicaSet | ControllerRevision
"""What keeps a workload's earlier pod template: of a Deployment, or of a StatefulSet or DaemonSet."""
