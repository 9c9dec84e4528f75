"""A fleet of any size on a real API server: nodes, workloads with their pods and statuses, and some real faults.

Nothing runs. All objects, with the owners and statuses that controllers and kubelets would have given them, are written
through the API as fast as it takes them, so that lists and watches have their real form and size. Start the control
plane with `controllers=False`, or its controllers would begin to tidy up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec

from kubemend.cluster.connection import connect
from kubemend.cluster.errors import AlreadyExists, OutcomeUnknown
from kubemend.cluster.resource import resource_of
from kubemend.cluster.transport import Transport
from kubemend.model.objects import KINDS

Object = dict[str, Any]

WRITERS = 24
ATTEMPTS = 5
"""How often one object is tried: a busy API server now and then runs out of its own time."""
PODS = 5
"""Pods of one Deployment."""
APPS = 20
"""Deployments in one namespace."""
FAULTS = ("image", "crash", "oom", "config", "probe", "selector", "huge", "port")
"""What is wrong with every `FAULTY`th Deployment, in turn."""
FAULTY = 25


@dataclass(frozen=True)
class Size:
    """How large a fleet is."""

    pods: int
    nodes: int

    @property
    def deployments(self) -> int:
        """All Deployments, of `PODS` pods each."""
        return self.pods // PODS


class Hand(Protocol):
    """What writes objects: a transport to an API server, or what stands in for one."""

    async def get(self, path: str) -> bytes:
        """The body of a GET."""
        ...

    async def send(self, method: str, path: str, body: Any, *, params: tuple[tuple[str, str], ...]) -> bytes:
        """Send a body; the object as it became."""
        ...


@asynccontextmanager
async def opened(kubeconfig: Path) -> AsyncIterator[Transport]:
    """A connection to the API server."""
    async with connect(kubeconfig=str(kubeconfig)).open() as transport:
        yield transport


async def fill(kubeconfig: Path, size: Size) -> None:
    """Write the whole fleet."""
    async with opened(kubeconfig) as transport:
        await write(transport, size)


async def write(hand: Hand, size: Size) -> None:
    """Write the whole fleet through this hand."""
    await at_once(node(hand, i) for i in range(size.nodes))
    spaces = range(-(-size.deployments // APPS))
    await at_once(namespace(hand, i) for i in spaces)
    await at_once(app(hand, i, size) for i in range(size.deployments))


async def at_once(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do it all, `WRITERS` at a time."""
    todo: Iterator[Coroutine[Any, Any, None]] = iter(work)

    async def worker() -> None:
        for one in todo:
            await one

    await asyncio.gather(*(worker() for _ in range(WRITERS)))


async def create(transport: Hand, obj: Object) -> Object:
    """Create one object, and write its status, which a creation drops."""
    kind = KINDS[obj["kind"]]
    obj["apiVersion"] = f"{kind.group}/{kind.version}" if kind.group else kind.version
    meta, at = obj["metadata"], resource_of(kind)
    made = await _posted(transport, at.collection(meta.get("namespace") or None), obj)
    if "status" in obj and kind.plural != "events":
        if "taints" in made["spec"]:  # admission taints a new node as not ready
            del made["spec"]["taints"]
            path = at.object("", meta["name"])
            made = msgspec.json.decode(await transport.send("PUT", path, made, params=_as("controllers")))
        made["status"] = {**made.get("status", {}), **obj["status"]}
        path = at.object(meta.get("namespace", ""), meta["name"], "status")
        await transport.send("PUT", path, made, params=_as("kubelet"))
    return made


async def _posted(transport: Hand, path: str, obj: Object) -> Object:
    for _ in range(ATTEMPTS):
        try:
            made: Object = msgspec.json.decode(await transport.send("POST", path, obj, params=_as("controllers")))
        except OutcomeUnknown:
            continue
        except AlreadyExists:  # an attempt whose end we didn't see
            made = msgspec.json.decode(await transport.get(f"{path}/{obj['metadata']['name']}"))
        return made
    raise SystemExit(f"{path}: {ATTEMPTS} attempts to create {obj['metadata']['name']} failed")


def _as(manager: str) -> tuple[tuple[str, str]]:
    return (("fieldManager", manager),)


