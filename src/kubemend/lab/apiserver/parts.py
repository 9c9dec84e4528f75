"""Subresources that aren't a part of the object's own fields: scale, binding, eviction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from kubemend.kube.patch import merge
from kubemend.kube.selectors import Labels, Requirement, matches
from kubemend.lab.api import Object
from kubemend.lab.apiserver.decoding import Write, decoded_config, unfit
from kubemend.lab.apiserver.deletion import Deletion, delete
from kubemend.lab.apiserver.patching import Patch, patched
from kubemend.lab.apiserver.registry import Registry, check_uid
from kubemend.lab.apiserver.status import ApiError, Cause, bad_request, conflict, success
from kubemend.lab.kinds import BY_KIND, Kind
from kubemend.model.objects.meta import LabelSelector

POD, BUDGET = BY_KIND["Pod"], BY_KIND["PodDisruptionBudget"]
EVICTION = Kind("policy", "v1", "Eviction", "evictions")
_SCALE = Kind("autoscaling", "v1", "Scale", "scales")
_BUSY = "Cannot evict pod as it would violate the pod's disruption budget."
RETRY_S = 10
"""Seconds after which an eviction may be tried again while a budget is still being counted."""


def scale(obj: Object) -> Object:
    """The Scale of a Deployment, ReplicaSet or StatefulSet."""
    meta = {k: obj["metadata"][k] for k in _SCALE_META if k in obj["metadata"]}
    status = {"replicas": (obj.get("status") or {}).get("replicas", 0)}
    if text := _selector(obj["spec"].get("selector") or {}):
        status["selector"] = text
    replicas = obj["spec"].get("replicas", 0)
    spec = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec, "status": status}


_SCALE_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def _selector(selector: Mapping[str, Any]) -> str:
    wanted = [Requirement(k, "In", (v,)) for k, v in (selector.get("matchLabels") or {}).items()]
    terms = selector.get("matchExpressions") or ()
    wanted += [Requirement(t["key"], t["operator"], tuple(t.get("values") or ())) for t in terms]
    return str(Labels(tuple(sorted(wanted, key=lambda r: r.key))))


def put_scale(registry: Registry, kind: Kind, old: Object, body: Object, write: Write) -> Object:
    """Set `spec.replicas` by a whole Scale. Raises `ApiError`."""
    name = old["metadata"]["name"]
    given = (body.get("metadata") or {}).get("name", "")
    if given != name:
        raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
    check_uid(kind, old, body["metadata"].get("uid", ""))
    return _scaled(registry, kind, old, body, write)


def patch_scale(registry: Registry, kind: Kind, old: Object, patch: Patch, write: Write) -> Object:
    """Set `spec.replicas` by a patch of the Scale. Raises `ApiError`."""
    current = scale(old)
    write = replace(write, through="scale")
    if patch.how == "apply":
        return _apply_scale(registry, kind, old, patch, write)
    if patch.how == "strategic":
        patch = Patch("merge", patch.body)
    body = patched(_SCALE, current, patch)
    given = (body.get("spec") or {}).get("replicas")
    if given is not None and (isinstance(given, bool) or not isinstance(given, int)):
        word = {bool: "bool", str: "string", list: "array", dict: "object"}.get(type(given), "number")
        why = f"Scale: json: cannot unmarshal {word} into Go struct field ScaleSpec.spec.replicas of type int32"
        raise unfit(current, body, patch, bad_request(why))
    uid, given = old["metadata"]["uid"], body["metadata"].get("uid")
    if given and given != uid:
        why = f"Precondition failed: UID in precondition: {given}, UID in object meta: {uid}"
        raise conflict(kind, old["metadata"]["name"], why, subresource="scale")
    return _scaled(registry, kind, old, body, write)


def _apply_scale(registry: Registry, kind: Kind, old: Object, patch: Patch, write: Write) -> Object:
    """Server-side apply of a Scale: of the object itself, its replicas alone."""
    config = decoded_config(_SCALE, old["metadata"]["name"], patch, write)
    wanted = {"metadata": config["metadata"], "spec": {"replicas": config["spec"]["replicas"]}}
    body = {"apiVersion": kind.api_version, "kind": kind.kind, **wanted}
    meta = old["metadata"]
    return scale(registry.patch(kind, meta["namespace"], meta["name"], Patch("apply", body), write))


def _scaled(registry: Registry, kind: Kind, old: Object, body: Object, write: Write) -> Object:
    meta, name = old["metadata"], old["metadata"]["name"]
    replicas = (body.get("spec") or {}).get("replicas") or 0
    if replicas < 0:
        cause = Cause.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        details = {"name": name, "group": "autoscaling", "kind": "Scale", "causes": [cause.wire()]}
        raise ApiError("Invalid", f'Scale.autoscaling "{name}" is invalid: {cause}', details=details)
    change: Object = {"spec": {"replicas": replicas}}
    if version := (body.get("metadata") or {}).get("resourceVersion"):
        change["metadata"] = {"resourceVersion": version}
    return scale(registry.patch(kind, meta["namespace"], name, Patch("merge", change), write))


def bind(registry: Registry, namespace: str, name: str, body: Object, write: Write) -> Object:
    """Put a pod on a node (core/v1 Binding). Raises `ApiError`."""
    pod = registry.found(POD, namespace, name)
    node = (body.get("target") or {}).get("name", "")
    uid = (body.get("metadata") or {}).get("uid") or pod["metadata"]["uid"]
    if uid != pod["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {pod['metadata']['uid']}"
        raise conflict(POD, name, why)
    if pod["metadata"].get("deletionTimestamp"):
        raise conflict(POD, name, f"pod {name} is being deleted, cannot be assigned to a host", subresource="binding")
    if bound := pod["spec"].get("nodeName"):
        why = f'pod {name} is already assigned to node "{bound}"'
        raise conflict(POD, name, why, subresource="binding")
    if not node:
        raise bad_request("target.name: Required value")
    if not write.dry_run:
        registry.store.put("Pod", _placed(pod, node, registry.store.now()))
    return success(code=201)


def _placed(pod: Object, node: str, now: str) -> Object:
    status = pod["status"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    others = [c for c in status.get("conditions") or () if c["type"] != "PodScheduled"]
    placed = {**status, "conditions": [*others, scheduled]}
    return {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": placed}


@dataclass(frozen=True)
class _Verdict:
    """What a budget says: counts: whether the eviction is one of those it allows, and so uses one up."""

    counts: bool
    budget: Object | None = None


def evict(registry: Registry, namespace: str, name: str, body: Object, how: Deletion) -> Object:
    """Delete a pod if its disruption budget allows it (policy/v1 Eviction). Raises `ApiError` (429 if not)."""
    given = (body.get("metadata") or {}).get("name", "")
    if given != name:
        raise bad_request("name in URL does not match name in Eviction object")
    pod = registry.found(POD, namespace, name)
    verdict = _judge(registry, pod)
    delete(registry.store, POD, pod if how.dry_run else _disrupted(pod, registry.store.now()), how)
    if verdict.counts and verdict.budget is not None and not how.dry_run:
        _use_up(registry, verdict.budget, name)
    return success(code=201)


def _disrupted(pod: Object, now: str) -> Object:
    """The pod with the mark of what is about to end it."""
    mark = {"type": "DisruptionTarget", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    told = {**mark, "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}
    others = [c for c in pod["status"].get("conditions") or () if c["type"] != "DisruptionTarget"]
    return {**pod, "status": {**pod["status"], "conditions": [*others, told]}}


def _judge(registry: Registry, pod: Object) -> _Verdict:
    """Follows `EvictionREST.Create`: an unready pod may go if the budget is healthy without it, or says so."""
    phase = pod["status"].get("phase")
    if phase in ("Pending", "Succeeded", "Failed") or pod["metadata"].get("deletionTimestamp"):
        return _Verdict(counts=False)
    budgets = [b for b in registry.store.all("PodDisruptionBudget", pod["metadata"]["namespace"]) if _covers(b, pod)]
    if len(budgets) > 1:
        told = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError("", told)
    if not budgets:
        return _Verdict(counts=False)
    budget = budgets[0]
    if not _ready(pod):
        status = budget["status"]
        healthy = status.get("currentHealthy", 0) >= status.get("desiredHealthy", 0) > 0
        if healthy or budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
            return _Verdict(counts=False)
    _allow(budget)
    return _Verdict(counts=True, budget=budget)


def _covers(budget: Object, pod: Object) -> bool:
    selector = budget["spec"].get("selector")
    wanted = None if selector is None else msgspec.convert(selector, LabelSelector)
    return matches(wanted, pod["metadata"].get("labels") or {})


def _ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions") or ())


def _allow(budget: Object) -> None:
    status, name = budget["status"], budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _refused(f"The disruption budget {name} is still being processed by the server.", RETRY_S)
    if status.get("disruptionsAllowed", 0) <= 0:
        wanted, have = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        raise _refused(f"The disruption budget {name} needs {wanted} healthy pods and has {have} currently", None)


def _refused(why: str, retry_after: int | None) -> ApiError:
    details: dict[str, Any] = {"causes": [Cause("DisruptionBudget", why).wire()]}
    if retry_after is not None:
        details["retryAfterSeconds"] = retry_after
    return ApiError("TooManyRequests", _BUSY, details=details, retry_after=retry_after)


def _use_up(registry: Registry, budget: Object, pod: str) -> None:
    """One less may go until the budget is counted anew."""
    now, left = registry.store.now(), budget["status"]["disruptionsAllowed"] - 1
    status = merge(budget["status"], {"disruptionsAllowed": left, "disruptedPods": {pod: now}})
    if not left:
        status["conditions"] = _exhausted(status, now)
    registry.store.put("PodDisruptionBudget", {**budget, "status": status})


def _exhausted(status: Object, now: str) -> list[Object]:
    """The conditions of a budget that is used up."""
    had = status.get("conditions") or []
    told = {
        "type": "DisruptionAllowed",
        "status": "False",
        "observedGeneration": status.get("observedGeneration", 0),
        "lastTransitionTime": now,
        "reason": "InsufficientPods",
        "message": "",
    }
    return [*(c for c in had if c["type"] != told["type"]), told]
