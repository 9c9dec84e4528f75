"""Tool: wait for a pod."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress

from msgspec import Struct

from kubemend.kube.rollout import ready
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Pod
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.remediation.following import states
from kubemend.tools.words import Name, Namespace, Timeout

ENDED = ("Succeeded", "Failed")


class Waited(Struct, frozen=True):
    """How the wait ended. status: ready, timeout, missing (none of that name came), or the phase it ended in.

    waiting_for: what keeps it from being ready, as its containers and conditions say.
    """

    success: bool
    pod_name: str
    namespace: str
    status: str
    wait_time_seconds: float
    pod_ip: str
    node: str
    uid: str
    waiting_for: tuple[str, ...]
    error: str | None


@tool(
    risk=Risk.READ,
    needs={Access("list", "pods"), Access("watch", "pods")},
    examples=(
        {"pod_name": "store-0", "namespace": "shop"},
        {"pod_name": "crasher", "namespace": "shop", "timeout": 1},
    ),
    within_s=630,
)
async def wait_for_pod_ready(
    cluster: Look,
    *,
    pod_name: Name,
    namespace: Namespace,
    timeout: Timeout = 60,  # noqa: ASYNC109 - the tool's own word
) -> Waited:
    """Wait, by a watch, until a pod is ready, or has ended, or the time is over.

    A pod that isn't there (yet) is waited for: a StatefulSet's comes back under the same name. One that is being
    deleted doesn't count.
    """
    began, pod = time.monotonic(), None
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout), aclosing(states(cluster.reader, Pod, namespace, pod_name)) as seen:
            async for pod in seen:
                if _is_settled(pod):
                    return _told(pod, pod_name, namespace, began, out_of_time=False)
    return _told(pod, pod_name, namespace, began, out_of_time=True)


def _is_settled(pod: Pod | None) -> bool:
    if pod is None or pod.metadata.deletion_timestamp is not None:
        return False
    return ready(pod) or pod.status.phase in ENDED


def _told(pod: Pod | None, name: str, namespace: str, began: float, *, out_of_time: bool) -> Waited:
    took = round(time.monotonic() - began, 1)
    if pod is None:
        return Waited(False, name, namespace, "missing", took, "", "", "", (), f"no pod {name} came within {took:g} s")
    good = ready(pod) and not out_of_time
    status = "ready" if good else "timeout" if out_of_time else pod.status.phase
    return Waited(
        success=good,
        pod_name=name,
        namespace=namespace,
        status=status,
        wait_time_seconds=took,
        pod_ip=pod.status.pod_ip,
        node=pod.spec.node_name,
        uid=pod.metadata.uid,
        waiting_for=() if good else tuple(hindrances(pod)),
        error=None
        if good
        else f"{pod.ref} is not ready after {took:g} s"
        if out_of_time
        else f"it has ended: {status}",
    )


def hindrances(pod: Pod) -> list[str]:
    """What keeps a pod from being ready: its place, then each container that isn't ready."""
    found = [
        f"{c.reason}: {c.message}" for c in pod.status.conditions if c.type == "PodScheduled" and c.status == "False"
    ]
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if status.state.waiting is not None and status.state.waiting.reason not in ("", "PodInitializing"):
            found.append(f"{status.name}: {status.state.waiting.reason}: {status.state.waiting.message}".rstrip(": "))
        elif status.state.running is not None and not status.ready and status in pod.status.container_statuses:
            found.append(f"{status.name}: runs, but is not ready")
        elif status.state.terminated is not None and status.state.terminated.exit_code:
            found.append(f"{status.name}: ended with exit code {status.state.terminated.exit_code}")
    return found
