"""metrics.k8s.io/v1beta1: what pods and nodes use just now, as the nodes leave it in the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from kubemend.kube.quantity import add
from kubemend.kube.selectors import parse_labels
from kubemend.lab.api import Object
from kubemend.lab.apiserver.amount import spelled
from kubemend.lab.apiserver.exchange import Answer, Request
from kubemend.lab.apiserver.status import ApiError
from kubemend.lab.store import Store

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
_WINDOW: Final = "15s"


def answer(store: Store, request: Request) -> Answer:
    """Usage of pods or nodes. Raises `ApiError` (404) for one of which nothing is known."""
    route = request.route
    kind = "PodMetrics" if route.plural == "pods" else "NodeMetrics"
    found = _pods(store, route.namespace or None) if kind == "PodMetrics" else _nodes(store)
    if route.name:
        one = next((m for m in found if m["metadata"]["name"] == route.name), None)
        if one is None:
            told = f'{route.plural}.{GROUP} "{route.name}" not found'
            details = {"name": route.name, "group": GROUP, "kind": route.plural}
            raise ApiError("NotFound", told, details=details)
        return Answer({"kind": kind, "apiVersion": f"{GROUP}/{VERSION}", **one})
    labels = parse_labels(request.query.get("labelSelector", ""))
    chosen = [m for m in found if labels.matches(m["metadata"].get("labels") or {})]
    return Answer({"kind": f"{kind}List", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": chosen})


def _pods(store: Store, namespace: str | None) -> list[Object]:
    containers: defaultdict[tuple[str, str], dict[str, Mapping[str, str]]] = defaultdict(dict)
    for (space, pod, container), used in store.usage.items():
        if namespace in (None, space):
            containers[space, pod][container] = used
    told = []
    for (space, name), found in sorted(containers.items()):
        pod_object = store.find("Pod", space, name)
        if pod_object is not None:
            usages = [{"name": c, "usage": dict(u)} for c, u in found.items()]
            told.append({**_head(store, pod_object), "containers": usages})
    return told


def _nodes(store: Store) -> list[Object]:
    on_node: defaultdict[str, list[Mapping[str, str]]] = defaultdict(list)
    for (space, pod, _), used in store.usage.items():
        if (found := store.find("Pod", space, pod)) is not None:
            on_node[found["spec"].get("nodeName", "")].append(used)
    told = []
    for node in store.all("Node"):
        name = node["metadata"]["name"]
        own = store.node_usage.get(name)
        if own is not None or on_node[name]:
            told.append({**_head(store, node), "usage": own or _sum(on_node[name])})
    return told


def _sum(usages: Iterable[Mapping[str, str]]) -> dict[str, str]:
    total: dict[str, Decimal] = {}
    for used in usages:
        total = add(total, used)
    return {name: spelled(name, amount) for name, amount in total.items()}


def _head(store: Store, obj: Object) -> dict[str, Any]:
    meta = {k: v for k, v in obj["metadata"].items() if k in ("name", "namespace", "labels")}
    now = store.now()
    return {"metadata": {**meta, "creationTimestamp": now}, "timestamp": now, "window": _WINDOW}
