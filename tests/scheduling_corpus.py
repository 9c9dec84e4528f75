"""Generated small clusters, and pods that look for a place in them, in the API's own shapes.

A world is written as its controllers leave it: taints that follow from conditions are there, bound claims say so. The
same seed gives the same worlds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Raw = dict[str, Any]
Luck = random.Random

HOST = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
GPU = "example.com/gpu"
PIN = "kubemend.dev/on-"
"""With a node's name: a resource that this node alone has, so that asking for it pins a pod without any affinity."""
ZONES = ("a", "b", "c")
APPS = ("web", "db", "cache")
SPACES = {"sched-a": {"team": "red"}, "sched-b": {"team": "blue", "env": "prod"}, "sched-c": {}}
"""Namespaces and their labels."""
OVERHEAD = {"cpu": "300m", "memory": "200Mi"}
"""What the RuntimeClass `heavy` adds to a pod."""
GUESTS = [{"operator": "Exists"}]
"""Placed pods tolerate everything: the taint manager would evict them else."""
TAINTS = (
    {"key": "dedicated", "value": "db", "effect": "NoSchedule"},
    {"key": "dedicated", "value": "web", "effect": "NoExecute"},
    {"key": "spot", "effect": "NoSchedule"},
    {"key": "spot", "value": "yes", "effect": "NoExecute"},
    {"key": "slow", "effect": "PreferNoSchedule"},
)
DISKS = (
    {"gcePersistentDisk": {"pdName": "disk-1", "readOnly": True}},
    {"gcePersistentDisk": {"pdName": "disk-1"}},
    {"awsElasticBlockStore": {"volumeID": "vol-1", "readOnly": True}},
    {"iscsi": {"targetPortal": "10.0.0.1:3260", "iqn": "iqn.2026-01.dev.kubemend:one", "lun": 0, "readOnly": True}},
    {"iscsi": {"targetPortal": "10.0.0.2:3260", "iqn": "iqn.2026-01.dev.kubemend:one", "lun": 1}},
    {"rbd": {"monitors": ["10.0.0.1:6789", "10.0.0.2:6789"], "pool": "fast", "image": "one", "readOnly": True}},
    {"rbd": {"monitors": ["10.0.0.2:6789", "10.0.0.3:6789"], "pool": "fast", "image": "one"}},
    {"rbd": {"monitors": ["10.0.0.4:6789"], "pool": "fast", "image": "one"}},
)
"""Volumes named in the pod itself, of which a node may have one only."""


@dataclass
class Asked:
    """A pod to place, what it is about, and the storage that is there for it alone."""

    pod: Raw
    features: list[str] = field(default_factory=list)
    storage: list[Raw] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])

    @property
    def spec(self) -> Raw:
        spec: Raw = self.pod["spec"]
        return spec

    @property
    def space(self) -> str:
        return str(self.pod["metadata"]["namespace"])

    @property
    def gated(self) -> bool:
        return "schedulingGates" in self.spec

    @property
    def late(self) -> bool:
        """Whether the scheduler itself binds its claims once it has chosen a node."""
        return any(o.get("volumeBindingMode") == "WaitForFirstConsumer" for o in self.storage)


@dataclass
class World:
    """A cluster. `pods` are all that are there: placed, ended, leaving, and waiting for a scheduler of another name."""

    name: str
    nodes: list[Raw]
    pods: list[Raw]
    storage: list[Raw]
    asked: list[Asked] = field(default_factory=list)

    def objects(self, kind: str) -> Iterator[Raw]:
        """All of a kind, the storage of the pods to place included."""
        mine = (*self.nodes, *self.pods, *self.storage, *(o for a in self.asked for o in a.storage))
        return (o for o in mine if o["kind"] == kind)


Feature = Callable[[Luck, World, Asked], None]


def worlds(count: int, pods: int, features: dict[str, Feature], leads: Sequence[str], seed: int = 0) -> list[World]:
    """So many worlds with so many pods to place in each. Each of `leads` leads in its turn, others join by chance."""
    luck, names, made = Luck(seed), list(features), list[World]()
    for number in range(count):
        world = _world(luck, f"w{number}")
        for i in range(pods):
            asked = _asked(luck, f"{world.name}-ask-{i}")
            others = luck.sample(names, luck.choice((0, 0, 0, 0, 1, 2)))
            for name in dict.fromkeys((leads[(number * pods + i) % len(leads)], *others)):
                features[name](luck, world, asked)
                asked.features.append(name)
            world.asked.append(asked)
        made.append(world)
    return made


