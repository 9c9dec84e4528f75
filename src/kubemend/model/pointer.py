"""Reading a value at a JSON Pointer (RFC 6901) in Structs, mappings and sequences alike."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


@functools.cache
def _attributes(struct: type[msgspec.Struct]) -> dict[str, str]:
    return {f.encode_name: f.name for f in msgspec.structs.fields(struct)}


def pointer(*steps: str | int) -> str:
    """Spell steps as a JSON Pointer: `pointer("spec", "containers", 0)` is "/spec/containers/0"."""
    return "".join("/" + str(s).replace("~", "~0").replace("/", "~1") for s in steps)


def steps(path: str) -> list[str]:
    """The reverse of `pointer`."""
    return [s.replace("~1", "/").replace("~0", "~") for s in path.split("/")[1:]]


def at(obj: Any, path: str) -> Any:
    """The value at a JSON Pointer, or None where the way ends."""
    for step in steps(path):
        obj = _child(obj, step)
        if obj is None:
            return None
    return obj


def _child(obj: Any, step: str) -> Any:
    if isinstance(obj, msgspec.Struct):
        name = _attributes(type(obj)).get(step)
        return getattr(obj, name) if name else None
    if isinstance(obj, Mapping):
        return obj.get(step)
    if isinstance(obj, Sequence) and not isinstance(obj, str) and step.isdigit() and int(step) < len(obj):
        return obj[int(step)]
    return None
