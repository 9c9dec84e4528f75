"""A scripted API server, and the ways to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cluster_api import HASTY, QUICK, Api, connection, serving

from kubemend.cluster.reader import Reader
from kubemend.cluster.transport import Transport
from kubemend.cluster.writer import Writer


@pytest.fixture(autouse=True)
def _no_cluster_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The machine's own kubeconfig, pod and proxies must not count."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as made:
        yield made


@pytest.fixture
async def transport(api: Api, tmp_path: Path) -> AsyncIterator[Transport]:
    async with connection(tmp_path, api, {"token": "s3cret-token"}).open(QUICK) as made:
        yield made


@pytest.fixture
async def hasty(api: Api, tmp_path: Path) -> AsyncIterator[Transport]:
    """One that waits a tenth of a second for anything."""
    async with connection(tmp_path, api).open(HASTY) as made:
        yield made


@pytest.fixture
def reader(transport: Transport) -> Reader:
    return Reader(transport)


@pytest.fixture
def writer(transport: Transport, reader: Reader) -> Writer:
    return Writer(transport, reader)
