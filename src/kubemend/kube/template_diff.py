"""What two pod templates differ in, by what it means to people: image, environment, resources, probes, volumes …"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from kubemend.kube.diff import changed
from kubemend.kube.fields import same
from kubemend.kube.redaction import names_secret

Object = dict[str, Any]

AREAS: dict[str, tuple[str, ...]] = {
    "image": ("image", "imagePullPolicy"),
    "command": ("command", "args", "workingDir"),
    "resources": ("resources", "resizePolicy"),
    "probes": ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"),
    "ports": ("ports",),
    "volumes": ("volumeMounts", "volumeDevices", "volumes"),
    "security": ("securityContext", "serviceAccountName", "serviceAccount", "automountServiceAccountToken"),
    "scheduling": (
        "nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "priorityClassName", "schedulerName",
        "runtimeClassName", "nodeName",
    ),
}  # fmt: skip
"""Area → fields of a container or a pod spec. What is in none of them is in "other"."""
_AREA = {field: area for area, fields in AREAS.items() for field in fields}
_NAMED = ("containers", "initContainers", "ephemeralContainers")


class Difference(Struct, frozen=True):
    """One field that differs. change_type: added, removed or modified, seen from the first to the second.

    field: within its container, or within the template where `container_name` is "".
    """

    area: str
    container_name: str
    field: str
    revision1_value: Any
    revision2_value: Any
    change_type: str


def differences(first: Object, second: Object) -> tuple[Difference, ...]:
    """Everything two raw pod templates differ in, the label `pod-template-hash` aside. Containers meet by name."""
    return (*_metadata(first, second), *_pod(first.get("spec") or {}, second.get("spec") or {}))


def _metadata(first: Object, second: Object) -> Iterator[Difference]:
    for field in ("labels", "annotations"):
        old, new = (dict((t.get("metadata") or {}).get(field) or {}) for t in (first, second))
        for held in (old, new):
            held.pop("pod-template-hash", None)
        yield from (_difference("metadata", "", f"{field}.{k}", a, b) for k, a, b in _keys(old, new))


def _pod(first: Object, second: Object) -> Iterator[Difference]:
    for field in _NAMED:
        old, new = ({c["name"]: c for c in s.get(field) or ()} for s in (first, second))
        for name, a, b in _keys(old, new):
            if a is None or b is None:
                yield _difference("containers", name, field, _image(a), _image(b))
            else:
                yield from _container(name, a, b)
    yield from _volumes(first, second)
    for field, a, b in _keys(_rest(first), _rest(second)):
        yield from _leaves(_AREA.get(field, "other"), "", field, a, b)


def _rest(spec: Object) -> Object:
    return {k: v for k, v in spec.items() if k not in (*_NAMED, "volumes")}


def _image(container: Object | None) -> str | None:
    return None if container is None else container.get("image", "")


def _container(name: str, first: Object, second: Object) -> Iterator[Difference]:
    for field, a, b in _keys(first, second):
        if field == "env":
            yield from _environment(name, a or [], b or [])
        else:
            yield from _leaves(_AREA.get(field, "env" if field == "envFrom" else "other"), name, field, a, b)


def _environment(container: str, first: list[Object], second: list[Object]) -> Iterator[Difference]:
    old, new = ({e["name"]: e for e in held} for held in (first, second))
    for name, a, b in _keys(old, new):
        yield _difference("env", container, f"env.{name}", _shown(name, a), _shown(name, b))


def _shown(name: str, entry: Object | None) -> Any:
    """A variable's value or where it comes from; a value that its name calls secret shows only that it is there."""
    if entry is None:
        return None
    if "valueFrom" in entry:
        return entry["valueFrom"]
    return "<redacted>" if names_secret(name) else entry.get("value", "")


def _volumes(first: Object, second: Object) -> Iterator[Difference]:
    old, new = ({v["name"]: v for v in s.get("volumes") or ()} for s in (first, second))
    for name, a, b in _keys(old, new):
        yield _difference("volumes", "", f"volumes.{name}", a, b)


def _leaves(area: str, container: str, field: str, first: Any, second: Any) -> Iterator[Difference]:
    if not (isinstance(first, dict) and isinstance(second, dict)):
        yield _difference(area, container, field, first, second)
        return
    for path, a, b in changed({"v": first}, {"v": second}):
        yield _difference(area, container, field + path.removeprefix("/v").replace("/", "."), a, b)


def _keys(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(key, one, other) of what isn't the same in both, by key."""
    for key in sorted({**first, **second}):
        if not same(first.get(key), second.get(key)):
            yield key, first.get(key), second.get(key)


def _difference(area: str, container: str, field: str, first: Any, second: Any) -> Difference:
    kind = "added" if first is None else "removed" if second is None else "modified"
    return Difference(area, container, field, first, second, kind)
