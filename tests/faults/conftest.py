"""What the fault tests share."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faults_hurry import hurry
from faults_proxy import Proxy

from kubemend.cluster.connection import Connection, connect

if TYPE_CHECKING:
    from kubemend.lab.cluster import PracticeCluster


@pytest.fixture(autouse=True)
def _no_cluster_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The machine's own kubeconfig and proxies must not count; every wait ends soon."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    hurry(monkeypatch)


@pytest.fixture
def way(practice: PracticeCluster, tmp_path: Path) -> Connection:
    """The way to the practice cluster, past any proxy."""
    path = tmp_path / "practice.kubeconfig"
    path.write_text(json.dumps(practice.kubeconfig()))
    return connect(kubeconfig=str(path))


@pytest.fixture
async def proxy(way: Connection) -> AsyncIterator[Proxy]:
    """A proxy before the practice cluster, harmless until told otherwise."""
    async with Proxy.to(way) as made:
        yield made
