"""Whether an object can be that is neither pod nor workload: services, claims, budgets, bindings and so on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubemend.kube.quantity import parse
from kubemend.lab.admission import pods, workloads
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import Cause

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_PATHS = ("Exact", "ImplementationSpecific", "Prefix")
_KEY = re.compile("[-._a-zA-Z0-9]+")
_CLAIM = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def service(obj: Object) -> Iterator[Cause]:
    """Faults of a Service."""
    spec = obj["spec"]
    ports = spec.get("ports") or []
    external = spec["type"] == "ExternalName"
    if not ports and not external and spec.get("clusterIP") != "None":
        yield Cause.required("spec.ports")
    names: set[str] = set()
    for i, port in enumerate(ports):
        at, name = f"spec.ports[{i}]", port.get("name", "")
        if not name and len(ports) > 1:
            yield Cause.required(f"{at}.name")
        elif name and name in names:
            yield Cause.duplicate(f"{at}.name", name)
        names.add(name)
        yield from pods.port(port["port"], f"{at}.port")
        yield from pods.port(port["targetPort"], f"{at}.targetPort")
        if port["protocol"] not in _PROTOCOLS:
            yield Cause.unsupported(f"{at}.protocol", port["protocol"], _PROTOCOLS)
    if spec["type"] not in _TYPES:
        yield Cause.unsupported("spec.type", spec["type"], _TYPES)
    if external and not spec.get("externalName"):
        yield Cause.required("spec.externalName")


def event(obj: Object) -> Iterator[Cause]:
    """Faults of an Event: it lies with what it is about; about what has no namespace, in one of two."""
    about, own = obj["involvedObject"].get("namespace", ""), obj["metadata"]["namespace"]
    if own != about if about else own not in _CLUSTER_EVENTS:
        yield Cause.invalid("involvedObject.namespace", about, "does not match event.namespace")


_CLUSTER_EVENTS = ("default", "kube-system")


def claim(obj: Object) -> Iterator[Cause]:
    """Faults of a PersistentVolumeClaim."""
    spec = obj["spec"]
    yield from _modes(spec, "at least 1 access mode is required")
    storage = spec["resources"].get("requests", {}).get("storage")
    if storage is None:
        yield Cause.required("spec.resources[storage]")
    elif parse(storage) <= 0:
        yield Cause.invalid("spec.resources[storage]", storage, "must be greater than zero")


def _modes(spec: Object, detail: str) -> Iterator[Cause]:
    if not spec.get("accessModes"):
        yield Cause.required("spec.accessModes", detail)
    for mode in spec.get("accessModes") or ():
        if mode not in _MODES:
            yield Cause.unsupported("spec.accessModes", mode, _MODES)


def volume(obj: Object) -> Iterator[Cause]:
    """Faults of a PersistentVolume."""
    yield from _modes(obj["spec"], "")
    capacity = obj["spec"].get("capacity")
    if not capacity:
        yield Cause.required("spec.capacity")
    if set(capacity or ()) != {"storage"}:
        yield Cause.unsupported("spec.capacity", capacity, ("storage",))
    if not obj["spec"].keys() - _NO_SOURCE:
        yield Cause.required("spec", "must specify a volume type")


_NO_SOURCE = frozenset(
    {
        *("accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy"),
        *("storageClassName", "volumeAttributesClassName", "volumeMode"),
    }
)
"""Fields of a volume that don't say what it is."""


def autoscaler(obj: Object) -> Iterator[Cause]:
    """Faults of a HorizontalPodAutoscaler."""
    spec, target = obj["spec"], obj["spec"]["scaleTargetRef"]
    if (low := spec["minReplicas"]) < 1:
        yield Cause.invalid("spec.minReplicas", low, "must be greater than or equal to 1")
    if (high := spec["maxReplicas"]) < 1:
        yield Cause.invalid("spec.maxReplicas", high, "must be greater than 0")
    if high < low:
        yield Cause.invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    for field in ("kind", "name"):
        if not target.get(field):
            yield Cause.required(f"spec.scaleTargetRef.{field}")
    if not target.get("apiVersion"):
        yield Cause.invalid("spec.scaleTargetRef.apiVersion", "", "apiVersion must specify API group")


