"""Node stand-ins on the real control plane: pods come to what their specs deserve, and kubectl sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from testbed.plane import ControlPlane, PlaneError

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "nginx:1.27"}]}
"""

CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


@pytest.fixture
def space(request: pytest.FixtureRequest, real_cluster: ControlPlane) -> Iterator[str]:
    """A namespace of the test's own."""
    name = request.node.name.replace("_", "-")[:60].strip("-")
    real_cluster.kubectl("create", "namespace", name)
    yield name
    real_cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_nodes_stay_ready_by_their_leases(real_cluster: ControlPlane) -> None:
    nodes = json.loads(real_cluster.kubectl("get", "nodes", "--output=json"))["items"]
    leases = json.loads(real_cluster.kubectl("get", "leases", "-n", "kube-node-lease", "--output=json"))["items"]
    assert {n["metadata"]["name"] for n in nodes} == {x["metadata"]["name"] for x in leases}
    assert [n["spec"].get("taints") for n in nodes] == [None] * 3


def test_a_deployment_is_rolled_out_over_the_nodes(real_cluster: ControlPlane, space: str) -> None:
    real_cluster.kubectl("apply", "-n", space, "-f", "-", manifest=WEB)
    real_cluster.kubectl("rollout", "status", "-n", space, "deployment/web", "--timeout=60s")
    pods = json.loads(real_cluster.kubectl("get", "pods", "-n", space, "--output=json"))["items"]
    assert [p["status"]["phase"] for p in pods] == ["Running"] * 4
    assert len({p["spec"]["nodeName"] for p in pods}) == 3
    assert len({p["status"]["podIP"] for p in pods}) == 4
    real_cluster.kubectl("delete", "-n", space, "deployment/web")
    real_cluster.kubectl("wait", "-n", space, "pod", "--all", "--for=delete", "--timeout=60s")


def test_an_image_that_is_nowhere_is_waited_for(real_cluster: ControlPlane, space: str) -> None:
    real_cluster.kubectl("run", "lost", "-n", space, "--image=nginx:no-such-tag")
    reason = "{.status.containerStatuses[0].state.waiting.reason}"
    wait = ("wait", "-n", space, "pod/lost", "--timeout=60s")
    real_cluster.kubectl(*wait, f"--for=jsonpath={reason}=ImagePullBackOff")
    with pytest.raises(PlaneError, match='container "lost" in pod "lost" is waiting to start'):
        real_cluster.kubectl("logs", "-n", space, "lost")


def test_kubectl_reads_the_log_of_this_life_and_of_the_one_before(real_cluster: ControlPlane, space: str) -> None:
    script = ("--", "sh", "-c", "echo first line; echo last line; exit 3")
    real_cluster.kubectl("run", "brief", "-n", space, "--image=busybox:1.36", *script)
    restarts = "{.status.containerStatuses[0].restartCount}"
    real_cluster.kubectl("wait", "-n", space, "pod/brief", f"--for=jsonpath={restarts}=1", "--timeout=60s")
    logs = ("logs", "-n", space, "brief")
    assert real_cluster.kubectl(*logs, "--previous") == "first line\nlast line\n"
    assert real_cluster.kubectl(*logs, "--previous", "--tail=1") == "last line\n"


def test_a_claim_gets_a_volume_and_leaves_none_behind(real_cluster: ControlPlane, space: str) -> None:
    real_cluster.kubectl("apply", "-n", space, "-f", "-", manifest=CLAIM)
    wait = ("wait", "-n", space, "pvc/data", "--timeout=60s")
    real_cluster.kubectl(*wait, "--for=jsonpath={.status.phase}=Bound")
    volume = real_cluster.kubectl("get", "pvc", "data", "-n", space, "--output=jsonpath={.spec.volumeName}")
    real_cluster.kubectl("delete", "pvc", "data", "-n", space)
    real_cluster.kubectl("wait", f"pv/{volume}", "--for=delete", "--timeout=60s")


def test_the_audit_log_tells_node_writes_from_a_persons(real_cluster: ControlPlane, space: str) -> None:
    real_cluster.kubectl("run", "seen", "-n", space, "--image=nginx:1.27")
    real_cluster.kubectl("wait", "-n", space, "pod/seen", "--for=condition=Ready", "--timeout=60s")
    mine = [e for e in real_cluster.writes() if e["objectRef"].get("namespace") == space]
    status = {e["user"]["username"] for e in mine if e["objectRef"].get("subresource") == "status"}
    made = {e["user"]["username"] for e in mine if e["verb"] == "create" and e["objectRef"]["resource"] == "pods"}
    assert status == {"node-stand-ins"}
    assert "kubernetes-admin" in made
