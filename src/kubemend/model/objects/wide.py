"""Wider views of pods and what makes them, for tools that read more than the watch cache keeps.

Each is its kind with more fields: every one that Pod Security reads, and all addresses of a pod. They aren't known by
their kind (`KINDS` holds the narrow views), and are read when a question needs them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from kubemend.model.objects import pod
from kubemend.model.objects.meta import Condition, Meta, Obj, Part

Anything = dict[str, Any]
"""A part of which only the presence counts."""


class SELinuxOptions(Part, frozen=True, gc=False):
    type: str = ""
    user: str = ""
    role: str = ""


class Profile(Part, frozen=True, gc=False):
    """A seccomp or AppArmor profile."""

    type: str = ""


class WindowsOptions(Part, frozen=True, gc=False):
    host_process: bool | None = None


class Sysctl(Part, frozen=True, gc=False):
    name: str


class SecurityContext(pod.SecurityContext, frozen=True, gc=False):
    proc_mount: str | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: Profile | None = None
    app_armor_profile: Profile | None = None
    windows_options: WindowsOptions | None = None


class PodSecurityContext(Part, frozen=True, gc=False):
    run_as_user: int | None = None
    run_as_non_root: bool | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: Profile | None = None
    app_armor_profile: Profile | None = None
    windows_options: WindowsOptions | None = None
    sysctls: tuple[Sysctl, ...] = ()


class Asked(Part, frozen=True, gc=False):
    """Where an HTTP or TCP handler asks; the pod itself unless `host` says otherwise."""

    host: str = ""


class Handler(Part, frozen=True, gc=False):
    """What a probe or a lifecycle hook does."""

    http_get: Asked | None = None
    tcp_socket: Asked | None = None


class Lifecycle(Part, frozen=True, gc=False):
    post_start: Handler | None = None
    pre_stop: Handler | None = None


class Container(Part, frozen=True, gc=False):
    """A container of any sort (plain, init, ephemeral), as Pod Security and network policies see it."""

    name: str
    image: str = ""
    restart_policy: str = ""
    ports: tuple[pod.ContainerPort, ...] = ()
    env: tuple[pod.EnvVar, ...] = ()
    env_from: tuple[pod.EnvFrom, ...] = ()
    resources: pod.Resources = pod.Resources()
    security_context: SecurityContext | None = None
    liveness_probe: Handler | None = None
    readiness_probe: Handler | None = None
    startup_probe: Handler | None = None
    lifecycle: Lifecycle | None = None


class OS(Part, frozen=True, gc=False):
    name: str = ""


class PodSpec(Part, frozen=True, gc=False):
    """volumes are raw: only which source each of them has counts, and there are thirty."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    ephemeral_containers: tuple[Container, ...] = ()
    volumes: tuple[Anything, ...] = ()
    security_context: PodSecurityContext | None = None
    host_network: bool = False
    host_pid: bool = field(name="hostPID", default=False)
    host_ipc: bool = field(name="hostIPC", default=False)
    host_users: bool | None = None
    os: OS | None = None
    runtime_class_name: str = ""
    node_name: str = ""
    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    image_pull_secrets: tuple[pod.LocalObjectReference, ...] = ()

    @property
    def all_containers(self) -> tuple[Container, ...]:
        """Init containers, containers, ephemeral containers: the order in which the API server judges them."""
        return (*self.init_containers, *self.containers, *self.ephemeral_containers)


class PodIP(Part, frozen=True, gc=False):
    ip: str = ""


class PodStatus(Part, frozen=True, gc=False):
    phase: str = ""
    pod_ip: str = field(name="podIP", default="")
    pod_ips: tuple[PodIP, ...] = field(name="podIPs", default=())
    host_ip: str = field(name="hostIP", default="")
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[pod.ContainerStatus, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address of the pod, one of each family."""
        return tuple(i.ip for i in self.pod_ips if i.ip) or ((self.pod_ip,) if self.pod_ip else ())


class Pod(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "pods"
    known: ClassVar[bool] = False

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodTemplate(Part, frozen=True, gc=False):
    metadata: Meta = Meta()
    spec: PodSpec = PodSpec()


class TemplateSpec(Part, frozen=True, gc=False):
    template: PodTemplate = PodTemplate()


class Templated(Obj, frozen=True, gc=False, kw_only=True):
    """A kind whose `spec.template` makes pods."""

    known: ClassVar[bool] = False

    spec: TemplateSpec = TemplateSpec()


class Deployment(Templated, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "deployments"
    group: ClassVar[str] = "apps"


class StatefulSet(Templated, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "statefulsets"
    group: ClassVar[str] = "apps"


class DaemonSet(Templated, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "daemonsets"
    group: ClassVar[str] = "apps"


class ReplicaSet(Templated, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "replicasets"
    group: ClassVar[str] = "apps"


class ReplicationController(Templated, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "replicationcontrollers"


class Job(Templated, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "jobs"
    group: ClassVar[str] = "batch"


class JobTemplate(Part, frozen=True, gc=False):
    spec: TemplateSpec = TemplateSpec()


class CronJobSpec(Part, frozen=True, gc=False):
    job_template: JobTemplate = JobTemplate()


class CronJob(Obj, frozen=True, gc=False, kw_only=True):
    plural: ClassVar[str] = "cronjobs"
    group: ClassVar[str] = "batch"
    known: ClassVar[bool] = False

    spec: CronJobSpec = CronJobSpec()
