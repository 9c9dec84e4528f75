"""A practice cluster with a little of everything, on which every tool's example works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
    rooms = Rooms()
    async with rooms.practice(nodes=3, pace=0.02) as lab:
        for document in yaml.safe_load_all(WORLD.read_text()):
            await lab.create(document)
        access = Access(kubeconfig=str(lab.kubeconfig), store=tmp_path / "ledger.db", allow_changes=True)
        async with rooms.gateway(access) as gateway:
            recorder = Recorder(gateway._reader._transport)
            gateway._reader = Reader(recorder)  # type: ignore[arg-type]
            await _settled(gateway)
            recorder.asked.clear()
            yield Everything(gateway, recorder)


async def _settled(gateway: Gateway) -> None:
    """Until every pod of the world's Deployments runs: the last of them names what the examples speak of."""
    from kubemend.model.objects import Deployment

    async with asyncio.timeout(SETTLED_S):
        while True:
            found = await gateway._reader.list(Deployment, "shop")
            if all(d.status.available_replicas == d.spec.replicas for d in found.items):
                return
            await asyncio.sleep(0.02)
