"""Secrets of all kinds, everywhere a cluster has room for them: no tool shows one through the door they all have."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canaries import CANARIES
from kubemend.app import Rooms
from kubemend.engine import catalogue
from kubemend.engine.gateway import Gateway
from kubemend.model.objects import Pod
from kubemend.model.tool import Tool
from kubemend.surfaces.cli.options import Access

ALL = "\n".join(c.text for c in CANARIES)
SECRETS = {c.secret for c in CANARIES} | {"plain-canary-in-a-secret", "plain-canary-in-the-environment"}


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def world() -> Iterator[dict[str, Any]]:
    """Objects with every canary: as themselves in places for text, under names that tell in places for values."""
    notes = {f"x.example/n{i}": c.text for i, c in enumerate(CANARIES)}
    env = [{"name": f"LINE_{i}", "value": c.text} for i, c in enumerate(CANARIES)]
    env.append({"name": "DB_PASSWORD", "value": "plain-canary-in-the-environment"})
    args = ["--token", "plain-canary-in-the-environment", *(c.text for c in CANARIES)]
    web = {"name": "web", "image": "registry.lab/web:1.2", "env": env, "args": args}
    template = {"metadata": {"labels": {"app": "web"}, "annotations": notes}, "spec": {"containers": [web]}}
    data = {f"k{i}": _b64(c.text) for i, c in enumerate(CANARIES)} | {"innocent": _b64("plain-canary-in-a-secret")}
    yield _object("Secret", "db", data=data, stringData={f"s{i}": c.text for i, c in enumerate(CANARIES)})
    yield _object("ConfigMap", "web", data={"all.log": ALL, **{f"c{i}": c.text for i, c in enumerate(CANARIES)}})
    selector = {"matchLabels": {"app": "web"}}
    yield _object("Deployment", "web", "apps/v1", spec={"replicas": 1, "selector": selector, "template": template})
    yield _object("Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    for i in range(4):
        said = "\n".join(c.text for c in CANARIES[20 * i : 20 * i + 20])
        talker = {"name": "talker", "image": "busybox:1.36", "env": [{"name": "SAID", "value": said}]}
        talker |= {"command": ["sh", "-c", 'echo "$SAID"; exit 3']}
        yield _object("Pod", f"talker-{i}", spec={"containers": [talker]})
    about = {"kind": "Pod", "namespace": "shop", "name": "talker-0"}
    for i, c in enumerate(CANARIES):
        told = {"type": "Warning", "reason": "Failed", "message": c.text[:1000], "count": 1}
        yield _object("Event", f"talker-0.{i:016x}", involvedObject=about, lastTimestamp="2026-11-21T16:31:22Z", **told)


def _object(kind: str, name: str, version: str = "v1", **rest: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **rest}


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[Gateway]:
    rooms = Rooms()
    async with rooms.practice(nodes=2, pace=0.02) as lab:
        await lab.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        access = Access(kubeconfig=str(lab.kubeconfig), store=tmp_path / "ledger.db", allow_changes=True)
        async with rooms.gateway(access) as gateway:
            await _until(gateway, "ServiceAccount", bool)
            for document in world():
                await lab.create(document)
            await _until(gateway, "Pod", lambda found: sum(_crashed(p) for p in found) >= 4)
            yield gateway


async def _until(gateway: Gateway, kind: str, done: Any) -> None:
    from kubemend.model.objects import KINDS

    (found,) = (k for k in KINDS.values() if k.__name__ == kind)
    async with asyncio.timeout(30):
        while not done((await gateway._reader.list(found, "shop")).items):  # noqa: ASYNC110  (a test polls as people do)
            await asyncio.sleep(0.02)


def _crashed(pod: Pod) -> bool:
    return any(s.restart_count for s in pod.status.container_statuses)


TYPES = ("secret", "configmap", "deployment", "pod", "event")
VALUES: dict[str, tuple[Any, ...]] = {
    "namespace": ("shop",), "resource_type": TYPES, "kind": TYPES, "pod_name": ("talker-0", "talker-1", "talker-3"),
    "deployment_name": ("web",), "service_name": ("web",), "workload": ("web",), "name": ("web",),
    "output_format": ("json", "wide"), "field_path": ("spec",), "keyword": ("pod",),
    "lines": (500,), "limit": (100,), "replicas": (2,), "hours": (24,), "tail": (True,),
}  # fmt: skip
"""Arguments by the name of the parameter, whatever the tool."""
NAMES = {"secret": "db", "pod": "talker-0"}
FORMS = ("json", "yaml", "wide", "name", "jsonpath={.items[*]}", "custom-columns=A:.data,B:.metadata.annotations")
COMMANDS = [
    *(f"kubectl get {kind} -n shop -o {form}" for kind in ("secret", "configmap", "event") for form in FORMS),
    "kubectl get deploy,pod -n shop -o yaml",
    "kubectl get secret db -n shop -o jsonpath={.data.innocent}",
    "kubectl get secret db -n shop -o jsonpath='{range .data}{@}{end}'",
    "kubectl get secret db -n shop -o jsonpath='{..k0}'",
    "kubectl get deploy web -n shop -o jsonpath='{.spec.template.spec.containers[0].env[*].value}'",
    "kubectl get deploy web -n shop -o jsonpath='{.spec.template.spec.containers[*].args}'",
    "kubectl get secret -n shop --sort-by=.data.innocent",
    *(f"kubectl describe {kind} -n shop" for kind in TYPES),
    *(f"kubectl logs talker-{i} -n shop -p" for i in range(4)),
    *(f"kubectl logs talker-{i} -n shop --prefix" for i in range(4)),
    "kubectl events -n shop", "kubectl events -n shop -o yaml", "kubectl config view", "kubectl config view -o json",
    "kubectl label secret db -n shop a=b", "kubectl delete secret db -n shop", "kubectl delete configmap web -n shop",
    "kubectl patch secret db -n shop -p '{\"stringData\":{\"a\":\"plain-canary-in-a-secret\"}}'",
    "kubectl annotate deploy web -n shop note=x", "kubectl rollout restart deploy/web -n shop",
    "kubectl set env deploy/web -n shop DB_PASSWORD=plain-canary-in-the-environment",
    "kubectl get pods --token=plain-canary-in-the-environment",
]  # fmt: skip
SCRIPTS = [
    "kubectl get secret db -n shop -o json | base64 -w0",
    "kubectl get secret db -n shop -o jsonpath='{.data.innocent}' | base64 -d",
    "kubectl get secret db -n shop -o json | rev",
    "kubectl get configmap web -n shop -o yaml | tr a-z b-za",
    "kubectl get deploy web -n shop -o yaml | od -c | head -400",
    "kubectl logs talker-0 -n shop -p | rev",
    "kubectl logs talker-2 -n shop -p | base64 -w0",
]


def calls(tool: Tool) -> Iterator[dict[str, Any]]:
    """The examples, and all that its parameters' names suggest."""
    yield from (dict(e) for e in tool.examples)
    known = [p for p in tool.schema["properties"] if p in VALUES]
    if not set(tool.schema.get("required", ())) <= {*known, "resource_name"}:
        return
    for values in itertools.product(*(VALUES[p] for p in known)):
        made = dict(zip(known, values, strict=True))
        if "resource_name" in tool.schema["properties"]:
            made["resource_name"] = NAMES.get(made.get("resource_type", ""), "web")
        yield made