async def node(transport: Hand, index: int) -> None:
    """A healthy node with 16 cores and 64 GiB; one in a hundred isn't ready, one is cordoned."""
    name, ill = f"node-{index:04}", index % 100 == 7
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "m5.4xlarge",
        "topology.kubernetes.io/region": "eu-west-1",
        "topology.kubernetes.io/zone": f"eu-west-1{'abc'[index % 3]}",
    }
    room = {"cpu": "16", "memory": "65Gi", "pods": "110", "ephemeral-storage": "200Gi", "hugepages-2Mi": "0"}
    held = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID"),
        ("Ready", "Unknown" if ill else "True", "NodeStatusUnknown" if ill else "KubeletReady"),
    )
    status = {
        "capacity": room,
        "allocatable": {**room, "memory": "64Gi", "cpu": "15800m"},
        "conditions": [
            {"type": t, "status": s, "reason": r, "lastTransitionTime": ago(90000), "lastHeartbeatTime": ago(30)}
            for t, s, r in held
        ],
        "addresses": [{"type": "InternalIP", "address": f"10.{index // 250}.{index % 250}.1"}],
        "images": [
            {"names": [f"registry.example/team/app-{i}@sha256:{i:064x}", f"registry.example/team/app-{i}:v1"]}
            for i in range(40)
        ],
        "nodeInfo": {k: f"{k}-{index}" for k in ("machineID", "systemUUID", "bootID", "kernelVersion", "osImage")}
        | {"containerRuntimeVersion": "containerd://2.1.4", "kubeletVersion": "v1.34.4", "kubeProxyVersion": "v1.34.4"}
        | {"operatingSystem": "linux", "architecture": "amd64"},
    }
    spec: Object = {"podCIDR": f"10.{index // 250}.{index % 250}.0/24", "unschedulable": index % 250 == 11}
    await create(
        transport, {"kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": spec, "status": status}
    )