def _asked(luck: Luck, name: str) -> Asked:
    requests = {"cpu": luck.choice(("100m", "200m", "500m")), "memory": luck.choice(("64Mi", "256Mi"))}
    spec: Raw = {"containers": [container(requests)], "priorityClassName": "never-preempts"}
    if luck.random() < 0.7:
        spec["tolerations"] = GUESTS
    space = luck.choice(list(SPACES))
    labels = {"app": luck.choice(APPS), "tier": luck.choice(("front", "back")), "version": luck.choice("12")}
    return Asked({"kind": "Pod", "metadata": {"name": name, "namespace": space, "labels": labels}, "spec": spec})


def _world(luck: Luck, name: str) -> World:
    nodes = [_node(luck, f"{name}-node-{i}") for i in range(luck.randrange(4, 7))]
    world = World(name, nodes, [], [])
    for i in range(luck.randrange(8, 14)):
        world.pods.append(_placed(luck, f"{name}-pod-{i}", luck.choice(nodes)["metadata"]["name"]))
    for i in range(2):
        waiting = _placed(luck, f"{name}-waiting-{i}", "")
        waiting["spec"]["schedulerName"] = "another"
        world.pods.append(waiting)
    _sole(luck, world)
    return world


def _node(luck: Luck, name: str) -> Raw:
    labels = {HOST: name, "disk": luck.choice(("ssd", "hdd")), "cores": luck.choice(("2", "8", "16", "many"))}
    if luck.random() < 0.85:
        labels |= {ZONE: luck.choice(ZONES), REGION: "r"}
    if luck.random() < 0.3:
        labels["rack"] = luck.choice("12")
    room = {
        "cpu": luck.choice(("1500m", "2", "4", "4")),
        "memory": luck.choice(("1Gi", "2Gi", "4Gi")),
        "pods": luck.choice(("3", "8", "110", "110", "110")),
        "ephemeral-storage": luck.choice(("1Gi", "10Gi")),
        "hugepages-2Mi": luck.choice(("0", "16Mi")),
        f"{PIN}{name}": "1k",
        **({GPU: "2"} if luck.random() < 0.5 else {}),
    }
    spec: Raw = {"taints": [dict(t) for t in luck.sample(TAINTS, luck.choice((0, 0, 0, 0, 1, 1, 2)))]}
    status: Raw = {"allocatable": room, "capacity": room, "conditions": _conditions(luck, spec)}
    if luck.random() < 0.1:
        spec["unschedulable"] = True
        spec["taints"].append(_condition_taint("unschedulable"))
    return {"kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": spec, "status": status}


def _conditions(luck: Luck, spec: Raw) -> list[Raw]:
    """A node's conditions, with the taints that follow from them put into its spec."""
    ill = luck.choice((*("",) * 18, "MemoryPressure", "Ready"))
    if ill == "MemoryPressure":
        spec["taints"].append(_condition_taint("memory-pressure"))
    if ill == "Ready":
        spec["taints"] += [_condition_taint("not-ready"), _condition_taint("not-ready", "NoExecute")]
    return [
        {"type": "Ready", "status": "False" if ill == "Ready" else "True", "reason": "Kubelet"},
        {"type": "MemoryPressure", "status": "True" if ill == "MemoryPressure" else "False", "reason": "Kubelet"},
    ]


def _condition_taint(name: str, effect: str = "NoSchedule") -> Raw:
    return {"key": f"node.kubernetes.io/{name}", "effect": effect}


def _placed(luck: Luck, name: str, node: str) -> Raw:
    requests = {"cpu": luck.choice(("0", "100m", "100500u", "400m")), "memory": luck.choice(("64Mi", "300Mi"))}
    if luck.random() < 0.2:
        requests["ephemeral-storage"] = "300Mi"
    spec: Raw = {"containers": [container(requests)], "tolerations": GUESTS, "nodeName": node}
    if luck.random() < 0.15:
        spec["containers"][0]["resources"]["limits"] = {GPU: "1"}
    if luck.random() < 0.35:
        spec["containers"][0]["ports"] = [port(luck)]
    if luck.random() < 0.12:
        spec["affinity"] = {"podAntiAffinity": {HARD: [_dislike(luck)]}}
    if luck.random() < 0.25:
        spec["volumes"] = [{"name": "disk", **luck.choice(DISKS)}]
    spec["priorityClassName"] = luck.choice(("lowly", "never-preempts", ""))
    labels = {"app": luck.choice(APPS), "tier": luck.choice(("front", "back"))}
    if luck.random() < 0.7:
        labels["version"] = luck.choice("12")
    meta: Raw = {"name": name, "namespace": luck.choice(("sched-a", *SPACES)), "labels": labels}
    status: Raw = {"phase": luck.choice(("Running",) * 8 + ("Succeeded", "Failed")) if node else "Pending"}
    if status["phase"] == "Running" and luck.random() < 0.2:
        status |= _resizing(luck, requests)
        requests["cpu"] = luck.choice(("0", "1200m"))
    if status["phase"] == "Running" and luck.random() < 0.15:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def _resizing(luck: Luck, requests: Raw) -> Raw:
    """The status of a pod that is to be made smaller, or larger, which its node may not have room for."""
    has = {**requests, "cpu": luck.choice(("50m", "900m"))}
    status = {"name": "app", "image": "registry.test/app:1", "imageID": "", "ready": True, "restartCount": 0}
    status |= {"resources": {"requests": has}, "allocatedResources": {**has, "memory": luck.choice(("64Mi", "700Mi"))}}
    pending = {"type": "PodResizePending", "status": "True", "reason": luck.choice(("Infeasible", "Deferred"))}
    return {"containerStatuses": [status], **({"conditions": [pending]} if luck.random() < 0.8 else {})}


