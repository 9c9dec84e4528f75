"""What every cluster has from its first moment: namespaces, the API's own Service, roles, priority classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from kubemend.kube.rbac import AUTHENTICATED, MASTERS
from kubemend.lab.admission.defaults import RBAC
from kubemend.lab.admission.prepare import KUBERNETES
from kubemend.lab.api import Object
from kubemend.lab.apiserver.access import UNAUTHENTICATED
from kubemend.lab.apiserver.decoding import Write
from kubemend.lab.apiserver.registry import Registry
from kubemend.lab.hand import MARK
from kubemend.lab.kinds import BY_KIND

NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")

_READ: Final = ["get", "list", "watch"]
_CHANGE: Final = ["create", "delete", "deletecollection", "patch", "update"]
_CORE: Final = ["configmaps", "endpoints", "persistentvolumeclaims", "pods", "serviceaccounts", "services"]
_APPS: Final = ["daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets"]
_STATEFUL: Final = ["statefulsets/scale"]
_NET: Final = ["ingresses", "networkpolicies"]
_DISCOVERY: Final = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"]
_HEALTH: Final = ["/healthz", "/livez", "/readyz", "/version", "/version/"]


def found(registry: Registry) -> None:
    """Make it all."""
    for obj in _objects():
        kind = BY_KIND[obj["kind"]]
        registry.create(kind, obj["metadata"].get("namespace", ""), obj, Write())


def _objects() -> Iterator[Object]:
    for name in NAMESPACES:
        marks = {MARK: "true"} if name == "kube-system" else {}
        yield {"kind": "Namespace", "metadata": {"name": name, "labels": marks}}
        yield {"kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        certificates = {"name": "kube-root-ca.crt", "namespace": name}
        yield {"kind": "ConfigMap", "metadata": certificates, "data": {"ca.crt": ""}}
    yield _service()
    yield from (_priority(name, value) for name, value in _PRIORITIES.items())
    for name, rules in _roles().items():
        yield {"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    for name, (role, groups) in _BINDINGS.items():
        subjects = [{"kind": "Group", "name": g, "apiGroup": RBAC} for g in groups]
        ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
        yield {"kind": "ClusterRoleBinding", "metadata": {"name": name}, "roleRef": ref, "subjects": subjects}


def _service() -> Object:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    port = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}
    meta = {"name": "kubernetes", "namespace": "default", "labels": labels}
    return {"kind": "Service", "metadata": meta, "spec": {"clusterIP": KUBERNETES, "ports": [port]}}


_PRIORITIES: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def _priority(name: str, value: int) -> Object:
    return {"kind": "PriorityClass", "metadata": {"name": name}, "value": value}


_BINDINGS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "cluster-admin": ("cluster-admin", (MASTERS,)),
    "system:basic-user": ("system:basic-user", (AUTHENTICATED,)),
    "system:discovery": ("system:discovery", (AUTHENTICATED,)),
    "system:public-info-viewer": ("system:public-info-viewer", (AUTHENTICATED, UNAUTHENTICATED)),
}


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _roles() -> dict[str, list[dict[str, Any]]]:
    view = [
        _rule("", [*_CORE, "bindings", "events", "limitranges", "namespaces", "pods/log", "pods/status"], _READ),
        _rule("", ["resourcequotas", "resourcequotas/status", "persistentvolumeclaims/status"], _READ),
        _rule("apps", [*_APPS, *_STATEFUL, "controllerrevisions"], _READ),
        _rule("batch", ["cronjobs", "jobs"], _READ),
        _rule("autoscaling", ["horizontalpodautoscalers"], _READ),
        _rule("policy", ["poddisruptionbudgets"], _READ),
        _rule("networking.k8s.io", _NET, _READ),
        _rule("discovery.k8s.io", ["endpointslices"], _READ),
        _rule("metrics.k8s.io", ["nodes", "pods"], _READ),
    ]
    edit = [
        *view,
        _rule("", ["secrets"], [*_READ, *_CHANGE]),
        _rule("", [*_CORE, "events", "pods/eviction", "serviceaccounts/token"], _CHANGE),
        _rule("", ["serviceaccounts"], ["impersonate"]),
        _rule("apps", [*_APPS, *_STATEFUL], _CHANGE),
        _rule("batch", ["cronjobs", "jobs"], _CHANGE),
        _rule("autoscaling", ["horizontalpodautoscalers"], _CHANGE),
        _rule("policy", ["poddisruptionbudgets"], _CHANGE),
        _rule("networking.k8s.io", _NET, _CHANGE),
    ]
    reviews = ["localsubjectaccessreviews"]
    everything = _rule("*", ["*"], ["*"])
    return {
        "admin": [
            *edit,
            _rule(RBAC, ["rolebindings", "roles"], [*_READ, *_CHANGE]),
            _rule("authorization.k8s.io", reviews, ["create"]),
        ],
        "cluster-admin": [everything, {"nonResourceURLs": ["*"], "verbs": ["*"]}],
        "edit": edit,
        "system:basic-user": [
            _rule("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
            _rule("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
        ],
        "system:discovery": [{"nonResourceURLs": [*_DISCOVERY, *_HEALTH], "verbs": ["get"]}],
        "system:public-info-viewer": [{"nonResourceURLs": _HEALTH, "verbs": ["get"]}],
        "view": view,
    }
