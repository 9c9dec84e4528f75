"""Stock kubectl against the practice API server: what people will do first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lab_api_client import Object, pod, workload
from lab_api_kubectl import FOUND, Kubectl

from kubemend.lab.local import LocalApi
from kubemend.lab.server import PracticeServer

pytestmark = pytest.mark.skipif(not FOUND, reason="no kubectl: set KUBEMEND_KUBECTL, or put one on the PATH")

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "registry.lab/web:1"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    server = PracticeServer()
    await server.start()
    (tmp_path / "config").write_text(json.dumps(server.kubeconfig()))
    try:
        yield Kubectl(server, tmp_path)
    finally:
        await server.stop()


async def test_apply_creates_then_changes_then_only_tries(kubectl: Kubectl) -> None:
    assert await kubectl("apply", "-f", "-", stdin=MANIFEST) == "deployment.apps/web created\nservice/web created\n"
    assert await kubectl("apply", "-f", "-", stdin=MANIFEST) == "deployment.apps/web unchanged\nservice/web unchanged\n"
    changed = MANIFEST.replace("web:1", "web:2")
    tried = await kubectl("apply", "-f", "-", "--dry-run=server", stdin=changed)
    assert tried.startswith("deployment.apps/web configured (server dry run)\n")
    image = ("get", "deploy", "web", "--output=jsonpath={.spec.template.spec.containers[0].image}")
    assert await kubectl(*image) == "registry.lab/web:1"
    await kubectl("apply", "-f", "-", stdin=changed)
    assert await kubectl(*image) == "registry.lab/web:2"
    _, out, _ = await kubectl.tried("diff", "-f", "-", stdin=MANIFEST)
    assert "-      - image: registry.lab/web:2\n+      - image: registry.lab/web:1\n" in out


async def test_apply_is_validated_by_the_server(kubectl: Kubectl) -> None:
    code, _, err = await kubectl.tried("apply", "-f", "-", stdin=MANIFEST.replace("image:", "imagee:"))
    assert code == 1
    assert 'strict decoding error: unknown field "spec.template.spec.containers[0].imagee"' in err


async def test_apply_by_the_server(kubectl: Kubectl) -> None:
    await kubectl("apply", "--server-side", "-f", "-", stdin=MANIFEST)
    await kubectl("scale", "deploy/web", "--replicas=5")
    code, _, err = await kubectl.tried("apply", "--server-side", "-f", "-", stdin=MANIFEST)
    assert (code, ".spec.replicas" in err, "force-conflicts" in err) == (1, True, True)
    forced = await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=MANIFEST)
    assert forced.startswith("deployment.apps/web serverside-applied\n")


async def test_get_shows_tables_and_objects(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    rows = [line.split() for line in (await kubectl("get", "deploy,svc", "--output=wide")).splitlines()]
    assert rows[1][:4] == ["deployment.apps/web", "0/2", "0", "0"]
    assert rows[1][-3:] == ["main", "registry.lab/web:1", "app=web"]
    assert rows[5][:2] == ["service/web", "ClusterIP"]
    assert "kind: Deployment\n" in await kubectl("get", "deploy", "web", "--output=yaml")
    assert (await kubectl("get", "all", "--all-namespaces")).count("web") == 2
    code, _, err = await kubectl.tried("get", "deploy", "none")
    assert (code, err) == (1, 'Error from server (NotFound): deployments.apps "none" not found\n')


async def test_get_goes_on_watching(kubectl: Kubectl) -> None:
    process = await asyncio.create_subprocess_exec(
        FOUND,
        *("get", "configmaps", "--watch", "--output=name"),
        stdout=asyncio.subprocess.PIPE,
        env=kubectl.environment,
    )
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 10) == b"configmap/kube-root-ca.crt\n"
        meta = {"name": "later", "namespace": "default"}
        await LocalApi(kubectl.server.store).create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
        assert await asyncio.wait_for(process.stdout.readline(), 10) == b"configmap/later\n"
    finally:
        process.kill()
        await process.communicate()


async def test_describe_gathers_what_belongs_together(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    await kubectl("run", "one", "--image=registry.lab/web:1")
    uid = (await kubectl.json("get", "pod", "one"))["metadata"]["uid"]
    about = {"kind": "Pod", "namespace": "default", "name": "one", "uid": uid}
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"}}
    told = {"type": "Warning", "reason": "Failed", "message": "it did not work", "involvedObject": about}
    await LocalApi(kubectl.server.store).create({**event, **told})
    described = await kubectl("describe", "pod", "one")
    assert "QoS Class:                   BestEffort" in described
    assert "it did not work" in described
    assert "Replicas:               2 desired | 0 updated" in await kubectl("describe", "deploy", "web")
    assert "TargetPort:               80/TCP" in await kubectl("describe", "service", "web")


async def test_pods_are_logged_and_deleted(kubectl: Kubectl) -> None:
    await kubectl("run", "one", "--image=registry.lab/web:1")
    kubectl.server.store.logs["default", "one", "one", False] = [
        "2026-11-21T12:00:00Z hello",
        "2026-11-21T12:00:01Z world",
    ]
    assert await kubectl("logs", "one", "--tail=1") == "world\n"
    assert await kubectl("delete", "pod", "one") == 'pod "one" deleted from default namespace\n'
    assert await kubectl("get", "pods", "--output=name") == ""


async def test_the_usual_changes(kubectl: Kubectl) -> None:
    await kubectl("create", "deployment", "web", "--image=registry.lab/web:1")
    await kubectl("scale", "deployment/web", "--replicas=3")
    await kubectl("label", "deployment/web", "team=shop")
    await kubectl("annotate", "deployment/web", "note=here")
    await kubectl("patch", "deployment/web", "--patch", '{"spec": {"paused": true}}')
    await kubectl("set", "image", "deployment/web", "web=registry.lab/web:2")
    await kubectl("set", "resources", "deployment/web", "--limits=memory=64Mi")
    found = await kubectl.json("get", "deployment", "web")
    assert (found["metadata"]["labels"]["team"], found["metadata"]["annotations"]["note"]) == ("shop", "here")
    assert (found["spec"]["replicas"], found["spec"]["paused"]) == (3, True)
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["resources"]["limits"]) == ("registry.lab/web:2", {"memory": "64Mi"})
    shown = await kubectl.json("get", "deployment", "web", "--show-managed-fields")
    managers = {e["manager"] for e in shown["metadata"]["managedFields"]}
    assert managers == {
        "kubectl-create",
        "kubectl",
        "kubectl-label",
        "kubectl-annotate",
        "kubectl-patch",
        "kubectl-set",
    }


async def test_nodes_are_cordoned_tainted_and_drained(kubectl: Kubectl) -> None:
    local = LocalApi(kubectl.server.store)
    await local.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})
    await kubectl("cordon", "n1")
    assert "SchedulingDisabled" in await kubectl("get", "node", "n1")
    await kubectl("uncordon", "n1")
    await kubectl("taint", "node", "n1", "team=shop:NoSchedule")
    assert "team=shop:NoSchedule" in await kubectl("describe", "node", "n1")
    body = pod()
    await local.create(
        {"apiVersion": "v1", "kind": "Pod", **body, "metadata": {**body["metadata"], "namespace": "default"}}
    )
    await local.create(
        {"kind": "Binding", "metadata": {"name": "web", "namespace": "default"}, "target": {"name": "n1"}}
    )
    await kubectl("drain", "n1", "--force", "--grace-period=0", "--timeout=5s")
    assert kubectl.server.store.all("Pod") == []


async def _revision(local: LocalApi, owner: Object, number: int, image: str) -> Object:
    """A ReplicaSet as the Deployment controller makes it."""
    labels = {"app": "web", "pod-template-hash": str(number)}
    body = workload("web", labels=labels)
    body["spec"]["template"]["spec"]["containers"][0]["image"] = image
    ref = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    meta = {
        "name": f"web-{number}",
        "namespace": "default",
        "labels": labels,
        "annotations": {"deployment.kubernetes.io/revision": str(number)},
        "ownerReferences": [ref],
    }
    return await local.create({"apiVersion": "apps/v1", "kind": "ReplicaSet", **body, "metadata": meta})


async def test_rollouts_are_followed_told_and_undone(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    local = LocalApi(kubectl.server.store)
    owner = await local.get("Deployment", "default", "web")
    assert owner is not None
    await _revision(local, owner, 1, "registry.lab/web:0")
    await _revision(local, owner, 2, "registry.lab/web:1")
    marks = {"deployment.kubernetes.io/revision": "2"}
    owner = await local.patch(owner, {"metadata": {"annotations": marks}}, subresource="status")
    done = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    await local.patch(owner, {"status": done}, subresource="status")
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/web", "--timeout=5s")
    history = (await kubectl("rollout", "history", "deployment/web")).splitlines()
    assert [line.split()[0] for line in history if line and line[0].isdigit()] == ["1", "2"]
    assert await kubectl("rollout", "undo", "deployment/web") == "deployment.apps/web rolled back\n"
    found = await kubectl.json("get", "deployment", "web")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.lab/web:0"
    await kubectl("rollout", "restart", "deployment/web")
    code, _, err = await kubectl.tried("rollout", "status", "deployment/web", "--timeout=1s")
    assert (code, "timed out waiting for the condition" in err) == (1, True)


async def test_permissions_are_asked_for_and_heeded(kubectl: Kubectl) -> None:
    assert await kubectl("auth", "can-i", "delete", "nodes") == "yes\n"
    await kubectl("create", "serviceaccount", "robot")
    await kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    await kubectl("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:robot")
    token = (await kubectl("create", "token", "robot")).strip()
    for verb, answer in (("list", "yes\n"), ("delete", "no\n")):
        _, out, _ = await kubectl.tried("auth", "can-i", verb, "pods", f"--token={token}")
        assert out == answer
    assert "pods" in await kubectl("auth", "can-i", "--list", f"--token={token}")
    _, out, _ = await kubectl.tried("auth", "can-i", "list", "pods", "--as=system:serviceaccount:default:robot")
    assert out == "yes\n"
    _, _, err = await kubectl.tried("get", "secrets", f"--token={token}")
    assert 'User "system:serviceaccount:default:robot" cannot list resource "secrets"' in err
    code, _, err = await kubectl.tried("delete", "pod", "one", f"--token={token}")
    assert (code, 'cannot delete resource "pods"' in err) == (1, True)


CREATED = [
    ("namespace", "shop"),
    ("configmap", "it", "--from-literal=a=b"),
    ("secret", "generic", "it", "--from-literal=a=b"),
    ("job", "it", "--image=x"),
    ("cronjob", "it", "--image=x", "--schedule=* * * * *"),
    ("quota", "it", "--hard=pods=3"),
    ("poddisruptionbudget", "it", "--selector=app=web", "--min-available=50%"),
    ("ingress", "it", "--rule=host/=web:80"),
    ("service", "clusterip", "it", "--tcp=80:8080"),
    ("priorityclass", "it", "--value=3"),
    ("clusterrole", "it", "--verb=get", "--resource=nodes"),
]


@pytest.mark.parametrize("arguments", CREATED, ids=lambda a: a[0])
async def test_what_kubectl_makes_itself_is_taken(kubectl: Kubectl, arguments: tuple[str, ...]) -> None:
    out = await kubectl("create", *arguments)
    resource, _, name = out.split()[0].partition("/")
    found = await kubectl.json("get", resource, name)
    assert found["metadata"]["name"] == name
    assert await kubectl("delete", resource, name, "--wait=false")


async def test_the_rest_is_at_hand(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=MANIFEST)
    await kubectl("autoscale", "deployment", "web", "--max=3")
    assert "cpu: <unknown>/80%" in await kubectl("get", "hpa")
    await kubectl("expose", "deployment", "web", "--name=again", "--port=8080")
    assert "replicas <integer>" in await kubectl("explain", "deployment.spec.replicas")
    assert "deployments" in await kubectl("api-resources")
    assert "kubernetes-admin" in await kubectl("auth", "whoami")
    await kubectl("run", "one", "--image=x")
    kubectl.server.store.usage["default", "one", "one"] = {"cpu": "12m", "memory": "34Mi"}
    assert "12m          34Mi" in await kubectl("top", "pod")
    assert await kubectl("get", "--raw", "/readyz") == "ok"
