"""The whole program on a practice cluster with a little of everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from tools_recorder import Recorder

from kubemend.app import Playground, Rooms
from kubemend.cluster.reader import Reader
from kubemend.engine.gateway import Gateway
from kubemend.kube.rollout import progress
from kubemend.model.objects import Deployment, Pod, ServiceAccount
from kubemend.surfaces.cli.options import Access

WORLD = Path(__file__).with_name("world.yaml")
SETTLED_S = 60.0


class Everything:
    """The gateway of a whole program on a practice cluster, what its reads asked for, and how others come in."""

    def __init__(self, gateway: Gateway, recorder: Recorder, lab: Playground, access: Access) -> None:
        self.gateway, self.recorder, self.lab, self.access = gateway, recorder, lab, access
        self._begun = len(self._audit)

    @property
    def _audit(self) -> list[Any]:
        return self.lab._cluster.server.audit

    def written(self) -> list[str]:
        """The changes that reached the API server since the world stood, dry runs aside, by the server's own record."""
        made = (a for a in self._audit[self._begun :] if not a.dry_run and a.code < 400)
        return [f"{a.verb} {a.resource}{f'/{a.subresource}' if a.subresource else ''} {a.name}" for a in made]


@asynccontextmanager
async def everything_in(folder: Path) -> AsyncIterator[Everything]:
    rooms = Rooms()
    async with rooms.practice(nodes=3, pace=0.02) as lab:
        access = Access(kubeconfig=str(lab.kubeconfig), store=folder / "ledger.db", allow_changes=True)
        async with rooms.gateway(access) as gateway:
            await populate(gateway._reader, lab.create)
            recorder = Recorder(gateway._reader._transport)
            gateway._reader = Reader(recorder)  # type: ignore[arg-type]
            yield Everything(gateway, recorder, lab, access)


async def populate(reader: Reader, create: Callable[[dict[str, Any]], Awaitable[object]]) -> None:
    """Fill a cluster of three nodes, lab-1 to lab-3, with a little of everything, and wait until it has come about."""
    namespace, *rest = yaml.safe_load_all(WORLD.read_text())
    await create(namespace)
    await _account(reader)
    await _cordoned(reader)
    for document in rest:
        await create(document)
    await _settled(reader)
    await _second_revision(reader)
    await _settled(reader)


async def _account(reader: Reader) -> None:
    """Until the namespace has its ServiceAccount, without which no pod can be made."""
    async with asyncio.timeout(SETTLED_S):
        while not (await reader.list(ServiceAccount, "shop")).items:  # noqa: ASYNC110  (a test polls as people do)
            await asyncio.sleep(0.02)


async def _settled(reader: Reader) -> None:
    """Until every pod of the world's Deployments runs and pods that end have: the examples speak of them."""
    async with asyncio.timeout(SETTLED_S):
        while True:
            found = await reader.list(Deployment, "shop")
            crasher = await reader.read(Pod, "shop", "crasher")
            failed = await reader.read(Pod, "shop", "failed")
            ended = any(s.restart_count for s in crasher.status.container_statuses) and failed.status.phase == "Failed"
            if ended and all(progress(d).complete for d in found.items if "broken" not in d.metadata.labels):
                return
            await asyncio.sleep(0.02)


async def _cordoned(reader: Reader) -> None:
    """One node is closed, so that it can be opened."""
    await _patch(reader, "/api/v1/nodes/lab-3", {"spec": {"unschedulable": True}})


async def _second_revision(reader: Reader) -> None:
    container = {"name": "api", "image": "registry.lab/web:1.2"}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    await _patch(reader, "/apis/apps/v1/namespaces/shop/deployments/api", body)


async def _patch(reader: Reader, path: str, body: dict[str, object]) -> None:
    kind = "application/strategic-merge-patch+json"
    await reader._transport.send("PATCH", path, body, content_type=kind, changes=True)
