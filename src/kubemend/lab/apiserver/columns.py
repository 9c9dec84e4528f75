"""The columns of each kind, as `kubectl get` shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_WIDE_PODS: Final = "Containers* Images* Selector*"

COLUMNS: Final[dict[str, str]] = {
    "ClusterRole": "Name Created_At:date",
    "ClusterRoleBinding": "Name Role Age Users* Groups* ServiceAccounts*",
    "ConfigMap": "Name Data Age",
    "ControllerRevision": "Name Controller Revision Age",
    "CronJob": f"Name Schedule Timezone Suspend:boolean Active:integer Last_Schedule Age {_WIDE_PODS}",
    "DaemonSet": "Name Desired:integer Current:integer Ready:integer Up-to-date:integer Available:integer "
    f"Node_Selector Age {_WIDE_PODS}",
    "Deployment": f"Name Ready Up-to-date Available Age {_WIDE_PODS}",
    "EndpointSlice": "Name AddressType Ports Endpoints Age",
    "Endpoints": "Name Endpoints Age",
    "Event": "Last_Seen Type Reason Object Subobject* Source* Message First_Seen* Count* Name*",
    "HorizontalPodAutoscaler": "Name Reference Targets MinPods MaxPods Replicas Age",
    "Ingress": "Name Class Hosts Address Ports Age",
    "IngressClass": "Name Controller Parameters Age",
    "Job": f"Name Status Completions Duration Age {_WIDE_PODS}",
    "Lease": "Name Holder Age",
    "LimitRange": "Name Created_At:date",
    "MutatingWebhookConfiguration": "Name Webhooks:integer Age",
    "Namespace": "Name Status Age",
    "NetworkPolicy": "Name Pod-Selector Age",
    "Node": "Name Status Roles Age Version Internal-IP* External-IP* OS-Image* Kernel-Version* Container-Runtime*",
    "PersistentVolume": "Name Capacity Access_Modes Reclaim_Policy Status Claim StorageClass VolumeAttributesClass "
    "Reason Age VolumeMode*",
    "PersistentVolumeClaim": "Name Status Volume Capacity Access_Modes StorageClass VolumeAttributesClass Age "
    "VolumeMode*",
    "Pod": "Name Ready Status Restarts Age IP* Node* Nominated_Node* Readiness_Gates*",
    "PodDisruptionBudget": "Name Min_Available Max_Unavailable Allowed_Disruptions:integer Age",
    "PriorityClass": "Name Value:integer Global-Default:boolean Age PreemptionPolicy",
    "ReplicationController": f"Name Desired:integer Current:integer Ready:integer Age {_WIDE_PODS}",
    "ReplicaSet": f"Name Desired:integer Current:integer Ready:integer Age {_WIDE_PODS}",
    "ResourceQuota": "Name Request Limit Age",
    "Role": "Name Created_At:date",
    "RoleBinding": "Name Role Age Users* Groups* ServiceAccounts*",
    "Secret": "Name Type Data Age",
    "Service": "Name Type Cluster-IP External-IP Port(s) Age Selector*",
    "ServiceAccount": "Name Secrets Age",
    "StatefulSet": "Name Ready Age Containers* Images*",
    "StorageClass": "Name Provisioner ReclaimPolicy VolumeBindingMode AllowVolumeExpansion Age",
    "ValidatingWebhookConfiguration": "Name Webhooks:integer Age",
}
"""Kind → its columns: `_` is a blank, a type follows `:` (string if none), `*` marks a column of the wide view."""


def definitions(kind: str) -> Iterator[dict[str, Any]]:
    """A kind's columns as metav1.TableColumnDefinition."""
    for word in COLUMNS[kind].split():
        name, _, type_ = word.rstrip("*").partition(":")
        format_ = "name" if name == "Name" else ""
        told = {"name": name.replace("_", " "), "type": type_ or "string", "format": format_, "description": ""}
        yield {**told, "priority": 1 if word.endswith("*") else 0}
