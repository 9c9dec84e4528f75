"""What an object takes of a ResourceQuota (`k8s.io/kubernetes/pkg/quota/v1/evaluator/core`)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from kubemend.kube.quantity import add, parse
from kubemend.lab.api import Object
from kubemend.lab.kinds import Kind

Amounts = dict[str, Decimal]

_ONE = Decimal(1)
_PLAIN = ("configmaps", "persistentvolumeclaims", "pods", "resourcequotas", "secrets", "services")
"""Core resources that a quota may also name without `count/`."""
_SHORT = ("cpu", "memory", "ephemeral-storage")
"""Resources whose requests a quota may name without `requests.`."""


def of(kind: Kind, obj: Object) -> Amounts:
    """By the quota's resource names. A pod that has ended takes only its `count/`."""
    taken = {f"count/{kind.resource}": _ONE}
    if kind.kind == "Pod":
        return taken if obj.get("status", {}).get("phase") in ("Succeeded", "Failed") else taken | _pod(obj)
    if kind.plural in _PLAIN:
        taken[kind.plural] = _ONE
    if kind.kind == "PersistentVolumeClaim":
        taken |= _claim(obj)
    elif kind.kind == "Service":
        taken |= _service(obj)
    return taken


def _pod(pod: Object) -> Amounts:
    requests, limits = of_pod(pod["spec"], "requests"), of_pod(pod["spec"], "limits")
    taken = {"pods": _ONE}
    taken |= {f"requests.{name}": amount for name, amount in requests.items()}
    taken |= {name: amount for name, amount in requests.items() if name in _SHORT}
    return taken | {f"limits.{name}": amount for name, amount in limits.items()}


def of_pod(spec: Object, word: str) -> Amounts:
    """A pod's "requests" or "limits": what runs side by side is added up, init containers run one after another.

    The sidecar formula of KEP-753: a restartable init container adds to what comes after it.
    """
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _amounts(container, word)
        if container.get("restartPolicy") == "Always":
            sidecars = add(sidecars, own)
            own = {}
        peak = _largest(peak, add(sidecars, own))
    together = sidecars
    for container in spec.get("containers") or ():
        together = add(together, _amounts(container, word))
    found = _largest(peak, together)
    overhead = {name: parse(amount) for name, amount in (spec.get("overhead") or {}).items()}
    return add(found, {n: a for n, a in overhead.items() if word == "requests" or n in found})


def _amounts(container: Object, word: str) -> Amounts:
    return {name: parse(amount) for name, amount in (container["resources"].get(word) or {}).items()}


def _largest(a: Amounts, b: Amounts) -> Amounts:
    return {name: max(a.get(name, Decimal()), b.get(name, Decimal())) for name in a | b}


def _claim(claim: Object) -> Amounts:
    spec = claim["spec"]
    storage = parse(spec["resources"].get("requests", {}).get("storage", "0"))
    taken = {"requests.storage": storage}
    if name := spec.get("storageClassName"):
        prefix = f"{name}.storageclass.storage.k8s.io"
        taken |= {f"{prefix}/requests.storage": storage, f"{prefix}/persistentvolumeclaims": _ONE}
    return taken


def _service(service: Object) -> Amounts:
    spec = service["spec"]
    ports = Decimal(len(spec.get("ports") or ()))
    match spec["type"]:
        case "NodePort":
            return {"services.nodeports": ports}
        case "LoadBalancer":
            return {"services.loadbalancers": _ONE, "services.nodeports": ports}
    return {}


def in_scope(quota: Object, pod: Object) -> bool:
    """Whether a quota's scopes take this pod in (BestEffort, Terminating and their opposites, PriorityClass)."""
    spec = quota["spec"]
    terms = [{"scopeName": s, "operator": "Exists"} for s in spec.get("scopes") or ()]
    terms += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return all(_scope(term, pod["spec"]) for term in terms)


def _scope(term: Object, spec: Object) -> bool:
    best_effort = not of_pod(spec, "requests") and not of_pod(spec, "limits")
    ending = "activeDeadlineSeconds" in spec
    match term["scopeName"]:
        case "BestEffort":
            return best_effort
        case "NotBestEffort":
            return not best_effort
        case "Terminating":
            return ending
        case "NotTerminating":
            return not ending
        case "PriorityClass":
            return _priority(term, spec.get("priorityClassName", ""))
    return False


def _priority(term: Object, name: str) -> bool:
    values: Iterable[str] = term.get("values") or ()
    match term["operator"]:
        case "In":
            return name in values
        case "NotIn":
            return name not in values
        case "Exists":
            return name != ""
    return name == ""


def scoped(quota: Object) -> bool:
    """Whether a quota counts only some pods."""
    return bool(quota["spec"].get("scopes") or quota["spec"].get("scopeSelector"))