HARD = "requiredDuringSchedulingIgnoredDuringExecution"


def _dislike(luck: Luck) -> Raw:
    """An anti-affinity term of a pod that is there already."""
    disliked: Raw = {"topologyKey": luck.choice((HOST, ZONE, "rack")), "labelSelector": selector(luck)}
    match luck.randrange(5):
        case 0:
            disliked["namespaces"] = luck.sample(list(SPACES), 2)
        case 1:
            disliked["namespaceSelector"] = luck.choice(({}, {"matchLabels": {"team": "red"}}))
        case 2:
            disliked["matchLabelKeys"] = ["version"]
    return disliked


def selector(luck: Luck) -> Raw:
    """A label selector that takes some pods."""
    match luck.randrange(4):
        case 0:
            return {"matchExpressions": [{"key": "app", "operator": "In", "values": luck.sample(APPS, 2)}]}
        case 1:
            return {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": [luck.choice(APPS)]}]}
        case 2:
            return {"matchLabels": {"tier": luck.choice(("front", "back"))}}
    return {"matchLabels": {"app": luck.choice(APPS)}}


def container(requests: Raw, name: str = "app", **more: Any) -> Raw:
    return {"name": name, "image": "registry.test/app:1", "resources": {"requests": requests}, **more}


def port(luck: Luck) -> Raw:
    """A host port, of so few that they often meet."""
    made: Raw = {"containerPort": 8080, "hostPort": luck.choice((8080, 9090)), "protocol": luck.choice(("TCP", "UDP"))}
    if (address := luck.choice(("", "0.0.0.0", "10.0.0.1", "10.0.0.1", "10.0.0.2"))) != "":
        made["hostIP"] = address
    return made


def _sole(luck: Luck, world: World) -> None:
    """A claim for one pod alone, which a pod may have already."""
    name, space = f"{world.name}-sole", "sched-a"
    world.storage += bound(name, space, modes=["ReadWriteOncePod"])
    if luck.random() < 0.7:
        node = luck.choice(world.nodes)["metadata"]["name"]
        holder = _placed(luck, f"{world.name}-holder", node)
        holder["metadata"]["namespace"] = space
        holder["spec"].setdefault("volumes", []).append(claiming(name))
        world.pods.append(holder)


def claiming(name: str) -> Raw:
    """A volume of a pod that is a claim."""
    return {"name": name, "persistentVolumeClaim": {"claimName": name}}


def bound(
    name: str, space: str, *, modes: list[str] | None = None, labels: Raw | None = None, **spec: Any
) -> list[Raw]:
    """A claim with its volume of the same name."""
    kept = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": space, "name": name}
    held = volume(name, "", modes=modes, labels=labels, claimRef=kept, **spec)
    mine = claim(name, space, "", modes=modes, volumeName=name)
    held["status"]["phase"] = mine["status"]["phase"] = "Bound"
    return [held, mine]


def volume(name: str, of: str, *, modes: list[str] | None = None, labels: Raw | None = None, **spec: Any) -> Raw:
    """A free volume of a storage class."""
    held = {
        "storageClassName": of,
        "accessModes": modes or ["ReadWriteOnce"],
        "capacity": {"storage": "2Gi"},
        "hostPath": {"path": f"/volumes/{name}"},
        "persistentVolumeReclaimPolicy": "Retain",
        **spec,
    }
    meta = {"name": name, "labels": labels or {}}
    return {"kind": "PersistentVolume", "metadata": meta, "spec": held, "status": {"phase": "Available"}}


def claim(name: str, space: str, of: str, *, modes: list[str] | None = None, size: str = "1Gi", **spec: Any) -> Raw:
    """A claim that waits for its volume."""
    asked = {
        "storageClassName": of,
        "accessModes": modes or ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        **spec,
    }
    meta = {"name": name, "namespace": space}
    return {"kind": "PersistentVolumeClaim", "metadata": meta, "spec": asked, "status": {"phase": "Pending"}}
