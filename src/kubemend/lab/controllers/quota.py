"""ResourceQuota: how much of it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from kubemend.kube.quantity import format_bytes, format_cores, parse
from kubemend.kube.scheduling import requests
from kubemend.lab.api import Object
from kubemend.lab.controllers.controller import Controller
from kubemend.lab.fields import Key, finished, key, namespace, spec
from kubemend.model.objects import PodSpec

_COUNTED = {
    "Pod": "pods",
    "Service": "services",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ResourceQuota": "resourcequotas",
    "Deployment": "deployments.apps",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "DaemonSet": "daemonsets.apps",
    "Job": "jobs.batch",
    "CronJob": "cronjobs.batch",
}
"""Kind → the resource that `count/<resource>` names; core kinds can be named without `count/` too."""

_BYTES = ("memory", "storage")


class QuotaController(Controller):
    """Keeps `status.used` at what the objects of the namespace use. Scopes aren't followed."""

    kind = "ResourceQuota"
    sees = tuple(k for k in _COUNTED if k != "ResourceQuota")
    component = "resourcequota-controller"

    def affected(self, obj: Object, before: Object | None) -> Iterable[Key]:
        """The quotas of the namespace, where something came, went, ended or grew."""
        if obj["kind"] == self.kind:
            yield key(obj)
        elif before is None or _weight(obj) != _weight(before) or self.seen.find(obj["kind"], *key(obj)) is None:
            yield from (key(quota) for quota in self.seen.all(self.kind, namespace(obj)))

    async def reconcile(self, obj: Object) -> float | None:
        """Count anew."""
        used: Counter[str] = Counter()
        for kind in _COUNTED:
            for found in self.seen.all(kind, namespace(obj)):
                used.update(usage(found))
        hard = spec(obj).get("hard") or {}
        told = {resource: _shown(resource, Decimal(used[resource])) for resource in hard}
        await self.tell(obj, {"hard": hard, "used": told})
        return None


def usage(obj: Object) -> dict[str, Decimal]:
    """What one object takes of a quota, by the quota's resource names. A pod that ended takes nothing but its count."""
    resource = _COUNTED[obj["kind"]]
    taken = {f"count/{resource}": Decimal(1)}
    if obj["kind"] == "Pod" and finished(obj):
        return taken
    if "." not in resource:
        taken[resource] = Decimal(1)
    if obj["kind"] == "Pod":
        taken |= _compute(obj)
    elif obj["kind"] == "PersistentVolumeClaim":
        asked = (spec(obj).get("resources") or {}).get("requests") or {}
        taken["requests.storage"] = parse(asked.get("storage", "0"))
    elif obj["kind"] == "Service":
        taken |= _service(obj)
    return taken


def _compute(pod: Object) -> dict[str, Decimal]:
    pod_spec = msgspec.convert(spec(pod), PodSpec)
    asked = requests(pod_spec)
    taken = {f"requests.{name}": amount for name, amount in asked.items()}
    taken |= {name: asked[name] for name in ("cpu", "memory") if name in asked}
    for container in pod_spec.containers:
        for name, amount in container.resources.limits.items():
            taken[f"limits.{name}"] = taken.get(f"limits.{name}", Decimal()) + parse(amount)
    return taken


def _service(service: Object) -> dict[str, Decimal]:
    type_ = spec(service).get("type", "ClusterIP")
    ports = Decimal(len(spec(service).get("ports") or ()))
    match type_:
        case "NodePort":
            return {"services.nodeports": ports}
        case "LoadBalancer":
            return {"services.loadbalancers": Decimal(1), "services.nodeports": ports}
    return {}


def _weight(obj: Object) -> tuple[object, ...]:
    """What a change must touch to count."""
    if obj["kind"] == "Pod":
        return finished(obj), [c.get("resources") for c in spec(obj).get("containers") or ()]
    return (spec(obj),) if obj["kind"] in ("PersistentVolumeClaim", "Service") else ()


def _shown(resource: str, amount: Decimal) -> str:
    last = resource.rpartition(".")[2]
    if last == "cpu":
        return format_cores(amount)
    return format_bytes(int(amount)) if last in _BYTES or last.startswith("hugepages-") else f"{amount:f}"
