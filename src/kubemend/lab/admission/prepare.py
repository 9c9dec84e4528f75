"""What the API server itself writes into an object: the registries' strategies, not defaults of the API."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import cache
from typing import Any

from kubemend.lab.admission.identity import tolerate
from kubemend.lab.admission.usage import of_pod
from kubemend.lab.api import Object
from kubemend.lab.apiserver.schema import decode
from kubemend.lab.apiserver.status import Cause, invalid
from kubemend.lab.kinds import BY_KIND, Kind
from kubemend.lab.store import Store

_TRANSITION = "lastPhaseTransitionTime"
SERVICES = ipaddress.IPv4Network("10.96.0.0/16")
NODE_PORTS = range(30000, 32768)

_FRESH_STATUS: dict[str, dict[str, Any]] = {
    "Namespace": {"phase": "Active"},
    "PersistentVolume": {"phase": "Pending"},
    "PersistentVolumeClaim": {"phase": "Pending"},
    "Service": {"loadBalancer": {}},
}


def new(store: Store, kind: Kind, obj: Object) -> None:
    """Prepare a new object whose name, namespace and uid are set, in place."""
    if kind.has("status") and kind.kind != "Node":
        obj["status"] = {**_empty_status(kind), **_FRESH_STATUS.get(kind.kind, {})}
    if (prepare := _NEW.get(kind.kind)) is not None:
        prepare(store, obj)


@cache
def _empty_status(kind: Kind) -> Object:
    """The fields of a status that are written even when they say nothing."""
    clean, _ = decode(kind, {})
    status: Object = clean["status"]
    return status


def _pod(_store: Store, pod: Object) -> None:
    pod["status"] = {"phase": "Pending", "qosClass": quality(pod["spec"])}


def quality(spec: Object) -> str:
    """A pod's QoS class: Guaranteed when all containers limit cpu and memory and ask for just that."""
    requests, limits = of_pod(spec, "requests"), of_pod(spec, "limits")
    named = {"cpu", "memory"}
    if not (requests.keys() | limits.keys()) & named:
        return "BestEffort"
    both = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    limited = all(named <= (c["resources"].get("limits") or {}).keys() for c in both)
    even = all(requests.get(n) == limits.get(n) for n in named)
    return "Guaranteed" if limited and even else "Burstable"


def _namespace(_store: Store, namespace: Object) -> None:
    namespace["spec"] = {"finalizers": ["kubernetes"]}
    meta = namespace["metadata"]
    if "name" in meta:
        meta.setdefault("labels", {})["kubernetes.io/metadata.name"] = meta["name"]


def _protected(finalizer: str) -> Callable[[Store, Object], None]:
    def protect(_store: Store, obj: Object) -> None:
        had = obj["metadata"].get("finalizers") or []
        obj["metadata"]["finalizers"] = list(dict.fromkeys([*had, finalizer]))

    return protect


def _volume(store: Store, volume: Object) -> None:
    _protected("kubernetes.io/pv-protection")(store, volume)
    volume["status"][_TRANSITION] = store.now()


def _claim(store: Store, claim: Object) -> None:
    """Protect it and, if it names no class, give it the default one (admission plugin DefaultStorageClass)."""
    _protected("kubernetes.io/pvc-protection")(store, claim)
    if "storageClassName" in claim["spec"]:
        return
    for found in store.all("StorageClass"):
        marks = found["metadata"].get("annotations") or {}
        if marks.get("storageclass.kubernetes.io/is-default-class") == "true":
            claim["spec"]["storageClassName"] = found["metadata"]["name"]


def _node(_store: Store, node: Object) -> None:
    """A node starts tainted until it is known to be ready (admission plugin TaintNodesByCondition)."""
    taints = node["spec"].get("taints") or []
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    if taint not in taints:
        node["spec"]["taints"] = [*taints, taint]


