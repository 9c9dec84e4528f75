"""metrics.k8s.io for node stand-ins, behind the API server's aggregation layer, as metrics-server is.

What pods use is what the stand-ins say; who may read it is the API server's own decision, and only it is let in.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web
from testbed.client import ClientApi

from kubemend.cluster.transport import Transport
from kubemend.kube.quantity import add
from kubemend.kube.selectors import parse_labels
from kubemend.lab.api import Object
from kubemend.lab.apiserver.amount import spelled
from kubemend.lab.node.host import Usage

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
ROOT = f"/apis/{GROUP}/{VERSION}"
PLACE = {"namespace": "kube-system", "name": "metrics"}
WINDOW = "15s"


@asynccontextmanager
async def serving(transport: Transport, usage: Usage, pki: Path) -> AsyncIterator[None]:
    """Serve usage for as long as the block lasts; the API server is told where. `pki`: the control plane's folder."""
    app = web.Application()
    app["api"], app["usage"] = ClientApi(transport), usage
    app.router.add_get(f"/apis/{GROUP}", _group)
    app.router.add_get(ROOT, _resources)
    app.router.add_get(f"{ROOT}/nodes", _nodes)
    app.router.add_get(f"{ROOT}/pods", _pods)
    app.router.add_get(f"{ROOT}/namespaces/{{namespace}}/pods", _pods)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, own_address(), 0, ssl_context=_tls(pki))
        await site.start()
        await _register(transport, *runner.addresses[0][:2])
        yield
    finally:
        await runner.cleanup()


def own_address() -> str:
    """An address of this machine that isn't loopback, for endpoints may not be. OSError where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect(("198.51.100.1", 9))  # nothing is sent: the kernel only chooses a way out
        return str(way.getsockname()[0])


def _tls(pki: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pki / "front-proxy-ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
    return context


async def _register(transport: Transport, address: str, port: int) -> None:
    """A Service without pods, the one endpoint behind it, and the API that is to be found there."""
    labels = {"kubernetes.io/service-name": PLACE["name"]}
    https = {"name": "https", "port": port, "protocol": "TCP"}
    service = {"spec": {"ports": [{**https, "port": 443}]}}
    slice_ = {"addressType": "IPv4", "endpoints": [{"addresses": [address]}], "ports": [https]}
    where = {**PLACE, "port": 443}
    there = {"group": GROUP, "version": VERSION, "service": where, "insecureSkipTLSVerify": True}
    priority = {"groupPriorityMinimum": 100, "versionPriority": 100}
    home = f"/namespaces/{PLACE['namespace']}"
    made: Iterable[tuple[str, Object]] = (
        (f"/api/v1{home}/services", {"metadata": PLACE, **service}),
        (f"/apis/discovery.k8s.io/v1{home}/endpointslices", {"metadata": {**PLACE, "labels": labels}, **slice_}),
        (
            "/apis/apiregistration.k8s.io/v1/apiservices",
            {"metadata": {"name": f"{VERSION}.{GROUP}"}, "spec": {**there, **priority}},
        ),
    )
    for path, body in made:
        await transport.send("POST", path, body)


async def _group(_request: web.Request) -> web.Response:
    version = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    told = {"name": GROUP, "versions": [version], "preferredVersion": version}
    return web.json_response({"kind": "APIGroup", "apiVersion": "v1", **told})


async def _resources(_request: web.Request) -> web.Response:
    found = [
        {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics", "verbs": ["get", "list"]},
        {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]},
    ]
    told = {"groupVersion": f"{GROUP}/{VERSION}", "resources": found}
    return web.json_response({"kind": "APIResourceList", "apiVersion": "v1", **told})


async def _pods(request: web.Request) -> web.Response:
    labels = parse_labels(request.query.get("labelSelector", ""))
    pods = await request.app["api"].list("Pod", request.match_info.get("namespace"))
    chosen = (p for p in pods if labels.matches(p["metadata"].get("labels") or {}))
    found = ((pod, _used(pod, request.app["usage"])) for pod in chosen)
    items = [
        {**_head(pod), "containers": [{"name": c, "usage": dict(u)} for c, u in used.items()]}
        for pod, used in found
        if used
    ]
    return _list("PodMetricsList", items)


async def _nodes(request: web.Request) -> web.Response:
    pods = await request.app["api"].list("Pod")
    items = []
    for node in await request.app["api"].list("Node"):
        total: dict[str, Decimal] = {}
        for pod in (p for p in pods if p["spec"].get("nodeName") == node["metadata"]["name"]):
            for used in _used(pod, request.app["usage"]).values():
                total = add(total, used)
        if total:
            items.append({**_head(node), "usage": {name: spelled(name, amount) for name, amount in total.items()}})
    return _list("NodeMetricsList", items)


def _used(pod: Object, usage: Usage) -> dict[str, Any]:
    """Container → what it uses."""
    meta = pod["metadata"]
    here = ((where[2], used) for where, used in usage.items() if where[:2] == (meta["namespace"], meta["name"]))
    return dict(here)


def _head(obj: Object) -> Object:
    meta = {k: v for k, v in obj["metadata"].items() if k in ("name", "namespace", "labels")}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"metadata": {**meta, "creationTimestamp": now}, "timestamp": now, "window": WINDOW}


def _list(kind: str, items: list[Object]) -> web.Response:
    return web.json_response({"kind": kind, "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": items})
