"""How the lists of built-in kinds merge: the struct tags `patchStrategy` and `patchMergeKey` of `k8s.io/api` v0.34.

A list that isn't named here is replaced as a whole (tolerations, command, an Ingress's rules ...), a map merges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class List:
    """A list that merges: maps by the field `key`, plain values (empty key) as a set. `of`: its elements' fields."""

    key: str
    of: Schema = field(default_factory=dict)


@dataclass(frozen=True)
class Replaced:
    """A map that is replaced as a whole."""


Schema = Mapping[str, "List | Replaced | Schema"]
"""Field name → how it merges; a nested mapping describes a map's fields."""

_METADATA: Final[Schema] = {"ownerReferences": List("uid"), "finalizers": List("")}
_CONDITIONS: Final[Schema] = {"conditions": List("type")}

_CONTAINER: Final[Schema] = {
    "ports": List("containerPort"),
    "env": List("name"),
    "volumeMounts": List("mountPath"),
    "volumeDevices": List("devicePath"),
}
_VOLUME: Final[Schema] = {"ephemeral": {"volumeClaimTemplate": {"metadata": _METADATA}}}
_POD_SPEC: Final[Schema] = {
    "volumes": List("name", _VOLUME),
    "initContainers": List("name", _CONTAINER),
    "containers": List("name", _CONTAINER),
    "ephemeralContainers": List("name", _CONTAINER),
    "imagePullSecrets": List("name"),
    "hostAliases": List("ip"),
    "topologySpreadConstraints": List("topologyKey"),
    "schedulingGates": List("name"),
    "resourceClaims": List("name"),
}
_POD_STATUS: Final[Schema] = {
    **_CONDITIONS,
    "hostIPs": List("ip"),
    "podIPs": List("ip"),
    "resourceClaimStatuses": List("name"),
}
_TEMPLATE: Final[Schema] = {"metadata": _METADATA, "spec": _POD_SPEC}
_JOB_SPEC: Final[Schema] = {"template": _TEMPLATE}
_WEBHOOK: Final[Schema] = {"matchConditions": List("name")}

_BY_KIND: Final[dict[str, Schema]] = {
    "ConfigMap": {},
    "ControllerRevision": {},
    "CronJob": {"spec": {"jobTemplate": {"metadata": _METADATA, "spec": _JOB_SPEC}}},
    "ClusterRole": {},
    "ClusterRoleBinding": {},
    "CSINode": {"spec": {"drivers": List("name")}},
    "DaemonSet": {"spec": {"template": _TEMPLATE}, "status": _CONDITIONS},
    "Deployment": {"spec": {"template": _TEMPLATE}, "status": _CONDITIONS},
    "Endpoints": {},
    "EndpointSlice": {},
    "Event": {},
    "HorizontalPodAutoscaler": {"status": _CONDITIONS},
    "Ingress": {},
    "IngressClass": {},
    "Job": {"spec": _JOB_SPEC, "status": _CONDITIONS},
    "Lease": {},
    "LimitRange": {},
    "MutatingWebhookConfiguration": {"webhooks": List("name", _WEBHOOK)},
    "Namespace": {"status": _CONDITIONS},
    "NetworkPolicy": {},
    "Node": {"spec": {"podCIDRs": List("")}, "status": {**_CONDITIONS, "addresses": List("type")}},
    "PersistentVolume": {},
    "PersistentVolumeClaim": {"status": _CONDITIONS},
    "Pod": {"spec": _POD_SPEC, "status": _POD_STATUS},
    "PodDisruptionBudget": {"spec": {"selector": Replaced()}, "status": _CONDITIONS},
    "PodTemplate": {"template": _TEMPLATE},
    "PriorityClass": {},
    "ReplicaSet": {"spec": {"template": _TEMPLATE}, "status": _CONDITIONS},
    "ReplicationController": {"spec": {"template": _TEMPLATE}, "status": _CONDITIONS},
    "ResourceQuota": {},
    "Role": {},
    "RoleBinding": {},
    "RuntimeClass": {},
    "Secret": {},
    "Service": {"spec": {"ports": List("port")}, "status": _CONDITIONS},
    "ServiceAccount": {"secrets": List("name")},
    "StatefulSet": {"spec": {"template": _TEMPLATE}, "status": _CONDITIONS},
    "StorageClass": {},
    "ValidatingWebhookConfiguration": {"webhooks": List("name", _WEBHOOK)},
}

SCHEMAS: Final[Mapping[str, Schema]] = {kind: {"metadata": _METADATA, **own} for kind, own in _BY_KIND.items()}
"""Kind → how its fields merge, for the built-in kinds that take strategic-merge patches."""
