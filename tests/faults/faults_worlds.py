"""Clusters as the fault tests see them past the proxy: what is true there, and what the API server noted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from faults_matrix import GOOD

from kubemend.lab.cluster import PracticeCluster
from kubemend.lab.store import Store

Object = dict[str, Any]


def web(namespace: str, image: str) -> list[Object]:
    """A namespace with a Deployment in it."""
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "web", "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
    ]


class Practice:
    """The practice cluster in this process."""

    def __init__(self, cluster: PracticeCluster) -> None:
        self._cluster = cluster

    async def deploy(self, wanted: dict[str, str]) -> None:
        for namespace, image in wanted.items():
            for obj in web(namespace, image):
                await self._cluster.api.create(obj)

        def done(store: Store) -> bool:
            ends = {p["metadata"]["namespace"]: settled(p) for p in store.all("Pod")}
            return all(ends.get(n) == ("ready" if image == GOOD else "waiting") for n, image in wanted.items())

        await self._cluster.until(done, 120)

    async def remove(self, namespaces: list[str]) -> None:
        for name in namespaces:
            namespace = await self._cluster.api.get("Namespace", "", name)
            assert namespace is not None
            await self._cluster.api.delete(namespace)

    async def web(self, namespace: str) -> Object:
        found = await self._cluster.api.get("Deployment", namespace, "web")
        assert found is not None
        return found

    def audited(self, namespace: str) -> list[int]:
        noted = self._cluster.server.audit
        return [a.code for a in noted if a.namespace == namespace and a.resource == "deployments" and not a.dry_run]


def settled(pod: Object) -> str:
    """Where a pod stands that will stay there."""
    for status in pod.get("status", {}).get("containerStatuses", ()):
        if status.get("ready"):
            return "ready"
        if status.get("state", {}).get("waiting", {}).get("reason") == "ImagePullBackOff":
            return "waiting"
    return ""


async def soon(true: Callable[[], bool], seconds: float = 45.0) -> None:
    """Wait until something is true that no event tells of: the passing of time makes it so, or another task."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
