"""A tool's arguments as people type them: key=value, with lists, mappings and whole files in reach."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kubemend.model.errors import InvalidInput

Schema = Mapping[str, Any]


def spelled(words: Iterable[str], properties: Mapping[str, Schema]) -> dict[str, Any]:
    """The arguments of `key=value` words. A repeated key is a list, `key.inner=value` a mapping.

    properties: the schema of what the tool takes; it tells a list of one from a text. Texts stay texts: the tool's own
    types convert them. InvalidInput for a word without a key.
    """
    found: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InvalidInput(f"{word!r} is not key=value", code="usage", hint="for example namespace=shop limit=10")
        outer, dot, inner = key.partition(".")
        if dot and outer in properties and key not in properties:
            found[outer] = {**_mapping(found.get(outer, {}), word), inner: value}
        else:
            found[key] = _more(found.get(key), _value(value), _takes(properties.get(key, {}), "array"))
    return found


def whole(given: str) -> dict[str, Any]:
    """All arguments from one JSON object: the text itself, `@FILE`, or `-` for stdin. Nothing when it is empty."""
    if not given:
        return {}
    read = _json(_text(given))
    if not isinstance(read, dict):
        raise InvalidInput("the arguments are no JSON object", code="usage", hint='for example {"namespace": "shop"}')
    return read


def _text(given: str) -> str:
    if given == "-":
        return sys.stdin.read()
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("can't be read as text", code="path-unreadable", where=given[1:]) from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"the arguments are no JSON: {error}", code="usage") from error


def _more(before: Any, value: Any, listed: bool) -> Any:
    if before is None:
        return [value] if listed and not isinstance(value, list) else value
    return [*(before if isinstance(before, list) else [before]), *(value if isinstance(value, list) else [value])]


def _mapping(before: Any, word: str) -> dict[str, Any]:
    if not isinstance(before, dict):
        raise InvalidInput(f"{word!r} speaks of a mapping, a word before it of something else", code="usage")
    return before


def _takes(schema: Schema, kind: str) -> bool:
    """Whether a value of this JSON type fits, and a text doesn't."""
    shapes = [schema, *schema.get("anyOf", ())]
    kinds = {k for s in shapes for k in _kinds(s)}
    return kind in kinds and "string" not in kinds


def _kinds(schema: Schema) -> list[str]:
    given = schema.get("type", [])
    return given if isinstance(given, list) else [given]


def _value(text: str) -> Any:
    """A list or mapping when it is written as JSON, else the text."""
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
