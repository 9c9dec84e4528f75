"""What the API server fills in where a pod's spec is silent (`k8s.io/kubernetes/pkg/apis/core/v1/defaults.go`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubemend.kube.names import split_image, valid_image
from kubemend.lab.api import Object

FILE_MODE = 420
"""0644: the mode of files in configMap, secret, projected and downwardAPI volumes."""

_MODED = ("configMap", "secret", "projected", "downwardAPI")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
TOKEN_S = 3600
"""Seconds that a projected service account token lives when nothing else is said."""


def containers(spec: Object) -> Iterator[Object]:
    """Init containers, then containers, then ephemeral ones."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or ()


def fill(spec: Object) -> None:
    """Fill in a pod's or a template's spec, in place."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for volume in spec.get("volumes") or ():
        _volume(volume)
    for container in containers(spec):
        _container(container)
        for port in container.get("ports") or ():
            if spec.get("hostNetwork"):
                port.setdefault("hostPort", port["containerPort"])


def fill_pod(pod: Object) -> None:
    """Fill in a pod: its spec, and requests equal to limits where only limits are given."""
    spec = pod["spec"]
    fill(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in containers(spec):
        resources = container["resources"]
        if limits := resources.get("limits"):
            resources["requests"] = {**limits, **resources.get("requests", {})}


def _container(container: Object) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", pull_policy(container.get("image", "")))
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for name in _PROBES:
        if (probe := container.get(name)) is not None:
            _probe(probe)
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict) and "httpGet" in hook:
            _http(hook["httpGet"])
    for variable in container.get("env") or ():
        if field := (variable.get("valueFrom") or {}).get("fieldRef"):
            field.setdefault("apiVersion", "v1")


def pull_policy(image: str) -> str:
    """Always for `latest` or no tag, else IfNotPresent."""
    parts = split_image(image)
    latest = valid_image(image) and not parts.digest and parts.tag in ("", "latest")
    return "Always" if latest else "IfNotPresent"


def _probe(probe: Object) -> None:
    for field, value in _PROBE.items():
        probe.setdefault(field, value)
    if "httpGet" in probe:
        _http(probe["httpGet"])
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _http(action: Object) -> None:
    action.setdefault("path", "/")
    action.setdefault("scheme", "HTTP")


def _volume(volume: Object) -> None:
    if volume.keys() == {"name"}:
        volume["emptyDir"] = {}
    for source in _MODED:
        if source in volume:
            volume[source].setdefault("defaultMode", FILE_MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    for part in (volume.get("projected") or {}).get("sources") or ():
        if "serviceAccountToken" in part:
            part["serviceAccountToken"].setdefault("expirationSeconds", TOKEN_S)
        _downward(part.get("downwardAPI"))
    _downward(volume.get("downwardAPI"))


def _downward(source: dict[str, Any] | None) -> None:
    for item in (source or {}).get("items") or ():
        if "fieldRef" in item:
            item["fieldRef"].setdefault("apiVersion", "v1")
