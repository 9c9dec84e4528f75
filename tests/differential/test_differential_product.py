"""The area `product` of the conversation is what the product's client really sends, request by request."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from differential_steps import JSON, config, pod, typed, workload
from differential_talks import AREAS

from kubemend.cluster.connection import connect
from kubemend.cluster.errors import Conflict, NotFound
from kubemend.cluster.reader import Reader
from kubemend.cluster.transport import Transport
from kubemend.cluster.writer import Writer
from kubemend.lab.cluster import PracticeCluster
from kubemend.model.access import Access
from kubemend.model.ref import Ref

Shape = tuple[str, str, frozenset[str], str]
"""Method, subresource, parameters, media type."""

IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "registry.lab/web:1.1"}]}}}}
PATCHES: dict[Any, Any] = {
    "strategic": IMAGE,
    "merge": {"spec": {"paused": True}},
    "json": [{"op": "add", "path": "/spec/paused", "value": False}],
    "apply": typed("apps/v1", "Deployment", {"metadata": {}, "spec": {"minReadySeconds": 1}}),
}


def shape(method: str, path: str, kind: str) -> Shape:
    place, _, query = path.partition("?")
    parts = place.split("/namespaces/", 1)[-1].split("/")[1:] if place.startswith("/") else place.split("/")
    return method, "/".join(parts[2:]), frozenset(filter(None, query.split("&"))), kind


class Heard:
    """A transport's `send`, with what it was asked to."""

    def __init__(self, transport: Transport) -> None:
        self.shapes: set[Shape] = set()
        self._send = transport.send

    async def __call__(self, method: str, path: str, body: Any, **more: Any) -> bytes:
        query = "&".join(f"{k}={v}" for k, v in more.get("params", ()))
        self.shapes.add(shape(method, f"{path}?{query}", more.get("content_type", JSON)))
        return await self._send(method, path, body, **more)


async def test_each_request_of_the_client_has_its_step(practice: PracticeCluster, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(practice.kubeconfig()))
    async with connect(kubeconfig=str(kubeconfig)).open() as transport:
        heard = Heard(transport)
        transport.send = heard  # type: ignore[assignment]
        reader = Reader(transport)
        await _write(Writer(transport, reader), reader)
    steps = {shape(step.method, step.path, step.kind) for step in AREAS["product"]}
    assert heard.shapes - steps == set()
    assert len(heard.shapes) == 16


async def _write(writer: Writer, reader: Reader) -> None:
    """Everything that the writer can be asked for, in earnest and as a dry run."""
    await reader.allowed(Access("patch", "deployments", "apps"), "default")
    for dry in (True, False):
        await writer.create(_placed(typed("v1", "ConfigMap", config("it"))), dry_run=dry)
        await writer.create(_placed(typed("v1", "Pod", pod("it"))), dry_run=dry)
        await writer.create(_placed(typed("apps/v1", "Deployment", workload("it"))), dry_run=dry)
    for dry in (True, False):
        for how, body in PATCHES.items():
            found = await _fresh(reader, "Deployment", "apps")
            with suppress(Conflict):  # a controller was faster; what was sent is what counts here
                await writer.patch(Ref("Deployment", "default", "it", "apps"), body, kind=how, **found, dry_run=dry)
        found = await _fresh(reader, "Deployment", "apps")
        with suppress(Conflict):
            await writer.scale(Ref("Deployment", "default", "it", "apps"), 2, **found, dry_run=dry)
        for kind, end in (("Pod", writer.evict), ("ConfigMap", writer.delete)):
            with suppress(NotFound):  # the pod has no more to come back from
                uid = (await _fresh(reader, kind))["uid"]
                await end(Ref(kind, "default", "it"), uid=uid, dry_run=dry)


async def _fresh(reader: Reader, kind: str, group: str = "") -> dict[str, str]:
    meta = (await reader.get(Ref(kind, "default", "it", group)))["metadata"]
    return {"uid": meta["uid"], "resource_version": meta["resourceVersion"]}


def _placed(manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": "default"}}
