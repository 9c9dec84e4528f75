"""`kubectl logs`: of a pod, of one pod of a workload, or of all pods that a selector chooses."""

from __future__ import annotations

import re

from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Pod
from kubemend.tools.look import Look
from kubemend.tools.shell.targets import name, namespace, targets
from kubemend.tools.shell.verdict import Asked

LINES = 500
"""Lines of each container, when no number is given."""
PODS = 20
"""Pods of a selector."""
_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


async def logs(cluster: Look, asked: Asked, most: int) -> str:
    """The lines; with several containers each line has its pod and container in front, as with `--prefix`."""
    pods = await _pods(cluster, asked)
    chosen = [(pod, container) for pod in pods for container in _containers(pod, asked)]
    prefixed = len(chosen) > 1 or asked.on("prefix")
    said = []
    for pod, container in chosen:
        text = await cluster.logs(
            pod.namespace,
            pod.name,
            container=container,
            previous=asked.on("previous"),
            tail=_tail(asked, most),
            since=_seconds(asked.flag("since")),
        )
        front = f"[pod/{pod.name}/{container}] " if prefixed else ""
        said += [front + line for line in text.splitlines()]
    return "\n".join(said)


async def _pods(cluster: Look, asked: Asked) -> list[Pod]:
    scope = namespace(cluster, asked)
    if asked.flag("selector"):
        found = await cluster.list(Pod, scope, labels=asked.flag("selector"))
        if len(found) > PODS:
            cluster.missing("data/stdout", f"the logs of {PODS} of {len(found)} pods are shown")
        return list(found[:PODS])
    (target,) = await targets(cluster, Asked(asked.verb, asked.words[:1], asked.flags), default="pod")
    if target.resource.kind == "Pod":
        return [await cluster.one(Pod, target.namespace or "", target.names[0])]
    owner = await cluster.raw(target.ref(target.names[0]))
    labels = owner.get("spec", {}).get("selector", {}).get("matchLabels", {})
    if not labels:
        raise InvalidInput(f"a {target.resource.kind} has no pods of its own", code="usage", hint="name a pod")
    found = await cluster.list(Pod, target.namespace, labels=",".join(f"{k}={v}" for k, v in labels.items()))
    if len(found) > 1:
        cluster.missing("data/stdout", f"one of {len(found)} pods is shown: {found[0].name}")
    return list(found[:1])


def _containers(pod: Pod, asked: Asked) -> list[str]:
    names = [c.name for c in (*pod.spec.init_containers, *pod.spec.containers)]
    if asked.on("all-containers"):
        return names
    given = asked.flag("container") or (asked.words[1] if len(asked.words) > 1 else "")
    if given:
        return [name(given)]
    if len(pod.spec.containers) > 1:
        raise InvalidInput(f"pod {pod.name} has {len(pod.spec.containers)} containers", code="usage",
                           hint=f"-c with one of {', '.join(names)}")  # fmt: skip
    return [pod.spec.containers[0].name]


def _tail(asked: Asked, most: int) -> int:
    given = asked.flag("tail")
    if not given or given == "-1":
        return max(LINES, most)
    if not given.isdecimal():
        raise InvalidInput(f"--tail={given[:20]} is no number of lines", code="usage")
    return int(given)


def _seconds(span: str) -> int | None:
    """Go's "1h30m" in seconds."""
    if not span:
        return None
    parts = _SPAN.fullmatch(span)
    if parts is None:
        raise InvalidInput(f"--since={span[:20]} is no span of time", code="usage", hint="such as 1h, 10m, 30s")
    hours, minutes, seconds = (int(p or 0) for p in parts.groups())
    return hours * 3600 + minutes * 60 + seconds
