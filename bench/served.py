"""A practice cluster's API server over recorded lists, as many times over as wanted: it answers whatever a tool asks.

`python bench/served.py FOLDER COPIES` prints the path of a kubeconfig once it serves. FOLDER holds `items-PLURAL.json`
as `replay.record` writes them. Nothing lives in this cluster: no controller, no node. Usage and logs are made up.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
from replay import copies

from kubemend.cluster.resource import Resource
from kubemend.lab.kinds import BY_KIND, Kind
from kubemend.lab.server import PracticeServer
from kubemend.lab.store import Store

LOG_LINES = 5000
"""Lines that a container which crashes has in its log, and has had in the one before."""


def resources() -> list[Resource]:
    """The kinds that are recorded: all that a practice cluster keeps."""
    return [Resource(k.kind, k.plural, k.group, k.version, k.namespaced) for k in BY_KIND.values() if _kept(k)]


def _kept(kind: Kind) -> bool:
    return kind.kind not in ("Endpoints", "Lease")  # which a control plane writes for itself, on and on


def load(store: Store, folder: Path, count: int) -> None:
    """Keep all recorded objects, `count` times over."""
    for kind in filter(_kept, BY_KIND.values()):
        items = msgspec.json.decode((folder / f"items-{kind.plural}.json").read_bytes(), type=list[msgspec.Raw])
        for item in copies(kind.plural, items, count):
            # The items of a list don't say what they are.
            store.put(kind.storage, {"kind": kind.kind, "apiVersion": kind.api_version, **msgspec.json.decode(item)})
    enliven(store)
    store.compact()


def enliven(store: Store) -> None:
    """What nodes would tell of pods: the use of each container, and the logs of those that crash."""
    for number, pod in enumerate(store.all("Pod")):
        ns, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            container, state = status["name"], status["state"]
            if "running" in state:
                used = {"cpu": f"{number * 37 % 400}m", "memory": f"{64 + number * 11 % 200}Mi"}
                store.usage[ns, name, container] = used
            elif "lastState" in status:
                for previous in (False, True):
                    store.logs[ns, name, container, previous] = list(map(_line, range(LOG_LINES)))


def _line(number: int) -> str:
    word = "ERROR no route to the database" if number % 50 == 49 else "INFO waiting for the database to answer"
    return f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z {word}, attempt {number}"


async def serve(folder: Path, count: int) -> None:
    """Serve until standard input ends."""
    server = PracticeServer(secure=False)
    gc.disable()  # while millions of objects come, and none goes
    load(server.store, folder, count)
    gc.freeze()
    gc.enable()
    await server.start()
    path = folder / "kubeconfig"
    path.write_text(json.dumps(server.kubeconfig()))
    counts: dict[str, Any] = {k: len(server.store.all(k)) for k in ("Pod", "Node", "Namespace")}
    print(json.dumps({"kubeconfig": str(path), **counts}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
