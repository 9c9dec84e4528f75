"""OpenAPI v3, as far as clients read it: that writes take `fieldValidation`, and the fields of every kind."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from kubemend.lab.apiserver.exchange import TEXT, Answer
from kubemend.lab.apiserver.schema import types
from kubemend.lab.kinds import KINDS, Kind

_SCALARS: Final[dict[str, dict[str, Any]]] = {
    "s": {"type": "string"},
    "i": {"type": "integer", "format": "int32"},
    "b": {"type": "boolean"},
    "f": {"type": "number"},
    "q": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "x": {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    "t": {"type": "string", "format": "date-time"},
    "m": {"type": "string", "format": "date-time"},
    "y": {"type": "string", "format": "byte"},
    "*": {"type": "object"},
}
_INFO: Final = {"title": "Kubernetes", "version": "v1.34.4"}


@cache
def _places() -> dict[str, list[Kind]]:
    """The path of each group version → its kinds."""
    found: dict[str, list[Kind]] = {}
    for kind in KINDS:
        place = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
        found.setdefault(place, []).append(kind)
    return found


def answer(path: str) -> Answer:
    """The index, or the document of one group version."""
    place = path.removeprefix("/openapi/v3").strip("/")
    if not place:
        paths = {p: {"serverRelativeURL": f"/openapi/v3/{p}"} for p in sorted(_places())}
        return Answer({"paths": paths}, content_type=TEXT)
    return Answer(_document(place)) if place in _places() else Answer("", code=404, content_type="")


@cache
def _document(place: str) -> dict[str, Any]:
    kinds = _places()[place]
    paths = {_path(place, kind): {"patch": _patch(kind)} for kind in kinds}
    schemas: dict[str, Any] = {}
    for kind in kinds:
        _collect(kind.storage, schemas)
        schemas[kind.storage] = _top(kind, schemas[kind.storage])
    return {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": schemas}}


def _path(place: str, kind: Kind) -> str:
    return f"/{place}/{'namespaces/{namespace}/' if kind.namespaced else ''}{kind.plural}/{{name}}"


def _patch(kind: Kind) -> dict[str, Any]:
    query = ("dryRun", "fieldManager", "fieldValidation", "force")
    return {
        "operationId": f"patch{kind.kind}",
        "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in query],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": _gvk(kind),
    }


def _gvk(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _top(kind: Kind, found: dict[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties = {**head, **found["properties"]}
    return {"type": "object", "properties": properties, "x-kubernetes-group-version-kind": [_gvk(kind)]}


def _collect(name: str, schemas: dict[str, Any]) -> None:
    """A type's schema and those of all types it mentions."""
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in schemas:
            fields = types()[current]
            schemas[current] = {"type": "object", "properties": {f.name: _schema(f.type) for f in fields.values()}}
            waiting += _mentioned(f.type for f in fields.values())


def _mentioned(found: Iterable[str]) -> list[str]:
    bare = (t.strip("[]{}") for t in found)
    return [t for t in bare if len(t) > 1]


def _schema(type_: str) -> dict[str, Any]:
    if type_[0] == "[":
        return {"type": "array", "items": _schema(type_[1:-1])}
    if type_[0] == "{":
        return {"type": "object", "additionalProperties": _schema(type_[1:-1])}
    if type_ in _SCALARS:
        return _SCALARS[type_]
    return {"allOf": [{"$ref": f"#/components/schemas/{type_}"}]}
