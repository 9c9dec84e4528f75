"""What a field of a kind means, from the API server's own OpenAPI v3 document. Custom resources included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

Schema = dict[str, Any]


class Field(Struct, frozen=True):
    """One field. type: as `kubectl explain` writes it: "string", "[]Container", "map[string]string"."""

    name: str
    type: str
    required: bool
    description: str


class Explained(Struct, frozen=True):
    """A kind, or a field of it, and the fields below."""

    type: str
    description: str
    fields: tuple[Field, ...]


class UnknownField(LookupError):
    """There is no such field. `known`: the ones there are at that place."""

    def __init__(self, field: str, known: Sequence[str]) -> None:
        super().__init__(field)
        self.field, self.known = field, tuple(known)


def explain(document: Schema, *, group: str, version: str, kind: str, path: Sequence[str] = ()) -> Explained:
    """A kind or one of its fields ("spec", "containers"). LookupError: the document lacks the kind; UnknownField."""
    schemas = document["components"]["schemas"]
    schema = _of_kind(schemas, group, version, kind)
    description = schema.get("description", "")
    for step in path:
        fields = _resolved(_element(schema, schemas), schemas).get("properties", {})
        if step not in fields:
            raise UnknownField(step, sorted(fields))
        schema = fields[step]
        description = schema.get("description") or _resolved(schema, schemas).get("description", "")
    inner = _resolved(_element(schema, schemas), schemas)
    required = set(inner.get("required", ()))
    rows = (
        Field(name, type_of(s, schemas), name in required, s.get("description", ""))
        for name, s in sorted(inner.get("properties", {}).items())
    )
    return Explained(kind if not path else type_of(schema, schemas), description, tuple(rows))


def type_of(schema: Schema, schemas: Schema) -> str:
    """A schema's type in one word."""
    if (reference := _reference(schema)) is not None:
        inner = schemas.get(reference, {})
        plain = "properties" not in inner and inner.get("type") not in (None, "object")
        return type_of(inner, schemas) if plain else reference.rpartition(".")[2]
    if schema.get("type") == "array":
        return f"[]{type_of(schema.get('items', {}), schemas)}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map[string]{type_of(schema['additionalProperties'], schemas)}"
    return str(schema.get("format") if schema.get("format") == "int-or-string" else schema.get("type", "Object"))


def _of_kind(schemas: Schema, group: str, version: str, kind: str) -> Schema:
    wanted = {"group": group, "version": version, "kind": kind}
    for schema in schemas.values():
        if wanted in schema.get("x-kubernetes-group-version-kind", ()):
            found: Schema = schema
            return found
    raise LookupError(f"{kind} ({group}/{version}) is not described")


def _reference(schema: Schema) -> str | None:
    """The name a schema refers to: a bare $ref, or the one that `allOf` wraps to add a default."""
    for part in (schema, *_parts(schema)):
        if "$ref" in part:
            return str(part["$ref"]).rpartition("/")[2]
    return None


def _parts(schema: Schema) -> Iterator[Schema]:
    yield from schema.get("allOf", ())


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    reference = _reference(schema)
    return schema if reference is None else schemas.get(reference, {})


def _element(schema: Schema, schemas: Schema) -> Schema:
    """What a list or a map holds; else the schema itself."""
    schema = _resolved(schema, schemas)
    if schema.get("type") == "array":
        return _element(schema.get("items", {}), schemas)
    if isinstance(schema.get("additionalProperties"), dict):
        return _element(schema["additionalProperties"], schemas)
    return schema
