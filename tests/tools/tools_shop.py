"""A gateway on a practice cluster of the test's own, with the objects it wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from kubemend.app import Rooms
from kubemend.engine.gateway import Gateway
from kubemend.lab.cluster import PracticeCluster
from kubemend.lab.kinds import BY_KIND
from kubemend.lab.store import Store
from kubemend.surfaces.cli.options import Access

SHOP = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}


@asynccontextmanager
async def shop(cluster: PracticeCluster, folder: Path, manifests: str) -> AsyncIterator[Gateway]:
    """The gateway, once the namespace `shop` takes pods and the manifests are made."""
    kubeconfig = folder / "kubeconfig"
    await asyncio.to_thread(kubeconfig.write_text, json.dumps(cluster.kubeconfig()))
    await cluster.api.create(SHOP)
    await cluster.until(lambda store: store.find("ServiceAccount", "shop", "default") is not None)
    for document in yaml.safe_load_all(manifests):
        if BY_KIND[document["kind"]].namespaced:
            document["metadata"].setdefault("namespace", "shop")
        await cluster.api.create(document)
    async with Rooms().gateway(Access(kubeconfig=str(kubeconfig), store=folder / "ledger.db")) as gateway:
        yield gateway


async def data(gateway: Gateway, tool: str, **arguments: Any) -> Any:
    """What a tool answers; an answer that is no answer fails the test with its error."""
    answer = await gateway.call(tool, arguments, actor="test")
    assert answer.ok, answer.error
    return answer.data


def pods(ready: int, app: str) -> Callable[[Store], bool]:
    """Whether so many pods with this label are ready."""

    def there(store: Store) -> bool:
        mine = [p for p in store.all("Pod", "shop") if (p["metadata"].get("labels") or {}).get("app") == app]
        good = [p for p in mine if _is(p, "Ready")]
        return len(good) == ready and len(mine) >= ready

    return there


def _is(pod: dict[str, Any], condition: str) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == condition and c["status"] == "True" for c in conditions)
