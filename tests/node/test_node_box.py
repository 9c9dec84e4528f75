"""A node leaves nothing on its machine, however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from node_inventory import inventory
from testbed.node import cgroups
from testbed.node.node import RealNode

ROOT = Path(__file__).resolve().parents[2]
POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: app, image: "registry.lab/web:1.0", resources: {limits: {memory: 64Mi}}}]}
"""
UP_S, GONE_S = 150.0, 60.0


@contextmanager
def up(*, told: signal.Signals) -> Iterator[tuple[subprocess.Popen[str], Path, int]]:
    """`python -m testbed.node` with a pod running on it: the process, the node's folder, its process 1's parent.

    Told to end by that signal when the block ends, if it hasn't ended yet.
    """
    command = [sys.executable, "-m", "testbed.node"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, process_group=0) as node:
        assert node.stdout is not None
        config, kubectl, _ = (node.stdout.readline() for _ in range(3))
        kubeconfig = Path(config.partition("=")[2].strip())
        try:
            run_a_pod(re.split(r"[= ]", kubectl)[2], kubeconfig)
            children = Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()
            boxes = [int(p) for p in children if b"unshare" in Path(f"/proc/{p}/cmdline").read_bytes()]
            yield node, kubeconfig.parents[1], boxes[0]
        finally:
            if node.poll() is None:
                node.send_signal(told)


def run_a_pod(kubectl: str, kubeconfig: Path) -> None:
    base = [kubectl, f"--kubeconfig={kubeconfig}"]
    subprocess.run([*base, "apply", "-f", "-"], input=POD, text=True, check=True, capture_output=True)
    subprocess.run(
        [*base, "wait", "pod/web", "--for=condition=Ready", "--timeout=90s"], check=True, capture_output=True
    )


def more_than(before: set[str]) -> list[str]:
    return sorted(inventory() - before)


def eventually(nothing: Callable[[], list[str]]) -> list[str]:
    """What is left when nothing is, or when the time is over."""
    until, tick = time.monotonic() + GONE_S, threading.Event()
    while (left := nothing()) and time.monotonic() < until:
        tick.wait(0.2)
    return left


@pytest.mark.timeout(300)
def test_after_ctrl_c_the_machine_is_as_it_was(node_programs: Path) -> None:
    before = inventory()
    with up(told=signal.SIGINT) as (node, folder, _):
        during = more_than(before)
        assert folder.exists()
    assert node.returncode == 0
    assert more_than(before) == []
    assert before - inventory() == set()
    seen = {line.partition(" ")[0] for line in during}
    assert {"process", "cgroup", "link", "route", "file", "network"} <= seen, "the inventory doesn't see a node"
    assert not [line for line in during if line.startswith(("mount", "sysctl", "rule"))], "a node changes these for all"


@pytest.mark.timeout(300)
def test_a_node_whose_parent_is_killed_ends_and_clears_itself_away(node_programs: Path) -> None:
    before = inventory()
    with up(told=signal.SIGKILL) as (node, _, _):
        node.kill()
        node.wait()
    assert eventually(lambda: more_than(before)) == []


@pytest.mark.timeout(300)
def test_what_is_left_when_all_of_a_nodes_keepers_are_killed_is_cleared_by_down(node_programs: Path) -> None:
    before = inventory()
    with up(told=signal.SIGKILL) as (node, folder, box):
        first = int(Path(f"/proc/{box}/task/{box}/children").read_text())
        for pid in (node.pid, box, first):
            os.kill(pid, signal.SIGKILL)
        node.wait()
    left = eventually(lambda: [line for line in more_than(before) if line.startswith(("process", "link", "network"))])
    assert left == [], "what runs in the box outlives its process 1"
    assert f"file {folder}" in more_than(before), "nothing was left behind, so there is nothing to clear"
    assert [line for line in more_than(before) if line.startswith("cgroup")] != []
    assert down() == f"cleared away what was left of node {folder.name.rpartition('-')[2]}\n"
    assert more_than(before) == []


@pytest.mark.timeout(180)
def test_down_leaves_a_running_node_alone(real_node: RealNode) -> None:
    folder = real_node.box.slot.folder
    assert down() == ""
    assert folder.exists()
    real_node.box.check()
    real_node.plane.kubectl("get", "nodes")


@pytest.mark.timeout(60)
def test_the_inventory_sees_what_a_node_could_leave(node_programs: Path) -> None:
    before = inventory()
    name, folder = "kubemend-node-test", Path(tempfile.gettempdir(), "kubemend-node-test")
    cgroups.make(name)
    folder.mkdir()
    try:
        assert {line.partition(" ")[0] for line in more_than(before)} == {"cgroup", "file"}
    finally:
        cgroups.remove(name)
        folder.rmdir()
    assert more_than(before) == []


def down() -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "testbed.node", "down"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stderr
