"""A pod's phase and conditions, made of its containers' states by the kubelet's rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubemend.lab.api import Object
from kubemend.lab.fields import condition, spec, status, with_condition

Statuses = Mapping[str, Object]
"""Container statuses by container name."""


def phase(pod: Object, statuses: Statuses) -> str:
    """`status.phase`, as the kubelet's `getPhase`."""
    fields = spec(pod)
    policy = fields.get("restartPolicy", "Always")
    inits = [c["name"] for c in fields.get("initContainers") or () if c.get("restartPolicy") != "Always"]
    if any(_failed(statuses.get(n)) for n in inits) and policy == "Never":
        return "Failed"
    if any(not _succeeded(statuses.get(n)) for n in inits):
        return "Pending"
    apps = [statuses.get(c["name"]) for c in fields["containers"]]
    codes = [_code(s) for s in apps]
    waiting = any(s is None or ("waiting" in s["state"] and _code(s) is None) for s in apps)
    if waiting:
        return "Pending"
    if any(s is not None and "running" in s["state"] for s in apps):
        return "Running"
    if policy == "Always" or (policy == "OnFailure" and any(codes)):
        return "Running"
    return "Failed" if any(codes) else "Succeeded"


def _code(told: Object | None) -> int | None:
    """The exit code of the container's present or, while it waits, last end."""
    if told is None:
        return None
    ended = told["state"].get("terminated")
    if ended is None and "waiting" in told["state"]:
        ended = (told.get("lastState") or {}).get("terminated")
    return None if ended is None else int(ended["exitCode"])


def _succeeded(told: Object | None) -> bool:
    return told is not None and "terminated" in told["state"] and _code(told) == 0


def _failed(told: Object | None) -> bool:
    return told is not None and "running" not in told["state"] and bool(_code(told))


def conditions(pod: Object, statuses: Statuses, phase_: str, *, sandbox: bool) -> list[dict[str, Any]]:
    """The kubelet's conditions put into those the pod has. sandbox: its network is there."""
    ready = _containers_ready(pod, statuses, phase_)
    told = [
        _condition("PodReadyToStartContainers", sandbox),
        _initialized(pod, statuses, phase_),
        _gated(pod, ready),
        {**ready, "type": "ContainersReady"},
        _condition("PodScheduled", True),
    ]
    found = list(status(pod).get("conditions") or [])
    for new in told:
        found = with_condition(found, new)
    return found


def _condition(type_: str, holds: bool, reason: str = "", message: str = "") -> dict[str, Any]:
    told = {"reason": reason, "message": message}
    return {
        "type": type_,
        "status": "True" if holds else "False",
        "lastProbeTime": None,
        **{k: v for k, v in told.items() if v},
    }


def _initialized(pod: Object, statuses: Statuses, phase_: str) -> dict[str, Any]:
    inits = spec(pod).get("initContainers") or ()
    incomplete = [c["name"] for c in inits if not _initial(c, statuses.get(c["name"]))]
    if phase_ == "Succeeded":
        return _condition("Initialized", True, "PodCompleted")
    if not incomplete or _any_app_started(pod, statuses):
        return _condition("Initialized", True)
    said = f"containers with incomplete status: {_listed(incomplete)}"
    return _condition("Initialized", False, "ContainersNotInitialized", said)


def _initial(container: Object, told: Object | None) -> bool:
    if told is None:
        return False
    return bool(told["started"] if container.get("restartPolicy") == "Always" else told["ready"])


def _any_app_started(pod: Object, statuses: Statuses) -> bool:
    apps = (statuses.get(c["name"]) for c in spec(pod)["containers"])
    return any(s is not None and ("running" in s["state"] or _code(s) is not None) for s in apps)


def _containers_ready(pod: Object, statuses: Statuses, phase_: str) -> dict[str, Any]:
    if phase_ in ("Succeeded", "Failed"):
        return _condition("Ready", False, "PodCompleted" if phase_ == "Succeeded" else "PodFailed")
    sidecars = [c for c in spec(pod).get("initContainers") or () if c.get("restartPolicy") == "Always"]
    counted: Sequence[Object] = [*sidecars, *spec(pod)["containers"]]
    unready = [c["name"] for c in counted if not (statuses.get(c["name"]) or {}).get("ready")]
    if not unready:
        return _condition("Ready", True)
    return _condition("Ready", False, "ContainersNotReady", f"containers with unready status: {_listed(unready)}")


def _gated(pod: Object, ready: dict[str, Any]) -> dict[str, Any]:
    """Ready asks for the pod's readiness gates on top of its containers."""
    if ready["status"] != "True":
        return ready
    said = []
    for gate in spec(pod).get("readinessGates") or ():
        type_ = gate["conditionType"]
        found = condition(pod, type_)
        if found is None:
            said.append(f'corresponding condition of pod readiness gate "{type_}" does not exist.')
        elif found["status"] != "True":
            said.append(f'the status of pod readiness gate "{type_}" is not "True", but {found["status"]}')
    return _condition("Ready", False, "ReadinessGatesNotReady", ", ".join(said)) if said else ready


def _listed(names: Iterable[str]) -> str:
    return f"[{' '.join(names)}]"


def quality(pod: Object) -> str:
    """`status.qosClass` (Kubernetes docs, "Pod Quality of Service Classes")."""
    asked: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for container in [*spec(pod)["containers"], *(spec(pod).get("initContainers") or ())]:
        resources = container.get("resources") or {}
        asked.append((resources.get("requests") or {}, resources.get("limits") or {}))
    if not any(_of_quality(r) or _of_quality(limit) for r, limit in asked):
        return "BestEffort"
    return "Guaranteed" if all(_guaranteed(r, limit) for r, limit in asked) else "Burstable"


def _guaranteed(requests: Mapping[str, Any], limits: Mapping[str, Any]) -> bool:
    return {"cpu", "memory"} <= limits.keys() and _of_quality({**limits, **requests}) == _of_quality(limits)


def _of_quality(resources: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in resources.items() if k in ("cpu", "memory")}
