"""A practice cluster with a little of everything, on which every tool's example works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from tools_recorder import Recorder
from tools_world import Everything

from kubemend.app import Rooms
from kubemend.cluster.reader import Reader
from kubemend.engine.gateway import Gateway
from kubemend.surfaces.cli.options import Access

WORLD = Path(__file__).with_name("world.yaml")
SETTLED_S = 30.0


@pytest.fixture
async def everything(tmp_path: Path) -> AsyncIterator[Everything]:
    async with everything_in(tmp_path) as found:
        yield found


@asynccontextmanager
async def everything_in(folder: Path) -> AsyncIterator[Everything]:
    rooms = Rooms()
    async with rooms.practice(nodes=3, pace=0.02) as lab:
        namespace, *rest = yaml.safe_load_all(WORLD.read_text())
        await lab.create(namespace)
        access = Access(kubeconfig=str(lab.kubeconfig), store=folder / "ledger.db", allow_changes=True)
        async with rooms.gateway(access) as gateway:
            await _account(gateway)
            await _cordoned(gateway)
            for document in rest:
                await lab.create(document)
            recorder = Recorder(gateway._reader._transport)
            gateway._reader = Reader(recorder)  # type: ignore[arg-type]
            await _settled(gateway)
            await _second_revision(gateway)
            await _settled(gateway)
            recorder.asked.clear()
            yield Everything(gateway, recorder, lab, access)


async def _account(gateway: Gateway) -> None:
    """Until the namespace has its ServiceAccount, without which no pod can be made."""
    from kubemend.model.objects import ServiceAccount

    async with asyncio.timeout(SETTLED_S):
        while not (await gateway._reader.list(ServiceAccount, "shop")).items:  # noqa: ASYNC110  (a test polls as people do)
            await asyncio.sleep(0.02)


async def _settled(gateway: Gateway) -> None:
    """Until every pod of the world's Deployments runs and pods that end have: the examples speak of them."""
    from kubemend.kube.rollout import progress
    from kubemend.model.objects import Deployment, Pod

    async with asyncio.timeout(SETTLED_S):
        while True:
            found = await gateway._reader.list(Deployment, "shop")
            crasher = await gateway._reader.read(Pod, "shop", "crasher")
            failed = await gateway._reader.read(Pod, "shop", "failed")
            ended = any(s.restart_count for s in crasher.status.container_statuses) and failed.status.phase == "Failed"
            if ended and all(progress(d).complete for d in found.items if "broken" not in d.metadata.labels):
                return
            await asyncio.sleep(0.02)


async def _cordoned(gateway: Gateway) -> None:
    """One node is closed, so that it can be opened."""
    await _patch(gateway, "/api/v1/nodes/lab-3", {"spec": {"unschedulable": True}})


async def _second_revision(gateway: Gateway) -> None:
    container = {"name": "api", "image": "registry.lab/web:1.2"}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    await _patch(gateway, "/apis/apps/v1/namespaces/shop/deployments/api", body)


async def _patch(gateway: Gateway, path: str, body: dict[str, object]) -> None:
    kind = "application/strategic-merge-patch+json"
    await gateway._reader._transport.send("PATCH", path, body, content_type=kind, changes=True)
