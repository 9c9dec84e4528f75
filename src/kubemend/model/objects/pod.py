"""Pod and its parts (core/v1)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from msgspec import field

from kubemend.model.objects.meta import Condition, IntOrString, LabelSelector, Meta, Obj, Part, Quantities


class EnvSourceRef(Part, frozen=True, gc=False):
    """A ConfigMapKeySelector or SecretKeySelector; without a key, a whole-object source."""

    name: str = ""
    key: str = ""
    optional: bool = False


class EnvVarSource(Part, frozen=True, gc=False):
    config_map_key_ref: EnvSourceRef | None = None
    secret_key_ref: EnvSourceRef | None = None


class EnvVar(Part, frozen=True, gc=False):
    """An environment variable. Its literal value is not kept: it may be a secret."""

    name: str
    value_from: EnvVarSource | None = None


class EnvFrom(Part, frozen=True, gc=False):
    config_map_ref: EnvSourceRef | None = None
    secret_ref: EnvSourceRef | None = None


class ContainerPort(Part, frozen=True, gc=False):
    container_port: int
    name: str = ""
    host_port: int = 0
    protocol: str = "TCP"
    host_ip: str = field(name="hostIP", default="")


class HttpHeader(Part, frozen=True, gc=False):
    name: str
    value: str = ""


class HttpGet(Part, frozen=True, gc=False):
    port: IntOrString
    path: str = "/"
    scheme: str = "HTTP"


class TcpSocket(Part, frozen=True, gc=False):
    port: IntOrString


class ExecAction(Part, frozen=True, gc=False):
    command: tuple[str, ...] = ()


class GrpcAction(Part, frozen=True, gc=False):
    port: int


class Probe(Part, frozen=True, gc=False):
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    exec: ExecAction | None = None
    grpc: GrpcAction | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    failure_threshold: int = 3
    success_threshold: int = 1


class Resources(Part, frozen=True, gc=False):
    limits: Quantities = {}
    requests: Quantities = {}


class VolumeMount(Part, frozen=True, gc=False):
    name: str
    mount_path: str = ""
    sub_path: str = ""


class Capabilities(Part, frozen=True, gc=False):
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SecurityContext(Part, frozen=True, gc=False):
    privileged: bool | None = None
    run_as_user: int | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    capabilities: Capabilities | None = None


class Container(Part, frozen=True, gc=False):
    name: str
    image: str = ""
    image_pull_policy: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    ports: tuple[ContainerPort, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    resources: Resources = Resources()
    volume_mounts: tuple[VolumeMount, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    restart_policy: str = ""
    security_context: SecurityContext | None = None


class KeyToPath(Part, frozen=True, gc=False):
    key: str
    path: str = ""


class ConfigMapVolume(Part, frozen=True, gc=False):
    name: str = ""
    optional: bool = False
    items: tuple[KeyToPath, ...] = ()


class SecretVolume(Part, frozen=True, gc=False):
    secret_name: str = ""
    optional: bool = False
    items: tuple[KeyToPath, ...] = ()


class ClaimVolume(Part, frozen=True, gc=False):
    claim_name: str = ""


class EmptyDirVolume(Part, frozen=True, gc=False):
    medium: str = ""


class ProjectedSource(Part, frozen=True, gc=False):
    config_map: ConfigMapVolume | None = None
    secret: EnvSourceRef | None = None


class ProjectedVolume(Part, frozen=True, gc=False):
    sources: tuple[ProjectedSource, ...] = ()


class GceDisk(Part, frozen=True, gc=False):
    pd_name: str = ""
    read_only: bool = False


class AwsDisk(Part, frozen=True, gc=False):
    volume_id: str = field(name="volumeID", default="")


class IscsiDisk(Part, frozen=True, gc=False):
    iqn: str = ""
    read_only: bool = False


class RbdDisk(Part, frozen=True, gc=False):
    monitors: tuple[str, ...] = ()
    pool: str = "rbd"
    image: str = ""
    read_only: bool = False


class Volume(Part, frozen=True, gc=False):
    name: str
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    empty_dir: EmptyDirVolume | None = None
    projected: ProjectedVolume | None = None
    gce_persistent_disk: GceDisk | None = None
    aws_elastic_block_store: AwsDisk | None = None
    iscsi: IscsiDisk | None = None
    rbd: RbdDisk | None = None


class Toleration(Part, frozen=True, gc=False):
    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class NodeSelectorRequirement(Part, frozen=True, gc=False):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class NodeSelectorTerm(Part, frozen=True, gc=False):
    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(Part, frozen=True, gc=False):
    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()


class NodeAffinity(Part, frozen=True, gc=False):
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class PodAffinityTerm(Part, frozen=True, gc=False):
    topology_key: str
    label_selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()


class WeightedPodAffinityTerm(Part, frozen=True, gc=False):
    pod_affinity_term: PodAffinityTerm
    weight: int = 1


class PodAffinity(Part, frozen=True, gc=False):
    """PodAffinity and PodAntiAffinity alike: hard terms decide where a pod can go, soft ones where it would rather."""

    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class Affinity(Part, frozen=True, gc=False):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class TopologySpreadConstraint(Part, frozen=True, gc=False):
    topology_key: str
    max_skew: int = 1
    when_unsatisfiable: str = "DoNotSchedule"
    label_selector: LabelSelector | None = None
    min_domains: int | None = None
    node_affinity_policy: str = "Honor"
    node_taints_policy: str = "Ignore"
    match_label_keys: tuple[str, ...] = ()


class LocalObjectReference(Part, frozen=True, gc=False):
    name: str = ""


class PodSecurityContext(Part, frozen=True, gc=False):
    run_as_user: int | None = None
    run_as_non_root: bool | None = None


class PodSpec(Part, frozen=True, gc=False):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_name: str = ""
    node_selector: dict[str, str] = {}
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    service_account_name: str = ""
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    restart_policy: str = "Always"
    termination_grace_period_seconds: int = 30
    host_network: bool = False
    priority: int | None = None
    priority_class_name: str = ""
    scheduler_name: str = ""
    overhead: Quantities = {}
    security_context: PodSecurityContext | None = None
    resources: Resources | None = None
    """Pod-level requests and limits (KEP-2837)."""

    def container(self, name: str) -> Container | None:
        """The container or init container of that name."""
        return next((c for c in (*self.containers, *self.init_containers) if c.name == name), None)


class PodTemplate(Part, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: PodSpec = PodSpec()


class Waiting(Part, frozen=True, gc=False):
    reason: str = ""
    message: str = ""


class Running(Part, frozen=True, gc=False):
    started_at: datetime | None = None


class Terminated(Part, frozen=True, gc=False):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class ContainerState(Part, frozen=True, gc=False):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Part, frozen=True, gc=False):
    name: str
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: str = ""
    image_id: str = field(name="imageID", default="")
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()
    resources: Resources | None = None
    """What the container runs with, which a resize in place (KEP-1287) has yet to bring to what is asked for."""
    allocated_resources: Quantities = {}


class PodStatus(Part, frozen=True, gc=False):
    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    start_time: datetime | None = None
    pod_ip: str = field(name="podIP", default="")
    host_ip: str = field(name="hostIP", default="")
    qos_class: str = ""


class Pod(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "pods"

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()
