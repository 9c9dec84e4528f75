"""Carrying out what was judged to be a read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kubemend.kube.redaction import text
from kubemend.model.errors import InvalidInput
from kubemend.tools.look import Look
from kubemend.tools.shell import facts, getting, logs
from kubemend.tools.shell.verdict import Asked

Read = Callable[[Look, Asked, int], Awaitable[str]]
SHOWN = 500
"""Objects of a kind that an answer holds."""
PIPED = 10_000
"""Objects of a kind that a script is given."""

_READS: dict[str, Read] = {
    "get": getting.get,
    "describe": facts.describe,
    "logs": logs.logs,
    "events": facts.events,
    "top pods": facts.top,
    "top nodes": facts.top,
    "explain": facts.explain,
    "rollout status": facts.rollout_status,
    "rollout history": facts.rollout_history,
    "auth can-i": facts.can_i,
    "version": facts.version,
    "cluster-info": facts.cluster_info,
    "api-resources": facts.api_resources,
    "api-versions": facts.api_versions,
    "config current-context": facts.contexts,
    "config get-contexts": facts.contexts,
    "config get-clusters": facts.contexts,
    "config view": facts.contexts,
}
_INSTEAD = {"wait": "wait_for_pod_ready or monitor_scaling_progress", "auth whoami": "verify_kubernetes_connection"}


async def read(cluster: Look, asked: Asked, most: int = SHOWN) -> str:
    """What kubectl would print, redacted: a script may get it. ClusterError, or InvalidInput for what isn't known."""
    how = _READS.get(asked.verb)
    if how is None:
        instead = _INSTEAD.get(asked.verb)
        raise InvalidInput(
            f"kubectl {asked.verb} is not carried out here",
            code="not-supported",
            hint=f"call {instead}" if instead else None,
        )
    told = await how(cluster, asked, most)
    return told if how in (getting.get, logs.logs) else text(told)  # these two redact what they read, piece by piece


def stream(asked: Asked) -> str:
    """What it would go on printing for ever, as upstream calls it: "watch", "logs" or ""."""
    if asked.on("watch") or asked.on("watch-only"):
        return "watch" if asked.verb in ("get", "events") else ""
    return "logs" if asked.on("follow") else ""