def _job(_store: Store, job: Object) -> None:
    """Its pods are told from those of other jobs by its uid."""
    spec, meta = job["spec"], job["metadata"]
    if spec.get("manualSelector"):
        return
    labels = {
        "batch.kubernetes.io/controller-uid": meta["uid"],
        "batch.kubernetes.io/job-name": meta["name"],
        "controller-uid": meta["uid"],
        "job-name": meta["name"],
    }
    template = spec["template"]["metadata"]
    template["labels"] = {**(template.get("labels") or {}), **labels}
    if not meta.get("labels"):
        meta["labels"] = dict(template["labels"])
    key = "batch.kubernetes.io/controller-uid"
    spec["selector"] = {"matchLabels": {key: meta["uid"]}}


def allocate(store: Store, kind: Kind, obj: Object) -> None:
    """Give a valid Service its address and node ports, in place. Raises `ApiError` (422) when one is taken."""
    if kind.kind != "Service" or obj["spec"]["type"] == "ExternalName":
        return
    spec = obj["spec"]
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("ipFamilies", ["IPv4"])
    if not spec.get("clusterIP"):
        taken = {s["spec"].get("clusterIP") for s in store.all("Service")}
        spec["clusterIP"] = next(a for a in map(str, SERVICES.hosts()) if a not in taken and a != KUBERNETES)
    spec["clusterIPs"] = [spec["clusterIP"]]
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _node_ports(store, obj)


KUBERNETES = str(SERVICES[1])
"""The address of the API server's own Service."""


def _node_ports(store: Store, obj: Object) -> None:
    """Ports that are asked for first, then any that is left for the others."""
    ports = obj["spec"].get("ports") or ()
    taken = _taken_ports(store, obj)
    for i, port in enumerate(ports):
        if wanted := port.get("nodePort"):
            if wanted in taken:
                cause = Cause.invalid(f"spec.ports[{i}].nodePort", wanted, "provided port is already allocated")
                raise invalid(BY_KIND["Service"], obj["metadata"]["name"], [cause])
            taken.add(wanted)
    for port in ports:
        if not port.get("nodePort"):
            port["nodePort"] = next(p for p in NODE_PORTS if p not in taken)
            taken.add(port["nodePort"])


def _taken_ports(store: Store, obj: Object) -> set[int]:
    uid = obj["metadata"].get("uid")
    others = (s["spec"] for s in store.all("Service") if s["metadata"].get("uid") != uid)
    return {p["nodePort"] for spec in others for p in spec.get("ports") or () if "nodePort" in p}


def changed(kind: Kind, old: Object, obj: Object) -> None:
    """Prepare a changed object, in place: what the server chose stays where the change doesn't speak of it."""
    if kind.kind == "Service" and obj["spec"]["type"] != "ExternalName":
        for field in ("clusterIP", "clusterIPs"):
            if field in old["spec"]:
                obj["spec"].setdefault(field, old["spec"][field])
    elif kind.kind == "Pod":
        tolerate(obj["spec"])


def told(store: Store, kind: Kind, old: Object, obj: Object) -> None:
    """Complete a status that a component told, in place.

    A pod's one address is the first of its addresses; a node's room is its capacity where nothing else is said; of a
    volume it is noted when its phase changed.
    """
    if kind.kind == "PersistentVolume" and old["status"].get("phase") != obj["status"].get("phase"):
        obj["status"][_TRANSITION] = store.now()
    if kind.kind == "Node" and "capacity" in obj["status"]:
        obj["status"].setdefault("allocatable", obj["status"]["capacity"])
    if kind.kind == "Pod":
        status = obj["status"]
        for one, many in (("podIP", "podIPs"), ("hostIP", "hostIPs")):
            if one in status:
                status.setdefault(many, [{"ip": status[one]}])


_NEW: dict[str, Callable[[Store, Object], None]] = {
    "Job": _job,
    "Namespace": _namespace,
    "Node": _node,
    "PersistentVolume": _volume,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
}