def leaks(answer: Any) -> list[str]:
    """Canaries in an answer, as they are, or turned in ways that a script may turn them."""
    shown = msgspec.json.encode(answer).decode().replace("\\\\", "\\")
    return [s for s in SECRETS for other in (s, s[::-1], s.translate(SHIFT), _b64(s)[:-4]) if other in shown]


SHIFT = str.maketrans("abcdefghijklmnopqrstuvwxyz", "bcdefghijklmnopqrstuvwxyza")


@pytest.mark.timeout(300)
async def test_no_tool_shows_a_secret(full: Gateway) -> None:
    asked = 0
    for tool in catalogue.tools().values():
        # What is waited for in vain is waited for as long as can be asked at least.
        hurried = {"timeout": 1} if "timeout" in tool.schema["properties"] else {}
        for arguments in calls(tool):
            answer = await full.call(tool.name, {**arguments, **hurried}, actor="test")
            asked += answer.ok
            assert not leaks(answer), (tool.name, arguments)
    assert asked > 40


async def test_no_command_shows_a_secret(full: Gateway) -> None:
    for command in COMMANDS:
        answer = await full.call("kubectl", {"command": command}, actor="test")
        assert not leaks(answer), command
    assert (await full.call("kubectl", {"command": COMMANDS[0]}, actor="test")).ok


async def test_no_script_gets_a_secret_to_write_it_another_way(full: Gateway) -> None:
    for command in SCRIPTS:
        answer = await full.call("bash", {"command": command}, actor="test")
        assert answer.ok, answer.error
        assert not leaks(answer), command


async def test_the_logs_that_were_searched_did_have_secrets(full: Gateway) -> None:
    """The test above can fail: the canaries are there to be found."""
    raw = "".join([await full._reader.logs("shop", f"talker-{i}", previous=True) for i in range(4)])
    missing = [c.kind for c in CANARIES if c.secret not in raw]
    assert not missing


def test_tools_read_logs_redacted() -> None:
    """Through `Look.logs`: lines picked from a log that was not redacted as a whole may be secrets by what was cut."""
    tools = Path(catalogue.__file__).parents[1] / "tools"
    found = [p.name for p in tools.rglob("*.py") if "reader.logs(" in p.read_text() and p.name != "look.py"]
    assert not found, "call cluster.logs(…) instead"


async def test_the_audit_has_none_either(full: Gateway) -> None:
    for command in COMMANDS[-8:]:
        await full.call("kubectl", {"command": command}, actor="test")
    noted = [msgspec.json.encode(r).decode() for r in await full._records.list(limit=50)]  # type: ignore[attr-defined]
    assert noted
    assert not [s for s in SECRETS for n in noted if s in n]
