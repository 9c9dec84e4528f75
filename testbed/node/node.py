"""A real control plane with one real node, for as long as a `with` block."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed.node import config
from testbed.node.box import Box
from testbed.node.images import build_all
from testbed.node.needs import missing
from testbed.node.registry import OPEN_PORT, PRIVATE_PORT, hosts, push
from testbed.plane import ControlPlane

NAME = "node-1"

# The API server asks the kubelet for logs and the like under its own name, which has no rights by itself.
_KUBELET_RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: api-server-to-kubelet}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:kubelet-api-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: kube-apiserver-kubelet-client}]
"""


class NodeError(Exception):
    """There can be no real node here; the message says what is missing."""


class RealNode:
    """Everything runs in a box of its own (`testbed.node.box`) and ends with it, and with this process.

    The API server listens on the node's end of a cable that only this machine has. The images of the practice cluster
    can be pulled under their own names.
    """

    def __init__(self, programs: Path) -> None:
        """`programs`: what `build.build()` returned."""
        self._programs = programs
        self._stack = ExitStack()
        self.box = Box()
        self.plane: ControlPlane

    def __enter__(self) -> Self:
        if reason := missing():
            raise NodeError(reason)
        with ExitStack() as stack:
            stack.enter_context(self.box)
            self._serve_images()
            self.plane = stack.enter_context(
                ControlPlane(
                    self._programs,
                    self.box.slot.folder / "plane",
                    within=self.box.within,
                    address=self.box.slot.address,
                    node=NAME,
                )
            )
            self._join()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _serve_images(self) -> None:
        """Start the container runtime and the registries, and fill these."""
        slot = self.box.slot
        images = build_all(self._programs)
        config.write(slot, hosts(images))
        files, temporary = slot.folder / "conf", slot.folder / "data" / "tmp"
        environment = {**os.environ, "TMPDIR": str(temporary), "OTEL_TRACES_EXPORTER": "none"}
        self.box.run("mkdir", str(temporary))
        self.box.start("containerd", ["containerd", "--config", str(files / "containerd.toml")], environment)
        for name, port in (("registry", OPEN_PORT), ("private", PRIVATE_PORT)):
            self.box.start(name, ["docker-registry", "serve", str(files / f"{name}.yaml")], environment)
            self.box.await_port(name, port)
        push(slot.address, images)
        self.box.await_words("containerd", "containerd successfully booted")

    def _join(self) -> None:
        """Start the kubelet and what makes volumes, and wait until the node is ready."""
        slot, plane = self.box.slot, self.plane
        plane.kubectl("apply", "-f", "-", manifest=_KUBELET_RIGHTS)
        data = slot.folder / "data"
        kubelet = {
            "config": slot.folder / "conf" / "kubelet.yaml",
            "kubeconfig": plane.folder / "node.kubeconfig",
            "hostname-override": NAME,
            "node-ip": slot.address,
            "root-dir": data / "kubelet",
            "v": 2,
        }
        disk = {"kubeconfig": plane.nodes_kubeconfig, "root": data / "volumes"}
        environment = {**os.environ, "TMPDIR": str(data / "tmp")}
        testbed, maker = str(self._programs / "testbed"), str(Path(__file__).with_name("disk.py"))
        self.box.start("kubelet", [testbed, "kubelet", *_flags(kubelet)], environment)
        self.box.start("disk", [sys.executable, maker, *_flags(disk)], environment)
        for state in ("create", "condition=Ready"):
            plane.kubectl("wait", f"node/{NAME}", f"--for={state}", "--timeout=90s")
        plane.kubectl("wait", "storageclass/standard", "--for=create", "--timeout=90s")


def _flags(values: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]
