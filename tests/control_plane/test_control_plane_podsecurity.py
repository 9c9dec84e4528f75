"""Our reading of the Pod Security Standards, held against the real API server's, word for word."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
from control_plane_asker import Asker, Told, asker
from testbed.plane import ControlPlane

from kubemend.kube.podsecurity import CHECKS, Level, Mode, Subject, judge, told
from kubemend.model.objects import wide
from podsecurity_corpus import HARDENED, Raw, corpus

PODS = 1900
SERVER = 34
VERSIONS = (*range(SERVER + 1), 40, None)
MODES = tuple(Mode(level, version) for level in (Level.BASELINE, Level.RESTRICTED) for version in VERSIONS)
ENFORCED = tuple(Mode(level, version) for level in (Level.BASELINE, Level.RESTRICTED) for version in (0, 24, None))
WOULD = "would violate PodSecurity "


@dataclass
class Count:
    """What was held against the server."""

    agreed: int = 0
    invalid: int = 0
    differ: list[str] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)
    violated: Counter[str] = field(default_factory=Counter)

    def compare(self, what: str, ours: str, theirs: str) -> None:
        if ours == theirs:
            self.agreed += 1
        else:
            self.differ.append(f"{what}\n  ours:   {ours or 'allowed'}\n  theirs: {theirs or 'allowed'}")


def place(mode: Mode, word: str) -> str:
    return f"ps-{word}-{mode.level}-{'latest' if mode.version is None else mode.version}"


async def test_generated_pods_and_templates_are_judged_as_the_api_server_judges_them(
    control_plane: ControlPlane, tmp_path, capsys
) -> None:
    pods, count = corpus(PODS), Count()
    luck = random.Random(1)
    async with asker(control_plane, tmp_path) as server:
        await _namespaces(server)
        await asyncio.gather(*(_pod(server, count, pod, m) for pod in pods for m in luck.sample(MODES, 2)))
        await asyncio.gather(*(_template(server, count, pod, luck.choice(MODES)) for pod in pods))
        await asyncio.gather(*(_enforced(server, count, pod, luck.choice(ENFORCED)) for pod in pods))
        await _debugging(server, count)
    with capsys.disabled():
        print(
            f"\nPod Security, {len(count.valid)} pods: {count.agreed} agreed, {len(count.differ)} disagreed,", end=" "
        )
        print(f"{count.invalid} more not valid to the server; violations: {dict(sorted(count.violated.items()))}")
    assert count.differ == [], "\n".join(count.differ[:5])
    assert len(count.valid) >= 1500
    held = {c.id for c in CHECKS if c.since[0][0] <= SERVER}
    assert set(count.violated) == held
    assert min(count.violated.values()) >= 10


async def _namespaces(server: Asker) -> None:
    """One for every level and version that warns, and some that refuse, each with its account."""
    made = [(m, "warn", {"enforce": "privileged"}) for m in MODES] + [(m, "enforce", {}) for m in ENFORCED]
    for mode, word, more in made:
        _, version = str(mode).split(":")
        labels = {**more, word: str(mode.level), f"{word}-version": version}
        body = {"metadata": {"name": place(mode, word), "labels": _labels(labels)}}
        answer = await server.ask("POST", "/api/v1/namespaces", body)
        assert answer.status == 201, answer.body
    for mode, word, _ in made:
        path = f"/api/v1/namespaces/{place(mode, word)}/serviceaccounts/default"
        async with asyncio.timeout(60):
            while (await server.ask("GET", path)).status != 200:  # noqa: ASYNC110  (a test polls as people do)
                await asyncio.sleep(0.1)


def _labels(given: dict[str, str]) -> dict[str, str]:
    return {f"pod-security.kubernetes.io/{k}": v for k, v in given.items()}


async def _pod(server: Asker, count: Count, pod: Raw, mode: Mode) -> None:
    answer = await server.ask("POST", f"/api/v1/namespaces/{place(mode, 'warn')}/pods?dryRun=All", pod)
    if answer.status == 422:
        count.invalid += 1
        return
    assert answer.status == 201, answer.body
    count.valid.add(pod["metadata"]["name"])
    _compare(count, f"pod {pod['metadata']['name']} at {mode}", _judged(answer.body, mode, count), answer)
    # As it was sent, without the server's defaults, the verdict must be the same.
    allowed = not _judged(pod, mode, count)
    count.compare(f"pod {pod['metadata']['name']} as sent at {mode}", str(allowed), str(not _warned(answer)))


async def _template(server: Asker, count: Count, pod: Raw, mode: Mode) -> None:
    body = {"metadata": {"name": "t"}, "template": {"metadata": pod["metadata"], "spec": pod["spec"]}}
    answer = await server.ask("POST", f"/api/v1/namespaces/{place(mode, 'warn')}/podtemplates?dryRun=All", body)
    if answer.status == 422:
        count.invalid += 1
        return
    assert answer.status == 201, answer.body
    _compare(count, f"template {pod} at {mode}", _judged(answer.body["template"], mode, count), answer)


async def _enforced(server: Asker, count: Count, pod: Raw, mode: Mode) -> None:
    answer = await server.ask("POST", f"/api/v1/namespaces/{place(mode, 'enforce')}/pods?dryRun=All", pod)
    if answer.status == 422:
        count.invalid += 1
        return
    assert answer.status in (201, 403), answer.body
    refused = str(answer.status == 403)
    count.compare(f"pod {pod['metadata']['name']} refused at {mode}", str(bool(_judged(pod, mode, count))), refused)


async def _debugging(server: Asker, count: Count) -> None:
    """Ephemeral containers come into a pod that is there already, and are judged with it."""
    for mode in (Mode(Level.RESTRICTED, None), Mode(Level.BASELINE, None)):
        path = f"/api/v1/namespaces/{place(mode, 'warn')}/pods"
        made = {
            "metadata": {"name": "whole"},
            "spec": {"containers": [{"name": "a", "image": "i:1", "securityContext": HARDENED}]},
        }
        assert (await server.ask("POST", path, made)).status == 201
        for context in ({}, HARDENED, {"privileged": True}, {"capabilities": {"add": ["NET_RAW"]}}):
            debug = {"name": "debug", "image": "i:1", "securityContext": context}
            body = {"spec": {"ephemeralContainers": [debug]}}
            kind = "application/strategic-merge-patch+json"
            answer = await server.ask("PATCH", f"{path}/whole/ephemeralcontainers?dryRun=All", body, kind=kind)
            assert answer.status == 200, answer.body
            _compare(count, f"debugging with {context} at {mode}", _judged(answer.body, mode, count), answer)


def _compare(count: Count, what: str, ours: str, answer: Told) -> None:
    theirs = _warned(answer)
    count.compare(what, ours, theirs.partition('": ')[2])


def _warned(answer: Told) -> str:
    return next((w for w in answer.warnings if w.startswith(WOULD)), "")


def _judged(raw: dict[str, Any], mode: Mode, count: Count) -> str:
    spec = msgspec.convert(raw["spec"], wide.PodSpec)
    violations = judge(Subject(spec, raw["metadata"].get("annotations") or {}), mode, server=SERVER)
    count.violated.update(v.check for v in violations)
    return told(violations)