async def namespace(transport: Hand, index: int) -> None:
    """A namespace with what its controllers put there."""
    name = space(index)
    await create(transport, {"kind": "Namespace", "metadata": {"name": name}})
    await create(transport, {"kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}})
    root = {"kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt", "namespace": name}}
    await create(transport, {**root, "data": {"ca.crt": "M" * 1100}})
    quota = {"kind": "ResourceQuota", "metadata": {"name": "all", "namespace": name}}
    hard = {"count/jobs.batch": "100", "persistentvolumeclaims": "50"}
    await create(
        transport, {**quota, "spec": {"hard": hard}, "status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}
    )


def space(index: int) -> str:
    """The name of a namespace."""
    return f"team-{index:03}"


async def app(transport: Hand, index: int, size: Size, *, count: int = PODS) -> None:
    """A Deployment with its past and present ReplicaSet, its pods, a Service in front of them, and a ConfigMap."""
    fault = FAULTS[index // FAULTY % len(FAULTS)] if index % FAULTY == 3 else ""
    name, ns = f"app-{index:05}", space(index // APPS)
    await create(transport, {"kind": "ConfigMap", "metadata": meta_of(name, ns), "data": {"settings": "x" * 600}})
    template = template_of(name, fault)
    ready = 0 if fault in ("image", "crash", "oom", "config", "probe", "huge") else count
    deployment = await create(
        transport,
        {
            "kind": "Deployment",
            "metadata": meta_of(name, ns, revision=2),
            "spec": {"replicas": count, "selector": {"matchLabels": {"app": name}}, "template": template},
            "status": _counts(ready, count) | {"observedGeneration": 1, "updatedReplicas": count},
        },
    )
    sets = []
    for revision in (1, 2):
        labels = {"app": name, "pod-template-hash": f"{revision}f9c8b7d5"}
        held = {
            **template,
            "metadata": {**template["metadata"], "labels": {**template["metadata"]["labels"], **labels}},
        }
        current = revision == 2
        one = {
            "kind": "ReplicaSet",
            "metadata": meta_of(f"{name}-{revision}f9c8b7d5", ns, deployment, revision=revision),
            "spec": {"replicas": count if current else 0, "selector": {"matchLabels": labels}, "template": held},
            "status": (_counts(ready, count) if current else {"replicas": 0}) | {"observedGeneration": 1},
        }
        sets.append(await create(transport, one))
    port = 8081 if fault == "port" else 8080
    service = {
        "kind": "Service",
        "metadata": meta_of(name, ns),
        "spec": {
            "selector": {"app": name + ("x" if fault == "selector" else "")},
            "ports": [{"port": 80, "targetPort": port, "name": "http"}],
        },
    }
    front = await create(transport, service)
    pods = [await create(transport, pod(index, i, sets[1], fault, size)) for i in range(count)]
    await create(transport, _slice(front, pods, ready=bool(ready) and fault != "selector"))
    if fault:
        await create(transport, _event(pods[0], fault))


def _counts(ready: int, count: int) -> Object:
    return {"replicas": count, "readyReplicas": ready, "availableReplicas": ready, "fullyLabeledReplicas": count} | (
        {} if ready else {"unavailableReplicas": count}
    )


def meta_of(name: str, ns: str, owner: Object | None = None, *, revision: int = 0) -> Object:
    """The metadata of an object, owned by another, of a revision."""
    meta: Object = {
        "name": name,
        "namespace": ns,
        "labels": {"app": name.rpartition("-")[0] if owner else name, "team": ns, "app.kubernetes.io/managed-by": "ci"},
        "annotations": {"deployment.kubernetes.io/revision": str(revision)} if revision else {},
    }
    if owner is not None:
        meta["ownerReferences"] = [owned_by(owner)]
    return meta


def owned_by(obj: Object) -> Object:
    """The owner reference to a controller."""
    keys = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": obj["metadata"]["name"]}
    return {**keys, "uid": obj["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}


def template_of(name: str, fault: str) -> Object:
    """The pod template of an application, with a fault."""
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "failureThreshold": 3}
    asked = {"cpu": "200m", "memory": "256Mi"}
    container = {
        "name": "app",
        "image": f"registry.example/{name}:v2",
        "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 9090, "name": "metrics"}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "SETTINGS", "valueFrom": {"configMapKeyRef": {"name": _config(name, fault), "key": "settings"}}},
            *({"name": f"OPTION_{i}", "value": f"value-{i}"} for i in range(8)),
        ],
        "readinessProbe": {**probe, "initialDelaySeconds": 5},
        "livenessProbe": {**probe, "initialDelaySeconds": 15},
        "resources": {"requests": {**asked, "cpu": "64" if fault == "huge" else "200m"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}, {"name": "scratch", "mountPath": "/tmp"}],
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False},
    }
    sidecar = {
        "name": "proxy",
        "image": "registry.example/proxy:1.9",
        "args": ["--config", "/etc/proxy.yaml"],
        "ports": [{"containerPort": 15000}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
    }
    volumes = [{"name": "config", "configMap": {"name": name}}, {"name": "scratch", "emptyDir": {}}]
    spec = {"containers": [container, sidecar], "volumes": volumes, "serviceAccountName": "default"}
    return {"metadata": {"labels": {"app": name, "version": "v2"}}, "spec": spec}


def _config(name: str, fault: str) -> str:
    return f"{name}-missing" if fault == "config" else name


def pod(index: int, which: int, owner: Object, fault: str, size: Size) -> Object:
    """One pod as its node would report it."""
    ns, name = owner["metadata"]["namespace"], f"{owner['metadata']['name']}-{which:03}xk"
    template = msgspec.json.decode(msgspec.json.encode(owner["spec"]["template"]))
    place = (index * PODS + which) * 7919 % size.nodes
    labels = {**template["metadata"]["labels"]}
    meta = {
        **meta_of(name, ns),
        "labels": labels,
        "ownerReferences": [owned_by(owner)],
        "annotations": {"team/owner": ns},
    }
    if fault == "huge":
        told = "0/500 nodes are available: 500 Insufficient cpu. preemption: 0/500 nodes are available."
        why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": told}
        status: Object = {"phase": "Pending", "conditions": [{**why, "lastTransitionTime": ago(600)}]}
        return {"kind": "Pod", "metadata": meta, "spec": template["spec"], "status": status}
    spec = {**template["spec"], "nodeName": f"node-{place:04}"}
    return {"kind": "Pod", "metadata": meta, "spec": spec, "status": pod_status(template["spec"], index, which, fault)}


def pod_status(spec: Object, index: int, which: int, fault: str = "") -> Object:
    """The status of a placed pod: running and ready, or with its first container at fault."""
    started, address = ago(7200), f"10.{index // 250 % 250}.{(index + which // 250) % 250}.{which % 250 + 2}"
    well = {"ready": True, "started": True, "restartCount": 0, "state": {"running": {"startedAt": started}}}
    statuses = []
    for container in spec["containers"]:
        image = {"image": container["image"], "imageID": f"{container['image']}@sha256:{index:064x}"}
        state = _state(fault, container) if container["name"] == "app" and fault else well
        ids = (
            {} if state.get("state", {}).get("waiting", {}).get("reason", "").startswith(("Image", "Create")) else image
        )
        statuses.append(
            {"name": container["name"], "image": container["image"], "imageID": "", **ids, **state}
            | {"containerID": f"containerd://{index:060x}{which:04x}"}
        )
    ready = "True" if all(s["ready"] for s in statuses) else "False"
    held = (
        ("PodReadyToStartContainers", "True"),
        ("Initialized", "True"),
        ("Ready", ready),
        ("ContainersReady", ready),
    )
    conditions = [
        {"type": t, "status": s, "lastTransitionTime": ago(7100), "lastProbeTime": None}
        for t, s in (*held, ("PodScheduled", "True"))
    ]
    return {
        "phase": "Pending" if fault in ("image", "config") else "Running",
        "conditions": conditions,
        "containerStatuses": statuses,
        "startTime": ago(7210),
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": "10.1.1.1",
        "hostIPs": [{"ip": "10.1.1.1"}],
        "qosClass": "Burstable",
    }


def _state(fault: str, container: Object) -> Object:
    """The status fields of a container that is at fault."""
    ended = {"startedAt": ago(100), "finishedAt": ago(60), "exitCode": 1, "reason": "Error"}
    down = {"ready": False, "started": False, "restartCount": 6}
    back_off = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=app"}}
    match fault:
        case "image":
            message = f'Back-off pulling image "{container["image"]}": not found'
            return {**down, "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": message}}}
        case "crash":
            return {**down, "state": back_off, "lastState": {"terminated": ended}}
        case "oom":
            killed = {**ended, "exitCode": 137, "reason": "OOMKilled"}
            return {**down, "state": back_off, "lastState": {"terminated": killed}}
        case "config":
            why = {"reason": "CreateContainerConfigError", "message": 'configmap "gone" not found'}
            return {**down, "restartCount": 0, "state": {"waiting": why}}
        case "probe":
            return {"ready": False, "started": True, "restartCount": 0, "state": {"running": {"startedAt": ago(7200)}}}
    return {"ready": True, "started": True, "restartCount": 0, "state": {"running": {"startedAt": ago(7200)}}}


def _slice(service: Object, pods: list[Object], *, ready: bool) -> Object:
    meta = service["metadata"]
    labels = {"kubernetes.io/service-name": meta["name"], "endpointslice.kubernetes.io/managed-by": "controllers"}
    endpoints = [
        {
            "addresses": [(p["status"].get("podIP") or "10.9.9.9")],
            "conditions": {"ready": ready, "serving": ready, "terminating": False},
            "nodeName": p["spec"].get("nodeName") or "node-0000",
            "targetRef": {"kind": "Pod", "namespace": meta["namespace"], "name": p["metadata"]["name"]},
        }
        for p in pods
    ]
    made = {"name": f"{meta['name']}-x7b2k", "namespace": meta["namespace"], "labels": labels}
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    kind = {"kind": "EndpointSlice", "addressType": "IPv4", "endpoints": endpoints, "ports": ports}
    return {**kind, "metadata": {**made, "ownerReferences": [owned_by(service)]}}


def _event(about: Object, fault: str) -> Object:
    meta = about["metadata"]
    involved = {"kind": "Pod", "apiVersion": "v1", "namespace": meta["namespace"], "name": meta["name"]}
    reason = {"probe": "Unhealthy", "huge": "FailedScheduling", "image": "Failed"}.get(fault, "BackOff")
    text = "Readiness probe failed: HTTP probe failed with statuscode: 503" if fault == "probe" else f"{fault}"
    return {
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.17a", "namespace": meta["namespace"]},
        "involvedObject": {**involved, "uid": meta["uid"]},
        "reason": reason,
        "message": text,
        "type": "Warning",
        "count": 7,
        "firstTimestamp": ago(3000),
        "lastTimestamp": ago(60),
        "source": {"component": "kubelet"},
    }


def ago(seconds: float) -> str:
    """A time as the API writes it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
