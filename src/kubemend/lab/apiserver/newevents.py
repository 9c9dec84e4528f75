"""Events of events.k8s.io/v1: the same objects as core/v1 Events, in other words."""

from __future__ import annotations

from typing import Final

from kubemend.lab.api import Object
from kubemend.lab.kinds import Kind

_WORDS: Final = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_SILENT: Final = ("reportingController", "reportingInstance")
_BACK: Final = {new: core for core, new in _WORDS.items()}


def shown(kind: Kind, obj: Object) -> Object:
    """An object as this kind shows it."""
    if not kind.stored:
        return obj
    told = {**_renamed(obj, _WORDS), "apiVersion": kind.api_version}
    return {field: value for field, value in told.items() if value != "" or field not in _SILENT}


def taken(kind: Kind, obj: Object) -> Object:
    """An object as it is kept."""
    if not kind.stored:
        return obj
    return _renamed({k: v for k, v in obj.items() if k not in ("apiVersion", "kind")}, _BACK)


def _renamed(obj: Object, words: dict[str, str]) -> Object:
    return {words.get(field, field): value for field, value in obj.items()}
