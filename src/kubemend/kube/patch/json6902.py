"""JSON Patch (RFC 6902): a list of operations at JSON Pointers, all of which hold or none."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from kubemend.kube.fields import same
from kubemend.kube.patch.errors import PatchError
from kubemend.model.pointer import steps


def json_patch(target: dict[str, Any], ops: Sequence[Mapping[str, Any]]) -> Any:
    """Apply RFC 6902 operations in order and return the new document; `target` stays as it is.

    Raises `PatchError` at the first operation that can't be carried out, a failed `test` included.
    """
    document: Any = copy.deepcopy(target)
    for op in ops:
        document = _apply(document, op)
    return document


def _apply(document: Any, op: Mapping[str, Any]) -> Any:
    path = _member(op, "path")
    match op.get("op"):
        case "add":
            return _add(document, path, copy.deepcopy(_member(op, "value")))
        case "remove":
            return _take(document, path)[0]
        case "replace":
            document, _ = _take(document, path) if path else (document, None)
            return _add(document, path, copy.deepcopy(_member(op, "value")))
        case "move":
            source = _member(op, "from")
            if path.startswith(source + "/"):
                raise PatchError("a value can't be moved into itself", where=path)
            document, moved = _take(document, source)
            return _add(document, path, moved)
        case "copy":
            return _add(document, path, copy.deepcopy(_get(document, _member(op, "from"))))
        case "test":
            if not same(_get(document, path), _member(op, "value")):
                raise PatchError("the value there isn't the one tested for", where=path)
            return document
    raise PatchError(f"{op.get('op')!r} is no JSON Patch operation", where=path)


def _member(op: Mapping[str, Any], name: str) -> Any:
    if name not in op:
        raise PatchError(f"the operation lacks {name!r}", where=str(op.get("path", "")))
    value = op[name]
    if name != "value" and not (isinstance(value, str) and (not value or value.startswith("/"))):
        raise PatchError(f"{value!r} is no JSON Pointer", where=str(op.get("path", "")))
    return value


def _get(document: Any, path: str) -> Any:
    for step in steps(path):
        document = document[_place(document, step, path)]
    return document


def _parent(document: Any, path: str) -> tuple[Any, str]:
    head, _, _ = path.rpartition("/")
    return _get(document, head), steps(path)[-1]


def _add(document: Any, path: str, value: Any) -> Any:
    if not path:
        return value
    parent, last = _parent(document, path)
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(parent, last, len(parent), path), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise PatchError("there is nothing to add to", where=path)
    return document


def _take(document: Any, path: str) -> tuple[Any, Any]:
    if not path:
        return None, document
    parent, last = _parent(document, path)
    return document, parent.pop(_place(parent, last, path))


def _place(parent: Any, step: str, path: str) -> Any:
    """The key or index of an existing child."""
    if isinstance(parent, list):
        return _index(parent, step, len(parent) - 1, path)
    if isinstance(parent, dict) and step in parent:
        return step
    raise PatchError("there is no such value", where=path)


def _index(array: list[Any], step: str, last: int, path: str) -> int:
    canonical = step.isascii() and step.isdigit() and (step == "0" or step[0] != "0")
    if not canonical or len(step) > len(str(len(array))) or int(step) > last:
        raise PatchError(f"{step!r} is no index of the {len(array)} elements there", where=path)
    return int(step)
