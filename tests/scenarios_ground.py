"""The clusters that scenarios are played on, each seen through stock kubectl."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import yaml

from kubemend.lab.cluster import PracticeCluster
from kubemend.lab.server import Audited

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from testbed.plane import ControlPlane  # noqa: E402  (the path is set just above)

CLI = [sys.executable, "-m", "kubemend"]
PACE = 0.05
"""Real seconds for each second that a kubelet of the stand-ins would take over something."""
FIRST_USE = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: first-use}
provisioner: lab.kubemend.dev/instant
volumeBindingMode: WaitForFirstConsumer
"""


class Written(NamedTuple):
    """A request for a change. resource: plural, as "deployments"; a pod's eviction is "pods"."""

    verb: str
    resource: str
    namespace: str
    name: str


class Ground(Protocol):
    """A cluster with nodes, ready to be played on."""

    @property
    def name(self) -> str:
        """practice, plane or node: as in a scenario's `clusters`."""
        ...

    @property
    def kubeconfig(self) -> Path:
        """An administrator's."""
        ...

    def kubectl(self, *arguments: str, manifest: str = "") -> str:
        """What stock kubectl prints, as the administrator. Raises with its words when it fails."""
        ...

    def writes(self, user: str) -> list[Written]:
        """All that one user has asked to change so far, oldest first: refused or not; no reviews, no dry runs."""
        ...


class KubectlFailed(Exception):
    """kubectl said no."""


class Practice:
    """The practice cluster, in a thread of this process."""

    name = "practice"

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self.kubeconfig = program, folder / "practice.kubeconfig"
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)
        self._up, self._told = threading.Event(), threading.Event()
        self.audit: list[Audited] = []

    def __enter__(self) -> Practice:
        self._thread.start()
        assert self._up.wait(60), "the practice cluster did not come up"
        return self

    def __exit__(self, *_: object) -> None:
        self._told.set()
        self._thread.join(60)

    async def _live(self) -> None:
        async with PracticeCluster(pace=PACE) as cluster:
            self.audit = cluster.server.audit
            self.kubeconfig.write_text(json.dumps(cluster.kubeconfig()))
            self._up.set()
            await asyncio.to_thread(self._told.wait)

    def kubectl(self, *arguments: str, manifest: str = "") -> str:
        cache = str(self.kubeconfig.parent / "kubectl-cache")
        ran = subprocess.run(
            [str(self._program), *arguments],
            input=manifest,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": cache},
        )
        if ran.returncode:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {ran.stderr.strip()}")
        return ran.stdout

    def writes(self, user: str) -> list[Written]:
        asked = [a for a in list(self.audit) if a.user == user and not a.dry_run]
        return [Written(a.verb, a.resource, a.namespace, a.name) for a in asked]


@dataclass(frozen=True)
class Plane:
    """The real control plane; its nodes are stand-ins."""

    plane: ControlPlane
    name: str = "plane"

    @property
    def kubeconfig(self) -> Path:
        return self.plane.kubeconfig

    def kubectl(self, *arguments: str, manifest: str = "") -> str:
        return self.plane.kubectl(*arguments, manifest=manifest)

    def writes(self, user: str) -> list[Written]:
        return [
            Written(e["verb"], e["objectRef"]["resource"], e["objectRef"].get("namespace", ""), e["objectRef"]["name"])
            for e in self.plane.writes(user)
            if "dryRun" not in e["requestURI"] and e["objectRef"]["resource"] != "selfsubjectaccessreviews"
        ]


@contextmanager
def practice(programs: Path, folder: Path) -> Iterator[Ground]:
    """A practice cluster of our own."""
    with Practice(programs / "kubectl", folder) as ground:
        yield ground


@contextmanager
def with_nodes(plane: ControlPlane) -> Iterator[ControlPlane]:
    """A control plane with three node stand-ins while the block runs."""
    command = [sys.executable, str(ROOT / "testbed" / "nodes.py"), "--kubeconfig", str(plane.nodes_kubeconfig)]
    log = plane.folder / "logs" / "nodes.log"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "process_group": 0}
    with log.open("w") as errors, subprocess.Popen([*command, f"--pace={PACE}"], stderr=errors, **pipes) as nodes:
        assert nodes.stdin is not None
        assert nodes.stdout is not None
        assert nodes.stdout.readline(), log.read_text()
        plane.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")
        yield plane
        nodes.stdin.close()
        assert nodes.wait(30) == 0, log.read_text()


@contextmanager
def plane(programs: Path, folder: Path) -> Iterator[Ground]:
    """A control plane of our own."""
    with ControlPlane(programs, folder / "plane") as control, with_nodes(control):
        yield Plane(control)


@contextmanager
def node(programs: Path, _folder: Path) -> Iterator[Ground]:
    """A control plane with a real kubelet on a real containerd."""
    from testbed.node.node import RealNode

    with RealNode(programs) as real:
        yield Plane(real.plane, name="node")


GROUNDS: dict[str, Callable[[Path, Path], AbstractContextManager[Ground]]] = {
    "practice": practice,
    "plane": plane,
    "node": node,
}


def cli(*arguments: str, expect: int = 0) -> str:
    """What kubemend prints; with what it says when it is to fail."""
    ran = subprocess.run([*CLI, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == expect, ran.stdout + ran.stderr
    return ran.stdout + (ran.stderr if expect else "")


def account(role: str) -> str:
    """The user name of the ServiceAccount of `kubemend rbac ROLE`."""
    return f"system:serviceaccount:kubemend:kubemend-{role}"


def as_account(ground: Ground, role: str, folder: Path) -> Path:
    """A kubeconfig of the ServiceAccount that `kubemend rbac ROLE` describes, and nothing else."""
    ground.kubectl("apply", "-f", "-", manifest=cli("rbac", role))
    token = ground.kubectl("create", "token", f"kubemend-{role}", "-n", "kubemend", "--duration=2h").strip()
    config = yaml.safe_load(ground.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = folder / f"{role}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path
