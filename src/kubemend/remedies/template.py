"""What must be written to make one pod template like another.

Structs hold a part of a template only, so nothing is ever replaced that they don't hold in full: a change is a
strategic-merge patch of just the fields that differ, and where that can't be had (a literal value of an environment
variable, a container that is gone, a volume of a kind that isn't read) it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from kubemend.model.objects import PodTemplate
from kubemend.model.ref import Ref
from kubemend.model.strategy import template_of

Json = dict[str, Any]

# Lists that merge by a key (patchMergeKey in k8s.io/api core/v1); any other is replaced as a whole.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "imagePullSecrets": "name",
}
# Replaced as a whole or merged, these would lose what the Structs leave out of them.
_PARTIAL = frozenset({"podAffinity", "podAntiAffinity", "topologySpreadConstraints"})
_SOURCES = ("configMap", "secret", "persistentVolumeClaim")
_HASH = "pod-template-hash"


class NotHeld(Exception):
    """A difference that can't be written, because the snapshot doesn't hold all of it."""


def shape(template: PodTemplate) -> Json:
    """A template as JSON: its spec, labels and annotations, defaults and the controller's hash label left out."""
    labels = {k: v for k, v in template.metadata.labels.items() if k != _HASH}
    meta = {"labels": labels, "annotations": template.metadata.annotations}
    shown: Json = json({"spec": template.spec, "metadata": meta})
    return shown


def json(value: Any) -> Any:
    """A value as JSON gives it back: lists where Structs hold tuples."""
    return msgspec.json.decode(msgspec.json.encode(value))


def put(template: Json, steps: tuple[str | int, ...], value: Any) -> Json:
    """A copy of the template with one value of its pod spec set; `steps` lead there from the spec and exist."""
    changed: Json = json(template)
    held: Any = changed["spec"]
    for step in steps[:-1]:
        held = held[step]
    if value is None and isinstance(held, dict):
        held.pop(steps[-1], None)
    else:
        held[steps[-1]] = value
    return changed


def nested(ref: Ref, change: Json) -> Json:
    """The patch body for a workload that holds this change of its pod template."""
    for step in reversed(template_of(ref)):
        change = {step: change}
    return change


def difference(now: Json, wanted: Json) -> Json:
    """The strategic-merge patch that turns one template (see `shape`) into another; empty when they are alike.

    Raises `NotHeld` where the snapshot doesn't hold enough to write it.
    """
    volumes = wanted.get("spec", {}).get("volumes", ())
    return _Difference(frozenset(v["name"] for v in volumes if "configMap" in v or "secret" in v)).map(now, wanted)


@dataclass(frozen=True)
class _Difference:
    """read_only: volumes whose mounts can't be written to anyway, whatever a mount says that isn't read."""

    read_only: frozenset[str]

    def map(self, now: Json, wanted: Json) -> Json:
        patch: Json = {}
        for key in sorted({*now, *wanted}):
            old, new = now.get(key), wanted.get(key)
            if old == new:
                continue
            if key in _PARTIAL:
                raise NotHeld(f"{key} differs, which is not read in full")
            if key in _KEYS:
                patch[key] = self._list(key, old or [], new or [])
            elif isinstance(old, dict) and isinstance(new, dict):
                patch[key] = self.map(old, new)
            else:
                patch[key] = new
        return patch

    def _list(self, field: str, now: list[Json], wanted: list[Json]) -> list[Json]:
        key = _KEYS[field]
        before, after = {e[key]: e for e in now}, {e[key]: e for e in wanted}
        if len(before) < len(now) or len(after) < len(wanted):
            raise NotHeld(f"two {field} share one {key}")
        gone = [{key: k, "$patch": "delete"} for k in before if k not in after]
        both = [k for k in after if k in before and before[k] != after[k]]
        changed = [{key: k, **self._element(field, before[k], after[k])} for k in both]
        return gone + changed + [self._added(field, e) for k, e in after.items() if k not in before]

    def _element(self, field: str, now: Json, wanted: Json) -> Json:
        if field == "env":
            return self._env(now, wanted)
        if field == "volumes" and not (_known_volume(now) and _known_volume(wanted)):
            raise NotHeld(f"volume {now['name']!r} differs in a source that is not read")
        return self.map(now, wanted)

    def _env(self, now: Json, wanted: Json) -> Json:
        old, new = now.get("valueFrom"), wanted.get("valueFrom")
        if not new or old == {}:
            raise NotHeld(f"the value of environment variable {now['name']!r} differs, and such values are not kept")
        return {"value": None, "valueFrom": new} if old is None else self.map(now, wanted)

    def _added(self, field: str, element: Json) -> Json:
        """An element that must be written whole: only of what is held whole."""
        if field in ("containers", "initContainers"):
            raise NotHeld(f"container {element['name']!r} would have to be written whole")
        if field == "env" and not element.get("valueFrom"):
            raise NotHeld(
                f"the value of environment variable {element['name']!r} is gone, and such values are not kept"
            )
        if field == "volumeMounts" and element["name"] not in self.read_only:
            raise NotHeld(f"whether the mount at {element['mountPath']} was read-only is not read")
        if field == "volumes" and not _known_volume(element):
            raise NotHeld(f"volume {element['name']!r} would have to be written whole")
        return element


def _known_volume(volume: Json) -> bool:
    return any(source in volume for source in _SOURCES)
