"""kubectl, bash and Python as tools: what they answer, and what they leave alone."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import yaml
from shell_commands import REFUSED, WRITE
from tools_world import Everything

from kubemend.model.answer import Answer
from kubemend.model.objects import Pod

sandboxed = pytest.mark.skipif(
    shutil.which("bwrap") is None and not os.environ.get("CI"), reason="bubblewrap is not installed"
)


async def kubectl(everything: Everything, command: str, **more: str) -> Answer:
    return await everything.gateway.call("kubectl", {"command": command, **more}, actor="test")


async def told(everything: Everything, command: str) -> str:
    answer = await kubectl(everything, command)
    assert answer.ok, (command, answer.error)
    return str(answer.data["stdout"])


async def _pods(everything: Everything) -> int:
    return len((await everything.gateway._reader.list(Pod, "shop")).items)


async def test_kubectl_reads_in_every_format(everything: Everything) -> None:
    table = (await told(everything, "kubectl get pods -n shop")).splitlines()
    assert table[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert len(table) == 1 + await _pods(everything)
    assert (await told(everything, "kubectl get po -A --no-headers")).startswith("shop ")
    assert json.loads(await told(everything, "kubectl get deploy/web -n shop -o json"))["kind"] == "Deployment"
    listed = yaml.safe_load(await told(everything, "kubectl get deploy,svc -n shop -o yaml"))
    assert {i["kind"] for i in listed["items"]} == {"Deployment", "Service"}
    names = await told(everything, "kubectl get pods -n shop -l app=store -o name")
    assert names == "pod/store-0"
    columns = (
        "kubectl get deploy -n shop -o custom-columns=NAME:.metadata.name,IMAGE:.spec.template.spec.containers[*].image"
    )
    first, *rows = (await told(everything, columns)).splitlines()
    assert first.split() == ["NAME", "IMAGE"]
    assert ["web", "registry.lab/web:1.2"] in [row.split() for row in rows]
    order = "kubectl get pods -n shop --sort-by=.metadata.name -o jsonpath='{.items[*].metadata.name}'"
    ordered = (await told(everything, order)).split()
    assert ordered == sorted(ordered)
    assert {"crasher", "store-0"} <= set(ordered)
    assert "app=store" in await told(everything, "kubectl get pods -n shop --show-labels -L app")
    assert await told(everything, "kubectl get jobs -n shop") == "No resources found in shop namespace."


async def test_kubectl_tells_what_kubectl_tells(everything: Everything) -> None:
    expected = {
        "kubectl version": "Server Version: v1.",
        "kubectl logs crasher -n shop --tail=1": "error: no such database",
        "kubectl describe pod crasher -n shop": "name: crasher",
        "kubectl events -n shop --for pod/crasher": "Started",
        "kubectl top pods -n shop": "CPU(cores)",
        "kubectl top nodes": "MEMORY(bytes)",
        "kubectl rollout status deploy/web -n shop": "2 replicas",
        "kubectl rollout history deploy/web -n shop": "REVISION",
        "kubectl auth can-i list pods -n shop": "yes",
        "kubectl api-resources --api-group=apps": "deployments",
        "kubectl api-versions": "apps/v1",
        "kubectl explain pod.spec.containers": "image",
        "kubectl config current-context": "practice",
        "kubectl cluster-info": "https://",
    }
    for command, part in expected.items():
        assert part in await told(everything, command), command


async def test_a_secret_is_redacted_before_a_format_sees_it(everything: Everything) -> None:
    command = "kubectl get secret db -n shop -o jsonpath='{.data.password}'"
    assert await told(everything, command) == "<redacted>"


async def test_what_would_go_on_for_ever_answers_what_there_is(everything: Everything) -> None:
    answer = await kubectl(everything, "kubectl get pods -n shop -w")
    assert answer.data["stream_type"] == "watch"
    assert "not followed" in answer.data["stderr"]


async def test_errors_are_kubectls_errors_in_our_words(everything: Everything) -> None:
    codes = {
        "kubectl get pods nope -n shop": "not-found",
        "kubectl get nope": "kind-not-served",
        "kubectl get pods -n ../kube-system": "invalid-arguments",
        "kubectl get pods ..": "invalid-arguments",
        "kubectl get pod/x/y": "usage",
        "kubectl get": "usage",
        "kubectl get pods -o nope": "usage",
        "kubectl get pods -o jsonpath='{.x'": "usage",
        "kubectl wait --for=condition=Ready pod/x": "not-supported",
        "kubectl logs crasher -n shop --since=soon": "usage",
    }
    for command, code in codes.items():
        answer = await kubectl(everything, command)
        assert answer.error is not None
        assert answer.error.code == code, (command, answer.error)


PLANNED = {
    "kubectl scale deploy web --replicas=3 -n shop": "scale",
    'kubectl patch deploy web -n shop -p \'{"spec":{"paused":true}}\'': "patch",
    "kubectl label pod crasher -n shop a=b": "patch",
    "kubectl annotate deploy web -n shop a=b c-": "patch",
    "kubectl set image deploy/web web=registry.lab/web:1.3 -n shop": "patch",
    "kubectl rollout restart deploy/web -n shop": "patch",
    "kubectl rollout pause deploy/web -n shop": "patch",
    "kubectl cordon lab-1": "patch",
    "kubectl delete pod crasher -n shop": "delete",
}
NOT_PLANNED = (
    "kubectl delete pods --all -n shop",
    "kubectl delete pods -l app=web -n shop",
    "kubectl delete pod crasher -n shop --force --grace-period=0",
    "kubectl delete pod crasher -n shop --dry-run=none",
    "kubectl delete pod -n shop",
    "kubectl scale deploy web --replicas=x -n shop",
    "kubectl patch deploy web -n shop --type=json -p '[]'",
    'kubectl patch secret db -n shop -p \'{"stringData":{"a":"b"}}\'',
    "kubectl set image deploy/web nope=x:1 -n shop",
    "kubectl rollout undo deploy/web -n shop",
    "kubectl create -f /etc/passwd",
)


async def test_a_write_waits_as_a_plan_and_changes_nothing(everything: Everything) -> None:
    before = await _versions(everything)
    for command, op in PLANNED.items():
        answer = await kubectl(everything, command, modifies_resource="no")
        assert answer.error is not None
        assert answer.error.code == "approval-required", (command, answer.error)
        assert [c["op"] for c in answer.data["plan"]["changes"]] == [op]
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n"
    made = await kubectl(everything, "kubectl create -f - -n shop", input=manifest)
    assert made.data["plan"]["changes"][0]["target"]["namespace"] == "shop"
    assert await _versions(everything) == before


async def test_what_no_plan_can_hold_is_refused(everything: Everything) -> None:
    for command in NOT_PLANNED:
        answer = await kubectl(everything, command)
        assert answer.error is not None
        assert answer.error.code in ("not-planned", "usage", "invalid-arguments"), (command, answer.error)


async def test_nothing_of_the_table_that_is_no_read_reaches_the_cluster_as_a_write(everything: Everything) -> None:
    before = await _versions(everything)
    for command in (*WRITE, *REFUSED):
        for name in ("kubectl", "bash"):
            if name == "bash" and "kubectl" not in command:
                continue
            answer = await everything.gateway.call(name, {"command": command}, actor="test")
            if answer.ok:
                assert answer.data["class"] in ("read", "contained"), command
    assert await _versions(everything) == before
    assert {a.verb for a in everything.recorder.asked} <= {"get", "list"}


@sandboxed
async def test_bash_gives_what_kubectl_reads_to_filters(everything: Everything) -> None:
    count = "python3 -c 'import json,sys; print(len(json.load(sys.stdin)[\"items\"]))'"
    answer = await everything.gateway.call(
        "bash", {"command": f"kubectl get pods -n shop -o json | {count}"}, actor="t"
    )
    assert answer.data["stdout"] == f"{await _pods(everything)}\n", answer
    hidden = await everything.gateway.call(
        "bash", {"command": "kubectl get secret db -n shop -o jsonpath='{.data.password}' | rev"}, actor="t"
    )
    assert hidden.data["stdout"].strip() == ">detcader<"


@sandboxed
async def test_python_computes(everything: Everything) -> None:
    answer = await everything.gateway.call(
        "python", {"code": "print(sum(map(int, open(0))))", "input": "1\n2\n"}, actor="t"
    )
    assert answer.data["stdout"] == "3\n"


@sandboxed
async def test_a_script_that_takes_too_long_is_told(everything: Everything, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubemend.tools.shell import command
    from kubemend.tools.shell.sandbox import Limits

    monkeypatch.setattr(command.script, "__kwdefaults__", None)
    monkeypatch.setattr(command.script, "__defaults__", ("", Limits(seconds=0.5), command.NOTHING))
    answer = await everything.gateway.call("bash", {"command": "echo begun; sleep 60"}, actor="t")
    assert (answer.data["stdout"], answer.data["stream_type"]) == ("begun\n", "timeout")
    assert "time" in answer.data["error"]


async def _versions(everything: Everything) -> dict[str, str]:
    """The objects that are there, and that nobody changed: crashing pods change by themselves."""
    pods = (await everything.gateway._reader.list(Pod, "shop")).items
    raw = {p.name: p.metadata.uid for p in pods}
    for kind, name in (("Deployment", "web"), ("Secret", "db"), ("ConfigMap", "web")):
        from kubemend.model.ref import Ref

        found = await everything.gateway._reader.get(Ref(kind, "shop", name, "apps" if kind == "Deployment" else ""))
        raw[f"{kind} {name}"] = json.dumps({k: v for k, v in found.items() if k not in ("status",)}, sort_keys=True)
    return raw
