"""LimitRange: what containers get that don't say, and what may not be (`plugin/pkg/admission/limitranger`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from kubemend.kube.quantity import parse
from kubemend.lab.admission.usage import of_pod
from kubemend.lab.api import Object
from kubemend.lab.apiserver.amount import spelled
from kubemend.lab.apiserver.status import forbidden
from kubemend.lab.kinds import Kind
from kubemend.lab.store import Store

ANNOTATION = "kubernetes.io/limit-ranger"

Amounts = Mapping[str, str]


def fill(store: Store, pod: Object) -> None:
    """Give the containers of a new pod the defaults of the namespace's LimitRanges, in place."""
    told = []
    for item in _items(store, pod["metadata"]["namespace"], "Container"):
        for field, init in (("containers", ""), ("initContainers", "init ")):
            for container in pod["spec"].get(field) or ():
                told += list(_default(container, item, init))
    if told:
        pod["metadata"].setdefault("annotations", {})[ANNOTATION] = f"LimitRanger plugin set: {'; '.join(told)}"


def _default(container: Object, item: Object, init: str) -> Iterator[str]:
    resources = container["resources"]
    for word, source in (("request", "defaultRequest"), ("limit", "default")):
        given = resources.get(f"{word}s") or {}
        added = {name: amount for name, amount in item.get(source, {}).items() if name not in given}
        if added:
            resources[f"{word}s"] = {**given, **added}
            yield f"{', '.join(sorted(added))} {word} for {init}container {container['name']}"


def check(store: Store, kind: Kind, obj: Object) -> None:
    """Raises `ApiError` (403) with everything the namespace's LimitRanges don't allow."""
    namespace = obj["metadata"].get("namespace", "")
    if kind.kind == "Pod":
        faults = [*_of_containers(store, namespace, obj["spec"]), *_of_pod(store, namespace, obj["spec"])]
    elif kind.kind == "PersistentVolumeClaim":
        faults = list(_of_claim(store, namespace, obj))
    else:
        return
    if faults:
        told = faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]"
        raise forbidden(kind, obj["metadata"]["name"], told)


def _items(store: Store, namespace: str, type_: str) -> Iterator[Object]:
    for found in store.all("LimitRange", namespace):
        yield from (i for i in found["spec"].get("limits") or () if i["type"] == type_)


def _of_containers(store: Store, namespace: str, spec: Object) -> Iterator[str]:
    for item in _items(store, namespace, "Container"):
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
            resources = container["resources"]
            yield from _faults(item, resources.get("requests") or {}, resources.get("limits") or {})


def _of_pod(store: Store, namespace: str, spec: Object) -> Iterator[str]:
    for item in _items(store, namespace, "Pod"):
        requests, limits = (
            {name: spelled(name, amount) for name, amount in of_pod(spec, word).items()}
            for word in ("requests", "limits")
        )
        yield from _faults(item, requests, limits)


def _of_claim(store: Store, namespace: str, claim: Object) -> Iterator[str]:
    asked = claim["spec"]["resources"].get("requests", {}).get("storage", "0")
    for item in _items(store, namespace, "PersistentVolumeClaim"):
        low, high = item.get("min", {}).get("storage"), item.get("max", {}).get("storage")
        if low is not None and parse(asked) < parse(low):
            yield f"minimum storage usage per PersistentVolumeClaim is {low}, but request is {asked}"
        if high is not None and parse(asked) > parse(high):
            yield f"maximum storage usage per PersistentVolumeClaim is {high}, but request is {asked}"


def _faults(item: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    per = item["type"]
    for name, low in sorted(item.get("min", {}).items()):
        said = f"minimum {name} usage per {per} is {low}"
        if name not in requests:
            yield f"{said}.  No request is specified"
        elif parse(requests[name]) < parse(low):
            yield f"{said}, but request is {requests[name]}"
        elif name in limits and parse(limits[name]) < parse(low):
            yield f"{said}, but limit is {limits[name]}"
    for name, high in sorted(item.get("max", {}).items()):
        said = f"maximum {name} usage per {per} is {high}"
        if name not in limits:
            yield f"{said}.  No limit is specified"
        elif parse(limits[name]) > parse(high):
            yield f"{said}, but limit is {limits[name]}"
        elif name in requests and parse(requests[name]) > parse(high):
            yield f"{said}, but request is {requests[name]}"
    for name, ratio in sorted(item.get("maxLimitRequestRatio", {}).items()):
        yield from _ratio(per, name, ratio, requests.get(name), limits.get(name))


def _ratio(per: str, name: str, ratio: str, request: str | None, limit: str | None) -> Iterator[str]:
    said = f"{name} max limit to request ratio per {per} is {ratio}, but"
    asked = parse(request) if request else Decimal()
    if not asked:
        yield f"{said} no request is specified or request is 0"
    elif limit is None or not parse(limit):
        yield f"{said} no limit is specified or limit is 0"
    elif parse(limit) / asked > parse(ratio):
        yield f"{said} provided ratio is {parse(limit) / asked:.6f}"
