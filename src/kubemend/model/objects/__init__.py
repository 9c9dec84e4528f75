"""Kubernetes objects as frozen Structs with only the fields that rules, strategies and verification read.

Unknown fields are skipped when decoding and absent ones take their default, so a Struct here is a view of
an object, never the object: what is patched or kept for undo is read raw. To read one more field, add it
where its kind is declared.
"""

from kubemend.model.objects.autoscaling import HorizontalPodAutoscaler, PodDisruptionBudget
from kubemend.model.objects.batch import CronJob, Job
from kubemend.model.objects.config import ConfigMap, LimitRange, Namespace, ResourceQuota, ServiceAccount
from kubemend.model.objects.event import Event
from kubemend.model.objects.meta import KINDS, Condition, Meta, Obj, OwnerReference, kind_of
from kubemend.model.objects.network import EndpointSlice, Ingress, IngressClass, NetworkPolicy, Service
from kubemend.model.objects.node import Node
from kubemend.model.objects.pod import Container, ContainerStatus, Pod, PodSpec, PodTemplate, Probe
from kubemend.model.objects.rbac import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from kubemend.model.objects.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from kubemend.model.objects.workload import (
    ControllerRevision,
    DaemonSet,
    Deployment,
    ReplicaSet,
    Revision,
    StatefulSet,
)

__all__ = [
    "KINDS",
    "ClusterRole",
    "ClusterRoleBinding",
    "Condition",
    "ConfigMap",
    "Container",
    "ContainerStatus",
    "ControllerRevision",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "EndpointSlice",
    "Event",
    "HorizontalPodAutoscaler",
    "Ingress",
    "IngressClass",
    "Job",
    "LimitRange",
    "Meta",
    "Namespace",
    "NetworkPolicy",
    "Node",
    "Obj",
    "OwnerReference",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "PodSpec",
    "PodTemplate",
    "Probe",
    "ReplicaSet",
    "ResourceQuota",
    "Revision",
    "Role",
    "RoleBinding",
    "Service",
    "ServiceAccount",
    "StatefulSet",
    "StorageClass",
    "kind_of",
]
