"""Judges that overlook something, as worlds from which it is taken away: what they see is what they would judge by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scheduling_corpus import GPU, HARD, ZONE, Raw, World

Mistake = Callable[[World], None]


def _asked(world: World) -> Iterator[Raw]:
    return (a.spec for a in world.asked)


def _containers(spec: Raw) -> list[Raw]:
    return [*spec["containers"], *spec.get("initContainers", ())]


def _taints(*effects: str) -> Mistake:
    def overlook(world: World) -> None:
        for node in world.nodes:
            node["spec"]["taints"] = [t for t in node["spec"]["taints"] if t["effect"] not in effects]

    return overlook


def _cordons(world: World) -> None:
    for node in world.nodes:
        node["spec"].pop("unschedulable", None)
        taints = node["spec"]["taints"]
        node["spec"]["taints"] = [t for t in taints if t["key"] != "node.kubernetes.io/unschedulable"]


def _of_tolerations(field: str) -> Mistake:
    def overlook(world: World) -> None:
        for spec in _asked(world):
            spec["tolerations"] = [{k: v for k, v in t.items() if k != field} for t in spec.get("tolerations", ())]

    return overlook


def _resource(name: str) -> Mistake:
    """Each node has plenty of it."""

    def overlook(world: World) -> None:
        for node in world.nodes:
            node["status"]["allocatable"][name] = "1M"

    return overlook


def _of_spec(field: str) -> Mistake:
    def overlook(world: World) -> None:
        for spec in _asked(world):
            spec.pop(field, None)

    return overlook


def _init(world: World) -> None:
    for spec in _asked(world):
        spec["initContainers"] = [c for c in spec.get("initContainers", ()) if "restartPolicy" in c]


def _sidecars(world: World) -> None:
    for spec in _asked(world):
        for one in spec.get("initContainers", ()):
            one.pop("restartPolicy", None)


def _limits(world: World) -> None:
    for spec in _asked(world):
        for one in _containers(spec):
            one["resources"].pop("limits", None)


def _resizes(world: World) -> None:
    for pod in world.pods:
        pod["status"].pop("containerStatuses", None)


def _refused_resizes(world: World) -> None:
    for pod in world.pods:
        pod["status"].pop("conditions", None)


def _ended(world: World) -> None:
    for pod in world.pods:
        if pod["spec"]["nodeName"]:
            pod["status"]["phase"] = "Running"


def _leaving(world: World) -> None:
    for pod in world.pods:
        pod["metadata"].pop("deletionTimestamp", None)


def _affinity(kind: str) -> Mistake:
    def overlook(world: World) -> None:
        for spec in _asked(world):
            spec.get("affinity", {}).pop(kind, None)

    return overlook


def _wishes(operator: str, fields: str = "matchExpressions") -> Mistake:
    """Of node affinity: what is left of a term must be something, or it would match no node."""

    def overlook(world: World) -> None:
        for spec in _asked(world):
            terms = spec.get("affinity", {}).get("nodeAffinity", {}).get(HARD, {}).get("nodeSelectorTerms", ())
            for term in filter(None, terms):
                term[fields] = [r for r in term.get(fields, ()) if r["operator"] != operator]
                term["matchFields"] = [*term.get("matchFields", ()), _anywhere()]

    return overlook


def _anywhere() -> Raw:
    return {"key": "metadata.name", "operator": "NotIn", "values": ["nowhere"]}


def _symmetry(world: World) -> None:
    for pod in world.pods:
        pod["spec"].pop("affinity", None)


def _terms(field: str) -> Mistake:
    """A field of the pod (anti-)affinity terms of all pods."""

    def overlook(world: World) -> None:
        for spec in (*_asked(world), *(p["spec"] for p in world.pods)):
            for kind in ("podAffinity", "podAntiAffinity"):
                for term in spec.get("affinity", {}).get(kind, {}).get(HARD, ()):
                    term.pop(field, None)

    return overlook


def _first(world: World) -> None:
    """A pod that wants its like near is let go first, since it is not taken for one of them itself."""
    for asked in world.asked:
        labels = asked.pod["metadata"]["labels"]
        if labels["app"] == "new":
            labels["app"] = "web"


def _spread(field: str) -> Mistake:
    def overlook(world: World) -> None:
        for spec in _asked(world):
            for constraint in spec.get("topologySpreadConstraints", ()):
                constraint.pop(field, None)

    return overlook


def _one_spread(world: World) -> None:
    for spec in _asked(world):
        spec["topologySpreadConstraints"] = spec.get("topologySpreadConstraints", [])[:1]


def _ports(**fields: Any) -> Mistake:
    def overlook(world: World) -> None:
        for spec in (*_asked(world), *(p["spec"] for p in world.pods)):
            for one in _containers(spec):
                for port in one.get("ports", ()):
                    port.update(fields)

    return overlook


def _sidecar_ports(world: World) -> None:
    for spec in _asked(world):
        for one in spec.get("initContainers", ()):
            one.pop("ports", None)


def _storage(kind: str, *path: str, **fields: Any) -> Mistake:
    """A field of the storage of all pods to place, or of the whole world, taken away or set."""

    def overlook(world: World) -> None:
        for one in world.objects(kind):
            part = one
            for step in path[:-1]:
                part = part.get(step, {})
            if path:
                part.pop(path[-1], None)
            if fields:
                one["spec"].update(fields)

    return overlook


def _disks(world: World) -> None:
    for spec in _asked(world):
        spec["volumes"] = [v for v in spec.get("volumes", ()) if "persistentVolumeClaim" in v]


def _read_only(world: World) -> None:
    """Disks that are only read are taken for written ones."""
    for spec in (*_asked(world), *(p["spec"] for p in world.pods)):
        for volume in spec.get("volumes", ()):
            for disk in volume.values():
                if isinstance(disk, dict):
                    disk.pop("readOnly", None)


def _rivals(world: World) -> None:
    """Of several claims of a pod each is looked at as if it were alone."""
    for asked in world.asked:
        waiting = [o for o in asked.storage if o["kind"] == "PersistentVolumeClaim" and "-hand-" in _name(o)]
        gone = [_name(o) for o in waiting[1:]]
        asked.storage = [o for o in asked.storage if _name(o) not in gone or o["kind"] != "PersistentVolumeClaim"]
        asked.spec["volumes"] = [v for v in asked.spec.get("volumes", ()) if v["name"] not in gone]


def _name(obj: Raw) -> str:
    return str(obj["metadata"]["name"])


MISTAKES: dict[str, Mistake] = {
    "taints": _taints("NoSchedule", "NoExecute"),
    "NoSchedule taints": _taints("NoSchedule"),
    "NoExecute taints": _taints("NoExecute"),
    "cordons": _cordons,
    "tolerations": _of_spec("tolerations"),
    "the effect of a toleration": _of_tolerations("effect"),
    "the key of a toleration": _of_tolerations("key"),
    "the value of a toleration": _of_tolerations("value"),
    "the operator of a toleration": _of_tolerations("operator"),
    "cpu": _resource("cpu"),
    "memory": _resource("memory"),
    "ephemeral storage": _resource("ephemeral-storage"),
    "extended resources": _resource(GPU),
    "huge pages": _resource("hugepages-2Mi"),
    "the number of pods": _resource("pods"),
    "limits that are requests": _limits,
    "overhead": _of_spec("overhead"),
    "pod-level resources": _of_spec("resources"),
    "init containers": _init,
    "that sidecars go on running": _sidecars,
    "resizes": _resizes,
    "that a resize is refused": _refused_resizes,
    "that pods have ended": _ended,
    "that pods are leaving": _leaving,
    "node selectors": _of_spec("nodeSelector"),
    "node affinity": _affinity("nodeAffinity"),
    **{f"the operator {o}": _wishes(o) for o in ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")},
    "names of nodes": _wishes("In", "matchFields"),
    "names of nodes that aren't wanted": _wishes("NotIn", "matchFields"),
    "pod affinity": _affinity("podAffinity"),
    "pod anti-affinity": _affinity("podAntiAffinity"),
    "what placed pods keep away": _symmetry,
    "namespaces of a term": _terms("namespaces"),
    "the namespace selector of a term": _terms("namespaceSelector"),
    "matchLabelKeys of a term": _terms("matchLabelKeys"),
    "mismatchLabelKeys of a term": _terms("mismatchLabelKeys"),
    "the selector of a term": _terms("labelSelector"),
    "that a pod is the first of its like": _first,
    "spread": _of_spec("topologySpreadConstraints"),
    "all constraints but one": _one_spread,
    "wishes, which aren't constraints": _spread("whenUnsatisfiable"),
    **{
        f"{field} of a constraint": _spread(field)
        for field in ("maxSkew", "minDomains", "nodeAffinityPolicy", "nodeTaintsPolicy", "matchLabelKeys")
    },
    "host ports": _ports(hostPort=0),
    "the protocol of a port": _ports(protocol="TCP"),
    "the address of a port": _ports(hostIP=""),
    "that one address is not another": _ports(hostIP="10.0.0.1"),
    "ports of sidecars": _sidecar_ports,
    "the host's network": _of_spec("hostNetwork"),
    "volumes": _of_spec("volumes"),
    "where a volume can be reached": _storage("PersistentVolume", "spec", "nodeAffinity"),
    "the zone of a volume": _storage("PersistentVolume", "metadata", "labels", ZONE),
    "where a class makes volumes": _storage("StorageClass", "allowedTopologies"),
    "the size of a volume": _storage("PersistentVolume", capacity={"storage": "1Ti"}),
    "the mode of a volume": _storage("PersistentVolume", "spec", "volumeMode"),
    "the selector of a claim": _storage("PersistentVolumeClaim", "spec", "selector"),
    "that a claim is for one pod": _storage("PersistentVolumeClaim", accessModes=["ReadWriteOnce"]),
    "how a volume may be used": _storage("PersistentVolume", accessModes=["ReadWriteOnce", "ReadOnlyMany"]),
    "whether a claim is bound": _storage("PersistentVolumeClaim", "status", "phase"),
    "that claims of a pod are rivals": _rivals,
    "disks": _disks,
    "that disks are only read": _read_only,
}
"""What is overlooked, and how a world looks to one who does."""
