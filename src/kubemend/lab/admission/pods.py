"""Whether a pod's spec can be (`k8s.io/kubernetes/pkg/apis/core/validation`), for pods and templates alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from kubemend.kube.quantity import parse
from kubemend.lab.admission import metadata
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import Cause

_POLICIES = ("Always", "OnFailure", "Never")
_PULLS = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_NAMED = {"configMap": "name", "secret": "secretName", "persistentVolumeClaim": "claimName"}
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
AT_LEAST_0 = "must be greater than or equal to 0"
_PORT_NAME = re.compile("[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def check(spec: Object, at: str) -> Iterator[Cause]:
    """Faults of a pod's spec that stands at this path."""
    volumes = [v["name"] for v in spec.get("volumes") or ()]
    yield from _volumes(spec.get("volumes") or (), f"{at}.volumes")
    if not spec.get("containers"):
        yield Cause.required(f"{at}.containers")
    yield from _containers(spec.get("containers") or (), f"{at}.containers", volumes)
    yield from _containers(spec.get("initContainers") or (), f"{at}.initContainers", volumes)
    if spec["restartPolicy"] not in _POLICIES:
        yield Cause.unsupported(f"{at}.restartPolicy", spec["restartPolicy"], _POLICIES)
    if spec["dnsPolicy"] not in _DNS:
        yield Cause.unsupported(f"{at}.dnsPolicy", spec["dnsPolicy"], _DNS)
    yield from metadata.labels(spec.get("nodeSelector") or {}, f"{at}.nodeSelector")
    if (name := spec.get("serviceAccountName")) and (wrong := metadata.subdomain(name)):
        yield Cause.invalid(f"{at}.serviceAccountName", name, wrong)
    if spec["terminationGracePeriodSeconds"] < 0:
        yield Cause.invalid(f"{at}.terminationGracePeriodSeconds", spec["terminationGracePeriodSeconds"], AT_LEAST_0)
    yield from _tolerations(spec.get("tolerations") or (), f"{at}.tolerations")
    if (deadline := spec.get("activeDeadlineSeconds")) is not None and deadline < 1:
        yield Cause.invalid(f"{at}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive")


def _volumes(volumes: Iterable[Object], at: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for i, volume in enumerate(volumes):
        path, name = f"{at}[{i}]", volume["name"]
        for source, field in _NAMED.items():
            if source in volume and not volume[source].get(field):
                yield Cause.required(f"{path}.{source}.{field}")
        if "hostPath" in volume and not volume["hostPath"].get("path"):
            yield Cause.required(f"{path}.hostPath.path")
        if len(volume) > 2:
            extra = sorted(volume.keys() - {"name"})[1:]
            yield from (Cause.forbidden(f"{path}.{e}", "may not specify more than 1 volume type") for e in extra)
        if not name:
            yield Cause.required(f"{path}.name")
        elif wrong := metadata.label(name):
            yield Cause.invalid(f"{path}.name", name, wrong)
        elif name in seen:
            yield Cause.duplicate(f"{path}.name", name)
        seen.add(name)


def _containers(containers: Iterable[Object], at: str, volumes: list[str]) -> Iterator[Cause]:
    seen: set[str] = set()
    for i, container in enumerate(containers):
        path, name = f"{at}[{i}]", container["name"]
        if not name:
            yield Cause.required(f"{path}.name")
        elif wrong := metadata.label(name):
            yield Cause.invalid(f"{path}.name", name, wrong)
        if not (image := container.get("image", "")):
            yield Cause.required(f"{path}.image")
        elif image != image.strip():
            yield Cause.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
        yield from _container(container, path, volumes)
        if name and name in seen:
            yield Cause.duplicate(f"{path}.name", name)
        seen.add(name)


def _container(container: Object, at: str, volumes: list[str]) -> Iterator[Cause]:
    yield from _ports(container.get("ports") or (), f"{at}.ports")
    yield from _environment(container.get("env") or (), f"{at}.env")
    yield from _mounts(container.get("volumeMounts") or (), f"{at}.volumeMounts", volumes)
    if container["imagePullPolicy"] not in _PULLS:
        yield Cause.unsupported(f"{at}.imagePullPolicy", container["imagePullPolicy"], _PULLS)
    yield from resources(container["resources"], f"{at}.resources")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(name)) is not None:
            yield from _probe(probe, f"{at}.{name}", once=name != "readinessProbe")


