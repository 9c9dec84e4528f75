"""What else there is in a cluster: healthy bystanders with a past, beside the scenarios and in their own namespaces."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from kubemend.lab.scenarios import Cast

Object = dict[str, Any]

_FUSSY = ("ResourceQuota", "LimitRange", "NetworkPolicy", "Namespace")
"""Kinds by which a namespace says what pods may be in it: bystanders without leave would be broken there."""
_EVENTS = (
    ("FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu."),
    ("BackOff", "Back-off restarting failed container app in pod"),
    ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
    ("Failed", 'Failed to pull image "registry.lab/web:0.8": not found'),
    ("FailedMount", 'MountVolume.SetUp failed for volume "config" : configmap "app-config" not found'),
    ("FailedCreate", "Error creating: pods is forbidden: exceeded quota"),
)


def beside(cast: Cast) -> list[Object]:
    """Noise in the namespace of one scenario. None with seed 0, which is plain."""
    if not cast.seed:
        return []
    dice = random.Random(f"noise/{cast.name}/{cast.seed}")
    kinds = {o["kind"] for part in ("healthy", "fault") for o in cast.manifests(part)}
    found = [old_event(cast, dice, i) for i in range(dice.randint(0, 3))]
    if kinds.isdisjoint(_FUSSY) and cast.scenario.scope == "namespace":
        found += dice.choice((steady, restarted_once, done, lambda *_: []))(cast.namespace, "bystander")
    return found


def neighbours(seed: int) -> dict[str, list[Object]]:
    """Namespaces in which nothing is ever wrong. None with seed 0."""
    if not seed:
        return {}
    space = f"quiet-{seed}"
    return {space: [*steady(space, "steady"), *restarted_once(space, "shaky-once"), *done(space, "finished")]}


def steady(namespace: str, name: str) -> list[Object]:
    """A workload with a Service, as it should be."""
    return [
        _deployment(namespace, name, {"image": "registry.lab/web:1.1", "ports": [{"containerPort": 8080}]}),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"run": name}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ]


def restarted_once(namespace: str, name: str) -> list[Object]:
    """A workload that fell over at its first start and has stood since."""
    once = "test -f /state/begun || { touch /state/begun; exit 1; }; sleep 86400"
    container = {
        "image": "busybox:1.36",
        "command": ["sh", "-c", once],
        "volumeMounts": [{"name": "state", "mountPath": "/state"}],
    }
    made = _deployment(namespace, name, container)
    made["spec"]["template"]["spec"]["volumes"] = [{"name": "state", "emptyDir": {}}]
    return [made]


def done(namespace: str, name: str) -> list[Object]:
    """A Job that has done its work."""
    container = {"name": "app", "image": "busybox:1.36", "command": ["sh", "-c", "echo done"]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    metadata = {"name": f"{name}-import", "namespace": namespace}
    return [{"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": {"spec": pod}}}]


def old_event(cast: Cast, dice: random.Random, number: int) -> Object:
    """A warning of yesterday about a pod that is no more."""
    reason, message = dice.choice(_EVENTS)
    at = (datetime.now(UTC) - timedelta(hours=dice.randint(20, 40))).strftime("%Y-%m-%dT%H:%M:%SZ")
    pod = f"{cast.prefix}web-{dice.randrange(16**9):09x}-{dice.randrange(16**5):05x}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{pod}.{number}", "namespace": cast.namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": cast.namespace, "name": pod},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "count": dice.randint(1, 40),
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": "kubelet"},
    }


def _deployment(namespace: str, name: str, container: Object) -> Object:
    labels = {"run": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", **container}]}},
        },
    }