def budget(obj: Object) -> Iterator[Cause]:
    """Faults of a PodDisruptionBudget."""
    spec = obj["spec"]
    if "minAvailable" in spec and "maxUnavailable" in spec:
        internal = {
            "MinAvailable": spec["minAvailable"],
            "Selector": spec.get("selector"),
            "MaxUnavailable": spec["maxUnavailable"],
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        yield Cause.invalid("spec", internal, "minAvailable and maxUnavailable cannot be both set")
    for field in ("minAvailable", "maxUnavailable"):
        if field in spec:
            yield from workloads.share(spec[field], f"spec.{field}")
    yield from workloads.selector(spec.get("selector") or {}, "spec.selector")


def ingress(obj: Object) -> Iterator[Cause]:
    """Faults of an Ingress."""
    spec = obj["spec"]
    if not spec.get("rules") and "defaultBackend" not in spec:
        detail = "either `defaultBackend` or `rules` must be specified"
        yield Cause.invalid("spec", spec.get("rules") or [], detail)
    for i, rule in enumerate(spec.get("rules") or ()):
        for j, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            yield from _path(path, f"spec.rules[{i}].http.paths[{j}]")


def _path(path: Object, at: str) -> Iterator[Cause]:
    if (type_ := path.get("pathType")) is None:
        yield Cause.required(f"{at}.pathType", "pathType must be specified")
        return
    if type_ not in _PATHS:
        yield Cause.unsupported(f"{at}.pathType", type_, _PATHS)
    if type_ != "ImplementationSpecific" and not path.get("path", "").startswith("/"):
        yield Cause.invalid(f"{at}.path", path.get("path", ""), "must be an absolute path")
    found = path["backend"].get("service")
    if found is None and "resource" not in path["backend"]:
        yield Cause.required(f"{at}.backend", "cannot set both resource and service backends")
    elif found is not None:
        if not found["name"]:
            yield Cause.required(f"{at}.backend.service.name")
        if not found["port"].get("name") and not found["port"].get("number"):
            yield Cause.required(f"{at}.backend", "port name or number is required")


def network_policy(obj: Object) -> Iterator[Cause]:
    """Faults of a NetworkPolicy."""
    yield from workloads.selector(obj["spec"].get("podSelector") or {}, "spec.podSelector")


def keys(obj: Object) -> Iterator[Cause]:
    """Faults of the keys of a ConfigMap or Secret."""
    for field in ("data", "binaryData"):
        for key in obj.get(field) or ():
            if not _KEY.fullmatch(key):
                detail = (
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
                    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                )
                yield Cause.invalid(f"{field}[{key}]", key, detail)


def binding(obj: Object) -> Iterator[Cause]:
    """Faults of a RoleBinding or ClusterRoleBinding."""
    ref = obj["roleRef"]
    allowed = ("Role", "ClusterRole") if obj["kind"] == "RoleBinding" else ("ClusterRole",)
    if ref["kind"] not in allowed:
        yield Cause.unsupported("roleRef.kind", ref["kind"], allowed)
    if not ref["name"]:
        yield Cause.required("roleRef.name")
    for i, subject in enumerate(obj.get("subjects") or ()):
        if subject["kind"] not in ("ServiceAccount", "User", "Group"):
            yield Cause.unsupported(f"subjects[{i}].kind", subject["kind"], ("ServiceAccount", "User", "Group"))
        if not subject["name"]:
            yield Cause.required(f"subjects[{i}].name")


def storage_class(obj: Object) -> Iterator[Cause]:
    """Faults of a StorageClass."""
    if not obj["provisioner"]:
        yield Cause.required("provisioner")


def changed(kind: str, old: Object, new: Object) -> Iterator[Cause]:
    """Faults of a change."""
    match kind:
        case "Service":
            before, after = old["spec"].get("clusterIP"), new["spec"].get("clusterIP")
            kept = new["spec"]["type"] != "ExternalName" and old["spec"]["type"] != "ExternalName"
            if kept and before and before != after:
                yield Cause.invalid("spec.clusterIPs[0]", [after], "may not change once set")
        case "PersistentVolumeClaim":
            yield from _claim_changed(old["spec"], new["spec"])
        case "RoleBinding" | "ClusterRoleBinding":
            ref = new["roleRef"]
            if old["roleRef"] != ref:
                internal = {"APIGroup": ref["apiGroup"], "Kind": ref["kind"], "Name": ref["name"]}
                yield Cause.invalid("roleRef", internal, "cannot change roleRef")
        case "ConfigMap" | "Secret":
            if old.get("immutable") and any(old.get(f) != new.get(f) for f in ("data", "binaryData", "immutable")):
                yield Cause.forbidden("data", "field is immutable when `immutable` is set")
            if old.get("type") != new.get("type"):
                yield Cause.invalid("type", new.get("type"), "field is immutable")
        case "StorageClass":
            for field in ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"):
                if old.get(field) != new.get(field):
                    yield Cause.forbidden(field, "updates to " + field + " are forbidden.")


def _claim_changed(before: Object, after: Object) -> Iterator[Cause]:
    """Once made, a claim may be bound, be given its class once, and grow when it is bound."""
    free = {"volumeName"} | ({"storageClassName"} if "storageClassName" not in before else set())
    bound = bool(before.get("volumeName"))
    if bound:
        free = {"resources", "volumeAttributesClassName"}
    if {k: v for k, v in before.items() if k not in free} != {k: v for k, v in after.items() if k not in free}:
        yield Cause.forbidden("spec", _CLAIM)
    elif bound and "resources" in before:
        old, new = (s["resources"].get("requests", {}).get("storage", "0") for s in (before, after))
        if parse(new) < parse(old):
            detail = "field can not be less than status.capacity"
            yield Cause.forbidden("spec.resources.requests.storage", detail)
