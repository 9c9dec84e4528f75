"""The rows of each kind, as `kubectl get` shows them (`pkg/printers/internalversion/printers.go`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.apiserver import network, podrow
from kubemend.lab.apiserver.cells import NONE, UNKNOWN, UNSET, age, at, images, labels, lasting, modes, moment, some
from kubemend.lab.apiserver.cells import selector as selecting

Row = Callable[[Object, datetime], list[Any]]


def _name(obj: Object) -> str:
    name: str = obj["metadata"]["name"]
    return name


def _age(obj: Object, now: datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


def _created(obj: Object, _now: datetime) -> list[Any]:
    return [_name(obj), obj["metadata"].get("creationTimestamp")]


def _with(*cells: Callable[[Object], Any], wide: Callable[[Object], Iterable[Any]] | None = None) -> Row:
    """A row of the name, these cells, the age, and the cells of the wide view."""

    def row(obj: Object, now: datetime) -> list[Any]:
        return [_name(obj), *(cell(obj) for cell in cells), _age(obj, now), *(wide(obj) if wide else ())]

    return row


def _status(field: str) -> Callable[[Object], Any]:
    return lambda obj: at(obj, "status", field, default=0)


def _spec(field: str, default: Any) -> Callable[[Object], Any]:
    return lambda obj: at(obj, "spec", field, default=default)


def _pods(obj: Object) -> list[Any]:
    return [*images(obj["spec"]["template"]["spec"]), selecting(obj["spec"].get("selector"))]


def _ready(obj: Object) -> str:
    return f"{_status('readyReplicas')(obj)}/{_spec('replicas', 0)(obj)}"


def _job_status(job: Object) -> str:
    holding = {c["type"] for c in at(job, "status", "conditions", default=()) if c["status"] == "True"}
    words = {"Complete": "Complete", "Failed": "Failed"}
    later = {"Suspended": "Suspended", "FailureTarget": "FailureTarget", "SuccessCriteriaMet": "SuccessCriteriaMet"}
    if word := next((w for c, w in words.items() if c in holding), None):
        return word
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((w for c, w in later.items() if c in holding), "Running")


def _job(job: Object, now: datetime) -> list[Any]:
    spec, status = job["spec"], job["status"]
    done, many = status.get("succeeded", 0), spec.get("parallelism", 0)
    total = str(spec["completions"]) if "completions" in spec else f"1 of {many}" if many > 1 else "1"
    start, end = moment(status.get("startTime")), moment(status.get("completionTime")) or now
    duration = lasting((end - start).total_seconds()) if start else ""
    return [_name(job), _job_status(job), f"{done}/{total}", duration, _age(job, now), *_pods(job)]


def _cronjob(obj: Object, now: datetime) -> list[Any]:
    spec, last = obj["spec"], obj["status"].get("lastScheduleTime")
    when = age(last, now) if last else NONE
    zone, active = spec.get("timeZone") or NONE, len(obj["status"].get("active") or ())
    told = [_name(obj), spec["schedule"], zone, str(spec["suspend"]), active, when, _age(obj, now)]
    return [*told, *_pods(spec["jobTemplate"])]


def _node_status(node: Object) -> str:
    ready = [c["status"] for c in at(node, "status", "conditions", default=()) if c["type"] == "Ready"]
    told = "Unknown" if not ready else "Ready" if ready[0] == "True" else "NotReady"
    return f"{told},SchedulingDisabled" if node["spec"].get("unschedulable") else told


def _roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    found = [k.removeprefix(prefix) for k in node["metadata"].get("labels") or () if k.startswith(prefix)]
    return ",".join(sorted(found)) or NONE


def _node(node: Object, now: datetime) -> list[Any]:
    info = at(node, "status", "nodeInfo", default={})
    addresses = {a["type"]: a["address"] for a in reversed(at(node, "status", "addresses", default=[]))}
    system = (info.get(f) or UNKNOWN for f in ("osImage", "kernelVersion", "containerRuntimeVersion"))
    told = [_name(node), _node_status(node), _roles(node), _age(node, now), info.get("kubeletVersion", "")]
    return [*told, *(addresses.get(f"{w}IP", NONE) for w in ("Internal", "External")), *system]


def _event(obj: Object, now: datetime) -> list[Any]:
    about = obj["involvedObject"]
    first = age(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    last = age(at(obj, "series", "lastObservedTime") or obj.get("lastTimestamp"), now)
    kind, name = about.get("kind", "").lower(), about.get("name")
    source = obj["source"].get("component") or obj.get("reportingComponent", "")
    host = obj["source"].get("host") or obj.get("reportingInstance", "")
    return [
        *(first if last == UNKNOWN else last, obj.get("type", ""), obj.get("reason", "")),
        *(f"{kind}/{name}" if name else kind, about.get("fieldPath", "")),
        *(f"{source}, {host}" if host else source, obj.get("message", "").strip(), first),
        *(at(obj, "series", "count") or obj.get("count") or 1, _name(obj)),
    ]


def _claim(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj["spec"], obj["status"]
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    volume = spec.get("volumeName", "")
    capacity = at(status, "capacity", "storage", default="0") if volume else ""
    told = [_name(obj), phase, volume, capacity, modes(status.get("accessModes")) if volume else ""]
    classes = spec.get("storageClassName", ""), spec.get("volumeAttributesClassName", UNSET)
    return [*told, *classes, _age(obj, now), spec.get("volumeMode", UNSET)]


def _volume(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj["spec"], obj["status"]
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    claim = at(spec, "claimRef", default={})
    bound = f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""
    policy = spec["persistentVolumeReclaimPolicy"]
    told = [_name(obj), at(spec, "capacity", "storage", default="0"), modes(spec.get("accessModes")), policy, phase]
    classes = spec.get("storageClassName", ""), spec.get("volumeAttributesClassName", UNSET)
    return [*told, bound, *classes, status.get("reason", ""), _age(obj, now), spec.get("volumeMode", UNSET)]


def _class_name(obj: Object) -> str:
    marks = obj["metadata"].get("annotations") or {}
    default = marks.get("storageclass.kubernetes.io/is-default-class") == "true"
    return f"{_name(obj)} (default)" if default else _name(obj)


def _storage_class(obj: Object, now: datetime) -> list[Any]:
    told = [obj["provisioner"], obj["reclaimPolicy"], obj["volumeBindingMode"]]
    return [_class_name(obj), *told, obj.get("allowVolumeExpansion", False), _age(obj, now)]


def _metrics(obj: Object) -> str:
    """Resource metrics, the only ones this cluster has."""
    current = at(obj, "status", "currentMetrics", default=[]) or []
    told = []
    for i, metric in enumerate(obj["spec"].get("metrics") or ()):
        name, target = at(metric, "resource", "name", default="?"), at(metric, "resource", "target", default={})
        now = at(current[i], "resource", "current", default={}) if i < len(current) else {}
        if "averageUtilization" in target:
            have = f"{now['averageUtilization']}%" if "averageUtilization" in now else UNKNOWN
            told.append(f"{name}: {have}/{target['averageUtilization']}%")
        else:
            told.append(f"{name}: {now.get('averageValue', UNKNOWN)}/{target.get('averageValue', UNKNOWN)}")
    return some(told, 2).replace(",", ", ")


def _target(obj: Object) -> str:
    ref = obj["spec"]["scaleTargetRef"]
    return f"{ref['kind']}/{ref['name']}"


def _quota(obj: Object, now: datetime) -> list[Any]:
    hard, used = at(obj, "status", "hard", default={}), at(obj, "status", "used", default={})
    told = {r: f"{r}: {used.get(r, '0')}/{hard[r]}" for r in sorted(hard)}
    limits = [t for r, t in told.items() if r.startswith("limits.")]
    others = [t for r, t in told.items() if not r.startswith("limits.")]
    return [_name(obj), ", ".join(others), ", ".join(limits), _age(obj, now)]


def _subjects(obj: Object) -> Iterator[str]:
    found = obj.get("subjects") or ()
    for kind in ("User", "Group", "ServiceAccount"):
        account = kind == "ServiceAccount"
        names = (f"{s.get('namespace', '')}/{s['name']}" if account else s["name"] for s in found if s["kind"] == kind)
        yield ", ".join(names)


def _role(obj: Object) -> str:
    return f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"


def _revision(obj: Object, now: datetime) -> list[Any]:
    owner = next((o for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")), None)
    told = NONE
    if owner is not None:
        group = owner["apiVersion"].rpartition("/")[0]
        told = f"{owner['kind'].lower()}{'.' + group if group else ''}/{owner['name']}"
    return [_name(obj), told, obj["revision"], _age(obj, now)]


def _data(obj: Object) -> int:
    return len(obj.get("data") or ()) + len(obj.get("binaryData") or ())


_ROLE_BINDING = _with(_role, wide=_subjects)
_WEBHOOKS = _with(lambda o: len(o.get("webhooks") or ()))

ROWS: dict[str, Row] = {
    "ClusterRole": _created,
    "ClusterRoleBinding": _ROLE_BINDING,
    "ConfigMap": _with(_data),
    "ControllerRevision": _revision,
    "CronJob": _cronjob,
    "DaemonSet": _with(
        *map(_status, ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")),
        *map(_status, ("updatedNumberScheduled", "numberAvailable")),
        lambda o: labels(at(o, "spec", "template", "spec", "nodeSelector")),
        wide=_pods,
    ),
    "Deployment": _with(_ready, _status("updatedReplicas"), _status("availableReplicas"), wide=_pods),
    "EndpointSlice": _with(lambda o: o["addressType"], network.slice_ports, network.slice_addresses),
    "Endpoints": _with(network.endpoints),
    "Event": _event,
    "HorizontalPodAutoscaler": _with(
        _target, _metrics, lambda o: str(o["spec"]["minReplicas"]), _spec("maxReplicas", 0), _status("currentReplicas")
    ),
    "Ingress": _with(
        _spec("ingressClassName", NONE),
        network.hosts,
        network.balanced,
        lambda o: "80, 443" if o["spec"].get("tls") else "80",
    ),
    "IngressClass": _with(lambda o: at(o, "spec", "controller", default=""), lambda _o: NONE),
    "Job": _job,
    "Lease": _with(_spec("holderIdentity", "")),
    "LimitRange": _created,
    "MutatingWebhookConfiguration": _WEBHOOKS,
    "Namespace": _with(_status("phase")),
    "NetworkPolicy": _with(lambda o: selecting(o["spec"].get("podSelector"))),
    "Node": _node,
    "PersistentVolume": _volume,
    "PersistentVolumeClaim": _claim,
    "Pod": podrow.row,
    "PodDisruptionBudget": _with(
        *(lambda o, f=f: str(at(o, "spec", f, default="N/A")) for f in ("minAvailable", "maxUnavailable")),
        _status("disruptionsAllowed"),
    ),
    "PriorityClass": lambda o, now: [
        *(_name(o), o["value"], o.get("globalDefault", False), _age(o, now), o["preemptionPolicy"])
    ],
    "ReplicationController": _with(_spec("replicas", 0), _status("replicas"), _status("readyReplicas"), wide=_pods),
    "ReplicaSet": _with(_spec("replicas", 0), _status("replicas"), _status("readyReplicas"), wide=_pods),
    "ResourceQuota": _quota,
    "Role": _created,
    "RoleBinding": _ROLE_BINDING,
    "Secret": _with(lambda o: o.get("type", ""), _data),
    "Service": _with(
        _spec("type", ""),
        network.address,
        network.external,
        network.ports,
        wide=lambda o: [labels(o["spec"].get("selector"))],
    ),
    "ServiceAccount": _with(lambda o: len(o.get("secrets") or ())),
    "StatefulSet": _with(_ready, wide=lambda o: images(o["spec"]["template"]["spec"])),
    "StorageClass": _storage_class,
    "ValidatingWebhookConfiguration": _WEBHOOKS,
}
"""Kind → its row: the cells in the order of its columns."""
