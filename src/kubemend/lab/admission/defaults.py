"""What the API server fills in where an object is silent, kind by kind (the `defaults.go` of each API group)."""

from __future__ import annotations

import base64
from collections.abc import Callable

from kubemend.lab.admission import podspec
from kubemend.lab.api import Object

RBAC = "rbac.authorization.k8s.io"
_QUARTER = "25%"


def fill(obj: Object) -> None:
    """Fill in an object of any kind, in place. It is decoded, so what is required is there, if only as its zero."""
    if (filler := _FILLERS.get(obj["kind"])) is not None:
        filler(obj)


def _deployment(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    strategy = spec["strategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", _QUARTER)
        rolling.setdefault("maxSurge", _QUARTER)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    podspec.fill(spec["template"]["spec"])


def _replicaset(obj: Object) -> None:
    obj["spec"].setdefault("replicas", 1)
    podspec.fill(obj["spec"]["template"]["spec"])


def _statefulset(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec["updateStrategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    podspec.fill(spec["template"]["spec"])
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.update({"kind": "PersistentVolumeClaim", "apiVersion": "v1", "status": {"phase": "Pending"}})
        claim["spec"].setdefault("volumeMode", "Filesystem")


def _daemonset(obj: Object) -> None:
    spec = obj["spec"]
    strategy = spec["updateStrategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    podspec.fill(spec["template"]["spec"])
    marks = obj["metadata"].setdefault("annotations", {})
    marks.setdefault("deprecated.daemonset.template.generation", "1")


def _job(obj: Object) -> None:
    spec = obj["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed" if "podFailurePolicy" not in spec else "Failed")
    podspec.fill(_job_template(spec))


def _job_template(spec: Object) -> Object:
    """A Job's pod spec; it is the one whose restartPolicy has no default."""
    pod: Object = spec["template"]["spec"]
    pod.setdefault("restartPolicy", "")
    return pod


def _cronjob(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    podspec.fill(_job_template(spec["jobTemplate"]["spec"]))


def _service(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port["targetPort"] in (0, ""):
            port["targetPort"] = port["port"]
    obj["status"].setdefault("loadBalancer", {})


def _claim(obj: Object) -> None:
    obj["spec"].setdefault("volumeMode", "Filesystem")
    obj["status"].setdefault("phase", "Pending")


def _volume(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if "hostPath" in spec:
        spec["hostPath"].setdefault("type", "")
    obj["status"].setdefault("phase", "Pending")


def _storage_class(obj: Object) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def _autoscaler(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("minReplicas", 1)
    target = {"type": "Utilization", "averageUtilization": 80}
    spec.setdefault("metrics", [{"type": "Resource", "resource": {"name": "cpu", "target": target}}])


def _secret(obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    plain = {k: base64.b64encode(v.encode()).decode() for k, v in obj.pop("stringData", {}).items()}
    if plain:
        obj["data"] = {**obj.get("data", {}), **plain}


def _namespace(obj: Object) -> None:
    name = obj["metadata"].get("name")
    if name:
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
    obj["status"].setdefault("phase", "Active")


def _network_policy(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("policyTypes", ["Ingress", *(["Egress"] if spec.get("egress") else [])])
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        for port in rule.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _binding(obj: Object) -> None:
    if obj["roleRef"].get("apiGroup", "") == "":
        obj["roleRef"]["apiGroup"] = RBAC
    for subject in obj.get("subjects") or ():
        if subject["kind"] in ("User", "Group"):
            subject.setdefault("apiGroup", RBAC)


def _limit_range(obj: Object) -> None:
    for item in obj["spec"].get("limits") or ():
        if item["type"] != "Container":
            continue
        default = {**item.get("max", {}), **item.get("default", {})}
        request = {**item.get("min", {}), **default, **item.get("defaultRequest", {})}
        for field, value in (("default", default), ("defaultRequest", request)):
            if value:
                item[field] = value


def _quota(obj: Object) -> None:
    spec = obj["spec"]
    if "hard" in spec:
        spec["hard"] = dict(sorted(spec["hard"].items()))


def _priority_class(obj: Object) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _webhooks(obj: Object) -> None:
    for hook in obj.get("webhooks") or ():
        hook.setdefault("failurePolicy", "Fail")
        hook.setdefault("matchPolicy", "Equivalent")
        hook.setdefault("namespaceSelector", {})
        hook.setdefault("objectSelector", {})
        hook.setdefault("timeoutSeconds", 10)
        if obj["kind"].startswith("Mutating"):
            hook.setdefault("reinvocationPolicy", "Never")
        if service := hook["clientConfig"].get("service"):
            service.setdefault("port", 443)
        for rule in hook.get("rules") or ():
            rule.setdefault("scope", "*")


def _node(obj: Object) -> None:
    status = obj["status"]
    if "capacity" in status:
        status.setdefault("allocatable", status["capacity"])


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


_FILLERS: dict[str, Callable[[Object], None]] = {
    "ClusterRoleBinding": _binding,
    "CronJob": _cronjob,
    "DaemonSet": _daemonset,
    "Deployment": _deployment,
    "EndpointSlice": _endpoint_slice,
    "HorizontalPodAutoscaler": _autoscaler,
    "Job": _job,
    "LimitRange": _limit_range,
    "MutatingWebhookConfiguration": _webhooks,
    "Namespace": _namespace,
    "NetworkPolicy": _network_policy,
    "Node": _node,
    "PersistentVolume": _volume,
    "PersistentVolumeClaim": _claim,
    "Pod": podspec.fill_pod,
    "PriorityClass": _priority_class,
    "ReplicaSet": _replicaset,
    "ResourceQuota": _quota,
    "RoleBinding": _binding,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _statefulset,
    "StorageClass": _storage_class,
    "ValidatingWebhookConfiguration": _webhooks,
}
