"""Nodes for a real control plane: the practice cluster's stand-ins over our own client.

`python testbed/nodes.py --kubeconfig F --nodes 3 --pace 0.05` runs until SIGTERM, SIGINT, or the end of a standard
input that is a pipe, and prints one line of JSON once the nodes are there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from testbed import metrics
from testbed.client import ClientApi
from testbed.logs import serving
from testbed.volumes import provision

from kubemend.cluster.connection import connect
from kubemend.cluster.transport import Transport
from kubemend.lab.api import Object
from kubemend.lab.kubelet import NodeStandIn
from kubemend.lab.node.host import Logs, Usage
from kubemend.model.errors import KubemendError


class NodesApi(ClientApi):
    """The API, with every node said to be where its logs are served: on loopback, at one port for all."""

    def __init__(self, transport: Transport, port: int) -> None:
        super().__init__(transport)
        self._status: Object = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }

    async def patch(self, obj: Object, body: Object, *, subresource: str = "") -> Object:
        """JSON merge patch of one object."""
        if obj["kind"] == "Node" and subresource == "status":
            body = {**body, "status": {**body["status"], **self._status}}
        return await super().patch(obj, body, subresource=subresource)


@asynccontextmanager
async def running(kubeconfig: Path, names: Sequence[str], *, pace: float, metered: bool = False) -> AsyncIterator[None]:
    """Run stand-ins of these names; they are registered and ready when the block begins, and silent at its end.

    pace: real seconds per second of Kubernetes. metered: whether the cluster has metrics.k8s.io, too. The control
    plane's `pki` folder is expected beside the kubeconfig.
    """
    logs: Logs = {}
    usage: Usage = {}
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(logs, kubeconfig.parent / "pki"))
        transport = await stack.enter_async_context(connect(kubeconfig=str(kubeconfig)).open())
        api = NodesApi(transport, port)
        if metered:
            await stack.enter_async_context(metrics.serving(transport, usage, kubeconfig.parent / "pki"))
        provisioner = asyncio.create_task(provision(api), name="provisioner")
        stack.push_async_callback(_end, provisioner)
        for name in names:
            node = NodeStandIn(api, name, pace=pace, logs=logs, usage=usage)
            await node.start()
            stack.push_async_callback(node.stop)
        yield


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task that never ends; what made it end all the same is raised."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def stop_signal() -> asyncio.Event:
    """Set at SIGTERM, SIGINT, or the end of standard input if that is a pipe."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)

    def heard() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            told.set()

    if stat.S_ISFIFO(os.fstat(0).st_mode):
        loop.add_reader(0, heard)
    return told


async def run(kubeconfig: Path, names: Sequence[str], pace: float, *, metered: bool) -> None:
    """Run nodes until told to stop."""
    told = stop_signal()
    async with running(kubeconfig, names, pace=pace, metered=metered):
        print(json.dumps({"nodes": list(names)}), flush=True)
        await told.wait()


def main() -> int:
    """Exit status 1 with the reason when the nodes can't be run."""
    parser = argparse.ArgumentParser(description="Run node stand-ins on a real control plane.")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of the control plane: DIR/nodes.kubeconfig")
    parser.add_argument("--nodes", type=int, default=3, help="how many")
    parser.add_argument("--pace", type=float, default=1.0, help="real seconds per second of a node's time")
    parser.add_argument("--metered", action="store_true", help="serve metrics.k8s.io of what their pods use")
    parser.add_argument("--prefix", default="node", help="what their names begin with")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    names = [f"{asked.prefix}-{number}" for number in range(1, asked.nodes + 1)]
    try:
        asyncio.run(run(asked.kubeconfig, names, asked.pace, metered=asked.metered))
    except KubemendError as error:
        print(f"nodes: {error.message}" + (f" ({error.where})" if error.where else ""), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
