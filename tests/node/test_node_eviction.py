"""A kubelet that puts pods out: for what one of them takes, and for what the node lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from testbed.node.node import NAME, RealNode

from scenarios import wait

SPACE = "evicted"
WRITER = """
apiVersion: v1
kind: Namespace
metadata: {name: %(space)s}
---
apiVersion: v1
kind: Pod
metadata: {name: writer, namespace: %(space)s}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: app
      image: busybox:1.36
      command: [sh, -c, "dd if=/dev/zero of=/cache/file bs=1M count=%(megabytes)s; sleep 3600"]
      volumeMounts: [{name: cache, mountPath: /cache}]
  volumes: [{name: cache, emptyDir: {%(limit)s}}]
"""


def scan(node: RealNode) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "kubemend", "scan", "-A", "-o", "json", "--kubeconfig", str(node.plane.kubeconfig)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(json.loads(ran.stdout)["findings"])


def until_found(node: RealNode, code: str, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The finding, once it's there."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = [f for f in scan(node) if f["code"] == code and matches(f)]
        return bool(found)

    assert wait(there, 150, every_s=1), f"{code} was never found: {scan(node)}"
    return found[0]


@pytest.mark.timeout(300)
def test_a_pod_that_outgrows_its_volume_is_put_out_and_found(real_node: RealNode) -> None:
    writer = WRITER % {"space": SPACE, "megabytes": 30, "limit": "sizeLimit: 10Mi"}
    real_node.plane.kubectl("apply", "-f", "-", manifest=writer)
    finding = until_found(real_node, "KM113", lambda f: f["subject"]["namespace"] == SPACE)
    assert finding["target"]["name"] == "writer"
    status = json.loads(real_node.plane.kubectl("get", "pod", "writer", "-n", SPACE, "-o", "json"))["status"]
    assert status["message"].strip() == 'Usage of EmptyDir volume "cache" exceeds the limit "10Mi".'
    real_node.plane.kubectl("delete", "namespace", SPACE)


@pytest.mark.timeout(300)
def test_a_disk_that_fills_up_is_found_as_the_nodes_fault_and_the_node_recovers(real_node: RealNode) -> None:
    space = "full"
    writer = WRITER % {"space": space, "megabytes": 400, "limit": ""}
    real_node.plane.kubectl("apply", "-f", "-", manifest=writer)
    finding = until_found(real_node, "KM602", lambda f: f["subject"]["name"] == NAME)
    assert finding["subject"]["kind"] == "Node"
    real_node.plane.kubectl("delete", "namespace", space)
    well = "jsonpath={.status.conditions[?(@.type=='DiskPressure')].status}=False"
    real_node.plane.kubectl("wait", f"node/{NAME}", f"--for={well}", "--timeout=120s")
    assert wait(lambda: not [f for f in scan(real_node) if f["subject"]["name"] == NAME], 60, every_s=1)
