"""What an answer looks like, apart from what it says: to hold answers of two clusters against each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
Shape = dict[str, set[str]]
"""Path → the JSON types seen there. `[]` is any element, `*` any key of a mapping."""
HOLLOW = {"null", "empty"}
"""Nothing can be told of what would be below."""
_OPEN = {"properties": {}, "additionalProperties": True}


def shape(answer: Any, schema: Schema) -> Shape:
    """The shape of an answer. schema: what is promised, which tells fields from keys."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for path, kind in _walk("", answer, [schema], schema.get("$defs", {})):
        seen[path].add(kind)
    return dict(seen)


def differences(one: Shape, other: Shape) -> list[str]:
    """Where two shapes can't be of one kind: a field that only one has, or types that differ."""
    found = [f"{p}: {sorted(one[p])} and {sorted(other[p])}" for p in one if p in other and _unlike(one[p], other[p])]
    for left, right in ((one, other), (other, one)):
        found += [f"{p}: only in one" for p in left if p not in right and right.get(_above(p), HOLLOW) - HOLLOW]
    return sorted(found)


def _unlike(one: set[str], other: set[str]) -> bool:
    left, right = one - HOLLOW, other - HOLLOW
    return bool(left and right and not left & right)


def _above(path: str) -> str:
    return path.rpartition("/")[0]


def _walk(path: str, value: Any, schemas: list[Schema], defs: Schema) -> Iterator[tuple[str, str]]:
    schemas = [s for schema in schemas for s in _plain(schema, defs)]
    if isinstance(value, dict):
        yield path, "object" if value else "empty"
        for key, below in value.items():
            fields = [s["properties"][key] for s in schemas if key in s.get("properties", {})]
            # A key that no struct promises is one of a mapping, and says nothing of the answer's shape.
            yield from _walk(f"{path}/{key if fields else '*'}", below, fields or [_OPEN], defs)
    elif isinstance(value, list):
        yield path, "array" if value else "empty"
        items = [s["items"] for s in schemas if isinstance(s.get("items"), dict)]
        for below in value:
            yield from _walk(f"{path}/[]", below, items, defs)
    else:
        yield path, _kind(value)


def _plain(schema: Schema, defs: Schema) -> Iterator[Schema]:
    """Its variants, references followed."""
    if "$ref" in schema:
        yield from _plain(defs[schema["$ref"].rpartition("/")[2]], defs)
    elif "anyOf" in schema:
        for variant in schema["anyOf"]:
            yield from _plain(variant, defs)
    else:
        yield schema


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "string"
