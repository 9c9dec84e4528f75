"""A practice cluster with the objects of one test, and the whole program on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml

from kubemend.app import Rooms
from kubemend.engine.gateway import Gateway
from kubemend.model.answer import Answer
from kubemend.model.objects import Deployment, Obj, Pod, ServiceAccount
from kubemend.surfaces.cli.options import Access

SETTLED_S = 30.0


class Ground:
    """A gateway, and the practice cluster it stands on."""

    def __init__(self, gateway: Gateway, lab: Any, access: Access) -> None:
        self.gateway, self.lab, self.access = gateway, lab, access

    @property
    def store(self) -> Any:
        """The practice cluster's store, where tests write what nodes would have measured."""
        return self.lab._cluster.store

    async def create(self, text: str) -> None:
        """Create objects from multi-document YAML."""
        for document in filter(None, yaml.safe_load_all(text)):
            await self.lab.create(document)

    @property
    def api(self) -> Any:
        """Somebody else at work in the cluster."""
        return self.lab._cluster.api

    async def ask(self, tool: str, **arguments: Any) -> Answer:
        """Call a tool; its answer as every door gives it."""
        return await self.gateway.call(tool, arguments, actor="test")

    async def data(self, tool: str, **arguments: Any) -> Any:
        """The data of an answer that must be good, as plain JSON."""
        answer = await self.ask(tool, **arguments)
        assert answer.ok, answer.error
        return msgspec.json.decode(msgspec.json.encode(answer.data))

    async def list(self, kind: type[Obj], namespace: str = "shop") -> tuple[Any, ...]:
        """Objects as they are now."""
        return (await self.gateway._reader.list(kind, namespace)).items

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until an async question is answered with yes."""
        async with asyncio.timeout(SETTLED_S):
            while not await holds():  # noqa: ASYNC110  (a test polls as people do)
                await asyncio.sleep(0.02)

    async def settled(self) -> None:
        """Until every Deployment's pods are available."""

        async def available() -> bool:
            found = await self.list(Deployment)
            return all(d.status.available_replicas == d.spec.replicas for d in found)

        await self.until(available)

    async def pods(self, app: str) -> list[Pod]:
        """The pods with that label, by name."""
        found = await self.list(Pod)
        return sorted((p for p in found if p.metadata.labels.get("app") == app), key=lambda p: p.name)


@asynccontextmanager
async def ground(folder: Path, text: str = "", *, nodes: int = 3, changes: bool = False) -> AsyncIterator[Ground]:
    """A practice cluster with namespace `shop` and these objects in it. changes: whether approved writes are made."""
    rooms = Rooms()
    async with rooms.practice(nodes=nodes, pace=0.02) as lab:
        await lab.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        access = Access(kubeconfig=str(lab.kubeconfig), store=folder / "ledger.db", allow_changes=changes)
        async with rooms.gateway(access) as gateway:
            made = Ground(gateway, lab, access)

            async def has_account() -> bool:
                return bool(await made.list(ServiceAccount))

            await made.until(has_account)
            await made.create(text)
            yield made


def deployment(name: str, *, replicas: int = 2, pod: str = "", container: str = "", metadata: str = "") -> str:
    """A Deployment of the practice catalogue's web server, in YAML."""
    return f"""
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: shop{metadata}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      {pod}
      containers:
        - name: web
          image: registry.lab/web:1.2
          {container}
"""
