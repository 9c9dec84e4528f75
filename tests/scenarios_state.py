"""The state of a cluster as stock kubectl tells it, and what must not have become of it: the oracle of every scenario.

Three states are held against each other: healthy, broken (healthy, and what the fault's own `kubectl apply` answered on
top), and end. Nothing here knows kubemend.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from msgspec import UNSET

from kubemend.lab.scenarios import Cast

Kubectl = Callable[..., str]
Object = dict[str, Any]

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
PODDED = (*WORKLOADS, "Job", "CronJob", "Pod")
NAMESPACED = (
    "deployments,statefulsets,daemonsets,jobs,cronjobs,pods,services,endpointslices,configmaps,secrets,serviceaccounts,"
    "persistentvolumeclaims,resourcequotas,limitranges,horizontalpodautoscalers,poddisruptionbudgets,ingresses,"
    "networkpolicies,roles,rolebindings"
)
FARING = "deployments,statefulsets,daemonsets,jobs,pods,services,endpointslices,persistentvolumeclaims"
"""The kinds of which it can be said how they fare."""
CLUSTERWIDE = (
    "nodes,namespaces,storageclasses,priorityclasses,ingressclasses,clusterroles,clusterrolebindings,"
    "validatingwebhookconfigurations,mutatingwebhookconfigurations"
)
_OTHERS_KEEP = (
    "deployment.kubernetes.io/revision",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
)
"""Annotations that controllers write while they do their work."""


class Key(NamedTuple):
    """An object's address."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" + (f" in {self.namespace}" if self.namespace else "")


World = dict[Key, Object]


def key_of(obj: Object) -> Key:
    metadata = obj["metadata"]
    return Key(obj["kind"], metadata.get("namespace", ""), metadata["name"])


def named(cast: Cast, text: str) -> Key:
    """The object that a scenario names as Kind/name."""
    kind, _, name = text.partition("/")
    clusterwide = kind in ("Node", "Namespace", "StorageClass", "PriorityClass", "IngressClass") or "luster" in kind
    return Key(kind, "" if clusterwide or kind.endswith("WebhookConfiguration") else cast.namespace, name)


def world(kubectl: Kubectl, kinds: str = f"{NAMESPACED},{CLUSTERWIDE}") -> World:
    """Everything that people write and that shows how it fares; or some kinds of it."""
    found = json.loads(kubectl("get", kinds, "-A", "-o", "json"))["items"]
    return {key_of(o): o for o in found}


def laid_over(state: World, applied: Iterable[Object], deleted: Iterable[Key] = ()) -> World:
    """A state with what kubectl answered when it applied something."""
    gone = set(deleted)
    return {k: o for k, o in {**state, **{key_of(o): o for o in applied}}.items() if k not in gone}


def ours(state: World) -> World:
    """What people wrote: without what controllers made of it."""
    claims = {claim for k, o in state.items() if k.kind == "StatefulSet" for claim in _claims(k, o)}
    return {k: o for k, o in state.items() if not (_made(k, o) or _claimed(k) in claims)}


def _made(key: Key, obj: Object) -> bool:
    owned = any(r.get("controller") for r in obj["metadata"].get("ownerReferences") or ())
    return owned or key.kind == "EndpointSlice" or key.name == "kube-root-ca.crt"


def _claimed(key: Key) -> tuple[str, str] | None:
    return (key.namespace, key.name.rpartition("-")[0]) if key.kind == "PersistentVolumeClaim" else None


def _claims(key: Key, stateful_set: Object) -> Iterator[tuple[str, str]]:
    """Namespace, and name without the ordinal, of the claims that a StatefulSet's controller makes; it owns none."""
    for template in stateful_set["spec"].get("volumeClaimTemplates") or ():
        yield key.namespace, f"{template['metadata']['name']}-{key.name}"


def intent(obj: Object, *, scaled: bool = False) -> Object:
    """What an object asks for, without what controllers and kubelets write. scaled: an autoscaler sets its replicas."""
    metadata = obj["metadata"]
    notes = {k: v for k, v in (metadata.get("annotations") or {}).items() if not k.startswith(_OTHERS_KEEP)}
    spec = dict(obj.get("spec") or {})
    body = {k: v for k, v in obj.items() if k not in ("metadata", "status", "spec", "apiVersion")}
    if obj["kind"] == "PersistentVolumeClaim":
        spec.pop("volumeName", None)
    if obj["kind"] == "Pod":
        spec.pop("nodeName", None)
    if scaled:
        spec.pop("replicas", None)
    if obj["kind"] == "Node":
        theirs = "node.kubernetes.io/"
        taints = [t for t in spec.get("taints") or () if not t["key"].startswith(theirs)]
        return {"labels": metadata.get("labels"), "unschedulable": spec.get("unschedulable", False), "taints": taints}
    return {**body, "labels": metadata.get("labels") or {}, "annotations": notes, "spec": spec}


