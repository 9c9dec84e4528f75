"""Every kind the practice cluster serves: its place in the API and what may be done with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_SUB_VERBS = ("get", "patch", "update")


@dataclass(frozen=True)
class Subresource:
    """A part of an object with a path of its own. gvk: (group, version, kind) where it isn't the object's own."""

    name: str
    verbs: tuple[str, ...] = _SUB_VERBS
    gvk: tuple[str, str, str] | None = None


_STATUS = Subresource("status")
_SCALE = Subresource("scale", gvk=("autoscaling", "v1", "Scale"))


@dataclass(frozen=True)
class Kind:
    """One kind. short: its short names; generations: whether `metadata.generation` counts changes of the spec.

    stored: the kind as which objects are kept, for a second API group over the same objects.
    """

    group: str
    version: str
    kind: str
    plural: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    categories: tuple[str, ...] = ()
    generations: bool = False
    subresources: tuple[Subresource, ...] = ()
    verbs: tuple[str, ...] = VERBS
    stored: str = ""

    @property
    def api_version(self) -> str:
        """ "apps/v1", or "v1" in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """ "deployments.apps", or "pods" in the core group: as errors name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """The kind in lower case."""
        return self.kind.lower()

    @property
    def storage(self) -> str:
        """The kind under which the store keeps it."""
        return self.stored or self.kind

    def has(self, subresource: str) -> bool:
        """Whether it has this subresource."""
        return any(s.name == subresource for s in self.subresources)


_ALL = ("all",)
_WEBHOOKS = ("api-extensions",)
_POD_PARTS = (
    Subresource("binding", ("create",), ("", "v1", "Binding")),
    Subresource("eviction", ("create",), ("policy", "v1", "Eviction")),
    Subresource("exec", ("create", "get"), ("", "v1", "PodExecOptions")),
    Subresource("log", ("get",)),
    Subresource("resize"),
    _STATUS,
)


def _core() -> Iterator[Kind]:
    def core(kind: str, plural: str, *short: str, namespaced: bool = True, parts: Iterable[Subresource] = ()) -> Kind:
        return Kind("", "v1", kind, plural, short, namespaced, subresources=tuple(parts))

    token = Subresource("token", ("create",), ("authentication.k8s.io", "v1", "TokenRequest"))
    yield core("ConfigMap", "configmaps", "cm")
    yield core("Endpoints", "endpoints", "ep")
    yield core("Event", "events", "ev")
    yield core("LimitRange", "limitranges", "limits")
    yield Kind(
        *("", "v1", "Namespace", "namespaces", ("ns",)),
        namespaced=False,
        subresources=(Subresource("finalize", ("update",)), _STATUS),
        verbs=tuple(v for v in VERBS if v != "deletecollection"),
    )
    yield core("Node", "nodes", "no", namespaced=False, parts=[_STATUS])
    yield core("PersistentVolumeClaim", "persistentvolumeclaims", "pvc", parts=[_STATUS])
    yield core("PersistentVolume", "persistentvolumes", "pv", namespaced=False, parts=[_STATUS])
    yield Kind("", "v1", "Pod", "pods", ("po",), categories=_ALL, generations=True, subresources=_POD_PARTS)
    # Nobody makes one any more, but `kubectl cluster-info dump` and `get all` list them.
    yield Kind(
        *("", "v1", "ReplicationController", "replicationcontrollers", ("rc",)),
        categories=_ALL,
        subresources=(_STATUS,),
    )
    yield core("ResourceQuota", "resourcequotas", "quota", parts=[_STATUS])
    yield core("Secret", "secrets")
    yield core("ServiceAccount", "serviceaccounts", "sa", parts=[token])
    yield Kind("", "v1", "Service", "services", ("svc",), categories=_ALL, subresources=(_STATUS,))


def _workloads() -> Iterator[Kind]:
    def workload(group: str, kind: str, plural: str, *short: str, scales: bool = False) -> Kind:
        parts = (_SCALE, _STATUS) if scales else (_STATUS,)
        return Kind(group, "v1", kind, plural, short, categories=_ALL, generations=True, subresources=parts)

    yield Kind("apps", "v1", "ControllerRevision", "controllerrevisions")
    yield workload("apps", "DaemonSet", "daemonsets", "ds")
    yield workload("apps", "Deployment", "deployments", "deploy", scales=True)
    yield workload("apps", "ReplicaSet", "replicasets", "rs", scales=True)
    yield workload("apps", "StatefulSet", "statefulsets", "sts", scales=True)
    yield workload("batch", "CronJob", "cronjobs", "cj")
    yield workload("batch", "Job", "jobs")
    yield Kind(
        *("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", ("hpa",)),
        categories=_ALL,
        subresources=(_STATUS,),
    )
    yield Kind(
        *("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", ("pdb",)),
        generations=True,
        subresources=(_STATUS,),
    )


def _others() -> Iterator[Kind]:
    net, rbac, storage = "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io"
    hooks = "admissionregistration.k8s.io"
    yield Kind(net, "v1", "IngressClass", "ingressclasses", namespaced=False, generations=True)
    yield Kind(net, "v1", "Ingress", "ingresses", ("ing",), generations=True, subresources=(_STATUS,))
    yield Kind(net, "v1", "NetworkPolicy", "networkpolicies", ("netpol",), generations=True)
    yield Kind(rbac, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False)
    yield Kind(rbac, "v1", "ClusterRole", "clusterroles", namespaced=False)
    yield Kind(rbac, "v1", "RoleBinding", "rolebindings")
    yield Kind(rbac, "v1", "Role", "roles")
    yield Kind(storage, "v1", "StorageClass", "storageclasses", ("sc",), namespaced=False)
    yield Kind(
        *("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", ("pc",)), namespaced=False, generations=True
    )
    yield Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", generations=True)
    yield Kind("events.k8s.io", "v1", "Event", "events", ("ev",), stored="Event")
    yield Kind("coordination.k8s.io", "v1", "Lease", "leases")
    for word in ("Mutating", "Validating"):
        kind = f"{word}WebhookConfiguration"
        yield Kind(hooks, "v1", kind, f"{kind.lower()}s", namespaced=False, categories=_WEBHOOKS, generations=True)


KINDS: tuple[Kind, ...] = (*_core(), *_workloads(), *_others())
"""All kinds of which objects are kept."""

BY_PLURAL: dict[tuple[str, str, str], Kind] = {(k.group, k.version, k.plural): k for k in KINDS}
"""(group, version, plural) as in a URL."""

BY_KIND: dict[str, Kind] = {k.kind: k for k in KINDS if not k.stored}
"""Kind as kept; each name is there once."""
