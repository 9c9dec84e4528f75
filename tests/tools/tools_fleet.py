"""A practice cluster with thousands of pods in which nothing moves, and the whole program on it."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from asked import questions
from direct import Direct
from furnished import Town, built
from served import enliven

from kubemend.app import Rooms
from kubemend.engine.gateway import Gateway
from kubemend.lab.server import PracticeServer
from kubemend.lab.store import Store
from kubemend.surfaces.cli.options import Access

__all__ = ["Fleet", "Town", "fleet_in", "questions"]


class Fleet:
    """The gateway on a fleet, and the store that knows what there really is."""

    def __init__(self, gateway: Gateway, store: Store, town: Town) -> None:
        self.gateway, self.store, self.town = gateway, store, town


@asynccontextmanager
async def fleet_in(folder: Path, town: Town) -> AsyncIterator[Fleet]:
    """A fleet, filled without any server's help, behind an API server."""
    server = PracticeServer(secure=False)
    await built(Direct(server.store), town)
    enliven(server.store)
    server.store.compact()
    await server.start()
    try:
        path = folder / "kubeconfig"
        path.write_text(json.dumps(server.kubeconfig()))
        async with Rooms().gateway(Access(kubeconfig=str(path), store=folder / "ledger.db")) as gateway:
            yield Fleet(gateway, server.store, town)
    finally:
        await server.stop()
