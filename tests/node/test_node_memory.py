"""The story kubemend began with: the kernel kills a program at its limit; found, mended, proven, and taken back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testbed.node.node import RealNode

from kubemend.kube.diff import changed
from kubemend.kube.quantity import to_bytes

SPACE = "hungry"
HOG = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: hog}
spec:
  replicas: 1
  selector: {matchLabels: {app: hog}}
  template:
    metadata: {labels: {app: hog}}
    spec:
      containers:
        - name: hog
          image: polinux/stress
          command: [stress]
          args: ["--vm", "1", "--vm-bytes", "200M"]
          resources: {limits: {memory: 100Mi}}
"""
LIMIT = ("sh", "-c", "cat /sys/fs/cgroup/memory.max || cat /sys/fs/cgroup/memory/memory.limit_in_bytes")
RESOURCES = "/spec/template/spec/containers/0/resources"
SERVER_SET = {"managedFields", "resourceVersion", "generation"}


class Story:
    """One Deployment on the node, and kubemend's command line beside it."""

    def __init__(self, node: RealNode, folder: Path) -> None:
        self._node, self._store = node, folder / "ledger.db"

    def kubectl(self, *words: str, manifest: str = "") -> str:
        return self._node.plane.kubectl("-n", SPACE, *words, manifest=manifest)

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def deployment(self) -> dict[str, Any]:
        """As its owners wrote it: without what the server keeps about it, and how it fares."""
        found: dict[str, Any] = self.get("deployment", "hog")
        meta = {k: v for k, v in found["metadata"].items() if k not in SERVER_SET}
        meta["annotations"] = {k: v for k, v in meta["annotations"].items() if k != "deployment.kubernetes.io/revision"}
        return {"metadata": meta, "spec": found["spec"]}

    def kubemend(self, *words: str) -> Any:
        where = ["--kubeconfig", str(self._node.plane.kubeconfig), "-n", SPACE, "-o", "json"]
        command = [sys.executable, "-m", "kubemend", *words, *where]
        if words[0] != "scan":
            command += ["--store", str(self._store)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout)

    def mended(self) -> dict[str, Any]:
        """The repair that `kubemend watch --auto-fix` makes."""
        where = ["--kubeconfig", str(self._node.plane.kubeconfig), "-n", SPACE, "--store", str(self._store)]
        command = [sys.executable, "-m", "kubemend", "watch", "--auto-fix", "-o", "json", "--for", "200", *where]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stdout is not None
            told = []
            for line in watch.stdout:
                told.append(json.loads(line))
                # Now and then the runtime misses why the kernel killed it: then it is a crash first, for a person.
                ended = told[-1]["what"] == "escalated" and told[-1]["incident"]["code"] == "KM101"
                if ended or told[-1]["what"] == "repair":
                    break
            watch.terminate()
            watch.communicate()
        assert told, "nothing happened"
        assert told[-1]["what"] == "repair", told
        repair: dict[str, Any] = told[-1]["repair"]
        return repair


@pytest.fixture
def story(real_node: RealNode, tmp_path: Path) -> Iterator[Story]:
    real_node.plane.kubectl("create", "namespace", SPACE)
    told = Story(real_node, tmp_path)
    told.kubectl("apply", "-f", "-", manifest=HOG)
    killed = "jsonpath={.status.containerStatuses[0].lastState.terminated.reason}=OOMKilled"
    told.kubectl("wait", "pod", "-l", "app=hog", "--for=create", "--timeout=60s")
    told.kubectl("wait", "pod", "-l", "app=hog", f"--for={killed}", "--timeout=60s")
    yield told
    # What is left broken would be found, and mended, by who looks at the whole node.
    real_node.plane.kubectl("delete", "namespace", SPACE)


@pytest.mark.timeout(300)
def test_a_program_that_the_kernel_killed_gets_memory_and_runs_and_undo_gives_the_old_object_back(
    story: Story, real_node: RealNode
) -> None:
    (status,) = story.get("pods", "-l", "app=hog")["items"][0]["status"]["containerStatuses"]
    # Its child is killed and the parent reports it: never 137, which is why nothing may rely on that.
    assert status["lastState"]["terminated"]["exitCode"] == 1
    before = story.deployment()

    found = [f for f in story.kubemend("scan")["findings"] if f["code"] == "KM101"]
    assert [f["target"]["name"] for f in found] == ["hog"], found

    repair = story.mended()
    assert (repair["plan"]["strategy"], repair["state"]) == ("raise-memory-limit", "succeeded")
    after = story.deployment()
    values = {p: (old, new) for p, old, new in changed(before, after) if not p.startswith("/metadata/annotations")}
    assert set(values) == {f"{RESOURCES}/limits/memory", f"{RESOURCES}/requests"}
    lower, higher = values[f"{RESOURCES}/limits/memory"]
    assert to_bytes(lower) == 100 << 20
    assert to_bytes(higher) > 200 << 20
    # What it asked for was its limit; it goes on asking for that, so that it fits wherever it fitted before.
    assert after["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] == {"memory": lower}
    (pod,) = story.get("pods", "-l", "app=hog")["items"]
    (running,) = pod["status"]["containerStatuses"]
    assert "running" in running["state"]
    assert running["restartCount"] == 0
    assert int(story.kubectl("exec", pod["metadata"]["name"], "--", *LIMIT)) == to_bytes(higher)

    undone = story.kubemend("undo", repair["id"], "--allow-changes")
    assert undone["state"] == "rolled_back"
    assert changed(before, story.deployment()) == []