def complete(obj: Object) -> bool:
    """Whether a workload is all there, and all of its last revision."""
    status, wanted = obj.get("status", {}), obj["spec"].get("replicas", 1)
    if status.get("observedGeneration") != obj["metadata"].get("generation"):
        return False
    if obj["kind"] == "Deployment":
        counts = (status.get(f"{what}eplicas", 0) for what in ("updatedR", "availableR", "r"))
        return all(c == wanted for c in counts)
    if obj["kind"] == "StatefulSet":
        moved = status.get("currentRevision") == status.get("updateRevision")
        return moved and all(status.get(w, 0) == wanted for w in ("readyReplicas", "replicas"))
    wanted = status.get("desiredNumberScheduled", 0)
    return all(status.get(w, 0) == wanted for w in ("numberReady", "updatedNumberScheduled"))


def has(obj: Object, condition: str) -> bool:
    """Whether a condition of it is true."""
    return any(c["type"] == condition and c["status"] == "True" for c in obj.get("status", {}).get("conditions") or ())


def served(state: World, service: Key) -> bool:
    """Whether a Service has a ready endpoint."""
    slices = (o for k, o in state.items() if k.kind == "EndpointSlice" and k.namespace == service.namespace)
    mine = (s for s in slices if (s["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == service.name)
    return any(
        e.get("conditions", {}).get("ready") is not False and e.get("addresses")
        for s in mine
        for e in s.get("endpoints") or ()
    )


def fares(state: World, key: Key) -> bool | None:
    """Whether one object does what it is for. None for what can't be said of its kind, or isn't there."""
    obj = state.get(key)
    if obj is None:
        return None
    if key.kind in WORKLOADS:
        return complete(obj)
    if key.kind == "Service":
        return served(state, key)
    if key.kind == "PersistentVolumeClaim":
        return bool(obj.get("status", {}).get("phase") == "Bound")
    if key.kind == "Job":
        return has(obj, "Complete")
    if key.kind == "Pod":
        return has(obj, "Ready") or obj.get("status", {}).get("phase") == "Succeeded"
    return None


def ailing(cast: Cast, healthy: World, broken: World, end: World) -> list[str]:
    """What is not as well as it was in the healthy state, or is new with the fault and not well."""
    found = []
    for key in ours(end):
        if key.namespace != cast.namespace and key not in _named_nodes(cast):
            continue
        should = (
            fares(healthy, key) if key in healthy else key.kind in WORKLOADS or (key.kind in PODDED and key in broken)
        )
        if should and fares(end, key) is False:
            found.append(f"{key} is not well")
    return found


def _named_nodes(cast: Cast) -> set[Key]:
    return {k for c in cast.scenario.causes if (k := named(cast, c.target)).kind == "Node"}


def harm(cast: Cast, healthy: World, broken: World, end: World) -> list[str]:
    """What a repair must not have done, in this scenario's namespace and to its own cluster-wide objects."""
    scenario = cast.scenario
    targets = {named(cast, t) for t in (*(c.target for c in scenario.causes), *scenario.touches)}
    mine = cast.namespace
    before = {k: o for k, o in ours(broken).items() if k.namespace == mine}
    after = {k: o for k, o in ours(end).items() if k.namespace == mine}
    found: list[tuple[str, str]] = []
    for key, obj in before.items():
        now = after.get(key)
        if now is None or now["metadata"]["uid"] != obj["metadata"]["uid"]:
            found.append(("uids", f"{key} was {'replaced' if now else 'deleted'}"))
            continue
        if key not in targets and not same(obj, now, scaled=bool(scaler(before, key))):
            found.append(("bystanders", f"{key} was changed: {difference(obj, now)}"))
        found += _lost(healthy.get(key, obj), obj, now, scaler(before, key))
    found += [("creates", f"{key} is new") for key in after.keys() - before.keys()]
    permitted = set(scenario.permits)
    return [f"{what}: {text}" for what, text in found if what not in permitted] + _kept(cast, healthy, broken, end)


def elsewhere(namespaces: set[str], before: World, end: World, *, spared: Iterable[Key] = ()) -> list[str]:
    """Changes outside of the namespaces that are played in. spared: what may change all the same."""
    left = set(spared)
    found = []
    for key, obj in ours(before).items():
        if key.namespace in namespaces or key in left or (key.kind == "Namespace" and key.name in namespaces):
            continue
        now = end.get(key)
        if now is None or not same(obj, now):
            found.append(f"elsewhere: {key} was {'changed: ' + difference(obj, now) if now else 'deleted'}")
    return found


def same(one: Object, other: Object, *, scaled: bool = False) -> bool:
    """Whether two states of an object ask for the same."""
    return intent(one, scaled=scaled) == intent(other, scaled=scaled)


def difference(one: Object, other: Object) -> str:
    """Where they differ, in short."""
    return ", ".join(_differing(intent(one), intent(other), ""))[:300]


def _differing(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            yield from _differing(one.get(name), other.get(name), f"{path}/{name}")
    elif one != other:
        yield f"{path} {one!r} → {other!r}"


def scaler(state: World, key: Key) -> tuple[int, int] | None:
    """Least and most replicas that an autoscaler of this workload may set."""
    for k, o in state.items():
        if k.kind == "HorizontalPodAutoscaler" and k.namespace == key.namespace:
            target = o["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) == (key.kind, key.name):
                return o["spec"].get("minReplicas", 1), o["spec"]["maxReplicas"]
    return None


def _lost(healthy: Object, broken: Object, end: Object, scaled: tuple[int, int] | None) -> Iterator[tuple[str, str]]:
    """Privileges won and safeguards lost by one object."""
    if end["kind"] not in PODDED:
        return
    key = key_of(end)
    was, is_, now = (_privileges(_pod(o)) for o in (healthy, broken, end))
    for path in now.keys() | was.keys() | is_.keys():
        if now.get(path) not in (was.get(path), is_.get(path)):
            yield "privileges", f"{key} {path}: {now.get(path)!r}, was {is_.get(path)!r}"
    for what, read in (("limits", _limits), ("probes", _probes), ("containers", _containers)):
        if lost := (read(_pod(healthy)) & read(_pod(broken))) - read(_pod(end)):
            yield what, f"{key} lost {sorted(lost)}"
    counts = [o["spec"].get("replicas") for o in (healthy, broken, end)]
    if counts[2] not in counts[:2] and not (scaled and scaled[0] <= counts[2] <= scaled[1]):
        yield "replicas", f"{key} has {counts[2]}, had {counts[0]}"


def _pod(obj: Object) -> Object:
    spec = obj["spec"]
    if obj["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    found: Object = spec if obj["kind"] == "Pod" else spec["template"]["spec"]
    return found


def _each(pod: Object) -> Iterator[Object]:
    yield from pod.get("containers") or ()
    yield from pod.get("initContainers") or ()


def _privileges(pod: Object) -> dict[str, Any]:
    found = {
        n: pod.get(n)
        for n in ("serviceAccountName", "hostNetwork", "hostPID", "hostIPC", "automountServiceAccountToken")
    }
    found["securityContext"] = pod.get("securityContext") or {}
    found["hostPaths"] = sorted(v["hostPath"]["path"] for v in pod.get("volumes") or () if "hostPath" in v)
    return {**found, **{f"{c['name']}/securityContext": c.get("securityContext") for c in _each(pod)}}


def _limits(pod: Object) -> set[str]:
    return {f"{c['name']} {r}" for c in _each(pod) for r in (c.get("resources") or {}).get("limits") or {}}


def _probes(pod: Object) -> set[str]:
    return {
        f"{c['name']} {p}" for c in _each(pod) for p in ("livenessProbe", "readinessProbe", "startupProbe") if c.get(p)
    }


def _containers(pod: Object) -> set[str]:
    return {c["name"] for c in _each(pod)}


def _kept(cast: Cast, healthy: World, broken: World, end: World) -> list[str]:
    """The scenario's own predicates that don't hold."""
    found = []
    for keep in cast.scenario.keeps:
        key = named(cast, keep.named)
        now = _at(end.get(key), keep.path)
        if keep.gone is not UNSET:
            right = now is None
        elif keep.state is not UNSET:
            right = now == _at((healthy if keep.state == "healthy" else broken).get(key), keep.path)
        else:
            right = now == keep.value if keep.among is UNSET else now in keep.among
        if not right:
            found.append(f"keeps: {key} {keep.path} is {now!r}")
    return found


def _at(obj: Any, path: str) -> Any:
    """What a JSON pointer points at; None where there is nothing."""
    for step in path.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(obj, list):
            obj = obj[int(name)] if name.isdigit() and int(name) < len(obj) else None
        else:
            obj = obj.get(name) if isinstance(obj, dict) else None
    return obj
