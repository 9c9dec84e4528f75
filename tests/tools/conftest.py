"""A practice cluster with a little of everything, on which every tool's example works."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tools_recorder import Recorder
from tools_world import Everything, populate

from kubemend.app import Rooms
from kubemend.cluster.reader import Reader
from kubemend.surfaces.cli.options import Access


@pytest.fixture
async def everything(tmp_path: Path) -> AsyncIterator[Everything]:
    async with everything_in(tmp_path) as found:
        yield found


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
