"""Both kinds of cluster, alive: controllers, scheduler, and the same node stand-ins."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from differential_peer import administrator, living, trusted
from differential_talks import Living
from testbed.nodes import running
from testbed.plane import ControlPlane

from kubemend.lab.cluster import PracticeCluster

NODES = ("node-1", "node-2", "node-3")
PACE = 0.05
"""Real seconds for each second that a kubelet, or one of the practice cluster's controllers, would take."""


@asynccontextmanager
async def practice_cluster() -> AsyncIterator[Living]:
    """The practice cluster, with nodes of the names that the real one has."""
    async with PracticeCluster(NODES, pace=PACE) as cluster:
        authority = cluster.kubeconfig()["clusters"][0]["cluster"]["certificate-authority-data"]
        trust = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
        headers = {"Authorization": f"Bearer {cluster.server.admin_token}"}
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
            token = await administrator(session, cluster.url, headers)
        yield partial(living, cluster.url, trust, token)


@asynccontextmanager
async def real_cluster(plane: ControlPlane) -> AsyncIterator[Living]:
    """The real control plane with node stand-ins in this event loop."""
    async with running(plane.nodes_kubeconfig, NODES, pace=PACE):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted(plane))) as session:
            token = await administrator(session, plane.server, {})
        trust = ssl.create_default_context(cafile=str(plane.folder / "pki" / "ca.crt"))
        yield partial(living, plane.server, trust, token)
