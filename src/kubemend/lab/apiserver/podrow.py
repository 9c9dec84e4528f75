"""The row of a pod: the STATUS column is where people look first, so every case of the original is here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.apiserver.cells import NONE, age, at


@dataclass
class _Count:
    """What the containers add up to."""

    reason: str
    ready: int = 0
    restarts: int = 0
    restarted: list[str] = field(default_factory=list)

    def restart(self, status: Object) -> None:
        self.restarts += status.get("restartCount", 0)
        if end := at(status, "lastState", "terminated", "finishedAt"):
            self.restarted.append(end)


def row(pod: Object, now: datetime) -> list[Any]:
    """Name, ready, status, restarts, age, IP, node, nominated node, readiness gates."""
    spec, status, meta = pod["spec"], pod["status"], pod["metadata"]
    sidecars = [c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    count = _Count(_phase(status))
    initializing = _inits(count, pod, sidecars)
    if not initializing or _holds(status, "Initialized"):
        count = _Count(count.reason, count.ready)
        for found in status.get("initContainerStatuses") or ():
            if found["name"] in sidecars:
                count.restart(found)
        _mains(count, status)
    if meta.get("deletionTimestamp"):
        count.reason = _going(status, count.reason)
    restarts = str(count.restarts)
    if count.restarts and count.restarted:
        restarts += f" ({age(max(count.restarted), now)} ago)"
    total = len(spec.get("containers") or ()) + len(sidecars)
    told = [meta["name"], f"{count.ready}/{total}", count.reason, restarts, age(meta.get("creationTimestamp"), now)]
    address = at(status, "podIPs", default=[{}])[0].get("ip") or status.get("podIP") or NONE
    node, nominated = spec.get("nodeName") or NONE, status.get("nominatedNodeName") or NONE
    return [*told, address, node, nominated, _gates(spec, status)]


def conditions(pod: Object) -> list[dict[str, str]]:
    """The row's conditions, by which a client can leave finished pods out."""
    phase = pod["status"].get("phase")
    if phase not in ("Succeeded", "Failed"):
        return []
    words = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}
    return [{"type": "Completed", "status": "True", "reason": phase, "message": words[phase]}]


def _phase(status: Object) -> str:
    for found in status.get("conditions") or ():
        if found["type"] == "PodScheduled" and found.get("reason") == "SchedulingGated":
            return "SchedulingGated"
    return str(status.get("reason") or status.get("phase", ""))


def _going(status: Object, reason: str) -> str:
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return reason if status.get("phase") in ("Succeeded", "Failed") else "Terminating"


def _inits(count: _Count, pod: Object, sidecars: Iterable[str]) -> bool:
    """Count the init containers in; whether one of them still has to end or to start."""
    for i, found in enumerate(pod["status"].get("initContainerStatuses") or ()):
        count.restart(found)
        terminated = at(found, "state", "terminated")
        waiting = at(found, "state", "waiting", "reason", default="")
        if terminated and terminated.get("exitCode", 0) == 0:
            continue
        if found["name"] in sidecars and found.get("started"):
            count.ready += bool(found.get("ready"))
            continue
        if terminated:
            count.reason = f"Init:{_end(terminated)}"
        elif waiting not in ("", "PodInitializing"):
            count.reason = f"Init:{waiting}"
        else:
            count.reason = f"Init:{i}/{len(pod['spec'].get('initContainers') or ())}"
        return True
    return False


def _mains(count: _Count, status: Object) -> None:
    running = False
    for found in reversed(status.get("containerStatuses") or ()):
        count.restart(found)
        terminated = at(found, "state", "terminated")
        if waiting := at(found, "state", "waiting", "reason", default=""):
            count.reason = waiting
        elif terminated is not None:
            count.reason = _end(terminated)
        elif found.get("ready") and at(found, "state", "running") is not None:
            running = True
            count.ready += 1
    if count.reason == "Completed" and running:
        count.reason = "Running" if _holds(status, "Ready") else "NotReady"


def _end(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    signal = terminated.get("signal", 0)
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"


def _holds(status: Object, type_: str) -> bool:
    return any(c["type"] == type_ and c["status"] == "True" for c in status.get("conditions") or ())


def _gates(spec: Object, status: Object) -> str:
    gates = [g["conditionType"] for g in spec.get("readinessGates") or ()]
    return f"{sum(_holds(status, g) for g in gates)}/{len(gates)}" if gates else NONE