def port(value: Any, at: str) -> Iterator[Cause]:
    """Faults of a port's number, or of its name where a name may stand."""
    if isinstance(value, int):
        if not 1 <= value <= 65535:
            yield Cause.invalid(at, value, "must be between 1 and 65535, inclusive")
    elif len(value) > 15:
        yield Cause.invalid(at, value, "must be no more than 15 characters")
    elif not _PORT_NAME.fullmatch(value):
        yield Cause.invalid(at, value, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    elif value.isdigit():
        yield Cause.invalid(at, value, "must contain at least one letter (a-z)")


def _ports(ports: Iterable[Object], at: str) -> Iterator[Cause]:
    names: set[str] = set()
    for i, found in enumerate(ports):
        path, name = f"{at}[{i}]", found.get("name")
        if name:
            yield from port(name, f"{path}.name")
            if name in names:
                yield Cause.duplicate(f"{path}.name", name)
            names.add(name)
        if found["containerPort"] == 0:
            yield Cause.required(f"{path}.containerPort")
        else:
            yield from port(found["containerPort"], f"{path}.containerPort")
        if found.get("hostPort"):
            yield from port(found["hostPort"], f"{path}.hostPort")
        if found["protocol"] not in _PROTOCOLS:
            yield Cause.unsupported(f"{path}.protocol", found["protocol"], _PROTOCOLS)


def _environment(variables: Iterable[Object], at: str) -> Iterator[Cause]:
    for i, variable in enumerate(variables):
        path = f"{at}[{i}]"
        if not variable["name"]:
            yield Cause.required(f"{path}.name")
        if (source := variable.get("valueFrom")) is None:
            continue
        given = [s for s in _SOURCES if s in source]
        if not given:
            detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            yield Cause.invalid(f"{path}.valueFrom", "", detail)
        elif variable.get("value"):
            yield Cause.invalid(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
        for ref in ("configMapKeyRef", "secretKeyRef"):
            for field in ("name", "key") if ref in source else ():
                if not source[ref].get(field):
                    yield Cause.required(f"{path}.valueFrom.{ref}.{field}")


def _mounts(mounts: Iterable[Object], at: str, volumes: list[str]) -> Iterator[Cause]:
    paths: set[str] = set()
    for i, mount in enumerate(mounts):
        path = f"{at}[{i}]"
        if not mount["name"]:
            yield Cause.required(f"{path}.name")
        elif mount["name"] not in volumes:
            yield Cause.missing(f"{path}.name", mount["name"])
        if not mount["mountPath"]:
            yield Cause.required(f"{path}.mountPath")
        elif mount["mountPath"] in paths:
            yield Cause.invalid(f"{path}.mountPath", mount["mountPath"], "must be unique")
        paths.add(mount["mountPath"])


def _probe(probe: Object, at: str, *, once: bool) -> Iterator[Cause]:
    handlers = [h for h in _HANDLERS if h in probe]
    if not handlers:
        yield Cause.required(at, "must specify a handler type")
    yield from (Cause.forbidden(f"{at}.{h}", "may not specify more than 1 handler type") for h in handlers[1:])
    for handler in ("httpGet", "tcpSocket", "grpc"):
        if handler in probe:
            yield from port(probe[handler]["port"], f"{at}.{handler}.port")
    if "exec" in probe and not probe["exec"].get("command"):
        yield Cause.required(f"{at}.exec.command")
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe.get(field, 0) < 0:
            yield Cause.invalid(f"{at}.{field}", probe[field], AT_LEAST_0)
    if once and probe["successThreshold"] != 1:
        yield Cause.invalid(f"{at}.successThreshold", probe["successThreshold"], "must be 1")


def resources(found: Object, at: str) -> Iterator[Cause]:
    """Faults of a container's requests and limits."""
    limits, requests = found.get("limits") or {}, found.get("requests") or {}
    for word, given in (("limits", limits), ("requests", requests)):
        for name, amount in given.items():
            if parse(amount) < 0:
                yield Cause.invalid(f"{at}.{word}[{name}]", amount, AT_LEAST_0)
    for name, amount in requests.items():
        if name in limits and parse(amount) > parse(limits[name]):
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            yield Cause.invalid(f"{at}.requests", amount, detail)


def _tolerations(tolerations: Iterable[Object], at: str) -> Iterator[Cause]:
    for i, toleration in enumerate(tolerations):
        operator = toleration.get("operator", "Equal")
        if operator not in ("Equal", "Exists"):
            yield Cause.unsupported(f"{at}[{i}].operator", operator, ("Equal", "Exists"))
        elif operator == "Exists" and toleration.get("value"):
            detail = "value must be empty when `operator` is 'Exists'"
            yield Cause.invalid(f"{at}[{i}].operator", toleration, detail)
        elif not toleration.get("key") and operator == "Equal":
            detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield Cause.invalid(f"{at}[{i}].operator", operator, detail)
