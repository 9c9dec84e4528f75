"""The real control plane with nodes, on which pods run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.plane import ControlPlane

NODES = Path(__file__).resolve().parents[2] / "testbed" / "nodes.py"
PACE = 0.05
"""Real seconds for each second that a kubelet would take over something."""


@pytest.fixture(scope="session")
def real_cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane with three nodes, whose pods behave as their specs would have them behave."""
    command = [sys.executable, str(NODES), "--kubeconfig", str(control_plane.nodes_kubeconfig), f"--pace={PACE}"]
    log = control_plane.folder / "logs" / "nodes.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, process_group=0
        ) as nodes,
    ):
        assert nodes.stdin is not None
        assert nodes.stdout is not None
        assert nodes.stdout.readline(), log.read_text()
        control_plane.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")
        yield control_plane
        nodes.stdin.close()
        assert nodes.wait(30) == 0, log.read_text()
