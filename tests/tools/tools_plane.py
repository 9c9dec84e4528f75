"""A real control plane with the world of the examples, and an account for each tool that has its declared rights."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml
from testbed.client import ClientApi
from testbed.plane import ControlPlane
from tools_recorder import Recorder
from tools_world import populate

from kubemend.app import Rooms
from kubemend.cluster.connection import connect
from kubemend.cluster.errors import ClusterError
from kubemend.cluster.reader import Reader
from kubemend.cluster.transport import Transport
from kubemend.engine import catalogue
from kubemend.engine.gateway import Gateway
from kubemend.model.access import Access as Permission
from kubemend.model.access import Risk
from kubemend.model.tool import Tool
from kubemend.surfaces.cli.manifests import HOME, manifests
from kubemend.surfaces.cli.options import Access

ROOT = Path(__file__).resolve().parents[2]
USED = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"
USED_S = 60.0


@dataclass(frozen=True)
class Grounds:
    """The control plane, and where its accounts' files lie."""

    plane: ControlPlane
    folder: Path

    @asynccontextmanager
    async def gateway(self, tool: Tool) -> AsyncIterator[tuple[Gateway, Recorder]]:
        """The whole program, with the rights of this tool's account, and what it asks for."""
        store = self.folder / f"{tool.name}.db"
        access = Access(kubeconfig=str(await self.account(tool.name, rights(tool))), store=store, allow_changes=True)
        async with Rooms().gateway(access) as gateway:
            recorder = Recorder(gateway._reader._transport)
            gateway._reader = Reader(recorder)  # type: ignore[arg-type]
            yield gateway, recorder

    async def account(self, name: str, permissions: frozenset[Permission]) -> Path:
        """A kubeconfig of a new ServiceAccount with these rights, as `kubemend rbac` would write them."""
        role = name.replace("_", "-")
        async with connect(kubeconfig=str(self.plane.kubeconfig)).open() as transport:
            await asyncio.to_thread(self._apply, role, permissions)
            body = {"spec": {"expirationSeconds": 3600}}
            path = f"/api/v1/namespaces/{HOME}/serviceaccounts/kubemend-{role}/token"
            token = msgspec.json.decode(await transport.send("POST", path, body))["status"]["token"]
        config = yaml.safe_load(self.plane.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        made = self.folder / f"{role}.kubeconfig"
        made.write_text(yaml.safe_dump(config))
        return made

    def _apply(self, role: str, permissions: frozenset[Permission]) -> None:
        objects = manifests(role, permissions, namespace=None)
        self.plane.kubectl("apply", "-f", "-", manifest=yaml.safe_dump_all(objects))


def rights(tool: Tool) -> frozenset[Permission]:
    """What a tool may do here: what it declares. What judges or writes stands on a diagnosis, which is the viewer's."""
    return tool.needs if tool.risk is Risk.READ and not tool.at_desk else tool.needs | catalogue.reads()


@contextmanager
def grounds(programs: Path, folder: Path) -> Iterator[Grounds]:
    """Three nodes that tell what their pods use, and on them the world of the examples."""
    with ControlPlane(programs, folder / "plane") as plane, _nodes(plane):
        asyncio.run(_filled(plane))
        yield Grounds(plane, folder)


@contextmanager
def _nodes(plane: ControlPlane) -> Iterator[None]:
    command = [sys.executable, str(ROOT / "testbed" / "nodes.py"), "--kubeconfig", str(plane.nodes_kubeconfig)]
    command += ["--pace=0.05", "--prefix=lab", "--metered"]
    log = plane.folder / "logs" / "nodes.log"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "process_group": 0}
    with log.open("w") as errors, subprocess.Popen(command, stderr=errors, **pipes) as nodes:  # type: ignore[call-overload]
        assert nodes.stdout.readline(), log.read_text()
        plane.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")
        yield
        nodes.stdin.close()
        assert nodes.wait(30) == 0, log.read_text()


async def _filled(plane: ControlPlane) -> None:
    async with connect(kubeconfig=str(plane.kubeconfig)).open() as transport:
        await populate(Reader(transport), ClientApi(transport).create)
        async with asyncio.timeout(USED_S):
            while not await _measured(transport):  # noqa: ASYNC110  (a test polls as people do)
                await asyncio.sleep(0.2)


async def _measured(transport: Transport) -> bool:
    """Whether the API of what is used is there and tells of every node."""
    try:
        pods = msgspec.json.decode(await transport.get(USED))["items"]
        nodes = msgspec.json.decode(await transport.get("/apis/metrics.k8s.io/v1beta1/nodes"))["items"]
    except ClusterError:
        return False
    return bool(pods and nodes)
