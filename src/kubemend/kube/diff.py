"""What differs between two versions of an object, for people (`unified`) and for programs (`changed`)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import yaml

from kubemend.kube.fields import SERVER_METADATA, same
from kubemend.kube.redaction import redacted
from kubemend.model.pointer import pointer

_FIRST = ("apiVersion", "kind", "metadata")
_CONTEXT = 3
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Where `kubectl apply` keeps a copy of the whole object, a Secret's values among it."""

Steps = tuple[str | int, ...]


def without_server_fields(obj: dict[str, Any]) -> dict[str, Any]:
    """The object without `status` and what the server sets in `metadata`: what its author wrote, and defaults."""
    own = {k: v for k, v in obj.items() if k != "status"}
    if isinstance(own.get("metadata"), dict):
        own["metadata"] = {k: v for k, v in own["metadata"].items() if k not in SERVER_METADATA}
    return own


def unified(before: dict[str, Any] | None, after: dict[str, Any] | None, name: str) -> str:
    """A unified diff of the objects as YAML, server-set fields dropped; empty when nothing else differs.

    None stands for an object that isn't there. The values of a Secret are masked as `kubectl diff` does it:
    one can see that a value changed, never what it is. The rest is redacted before it is compared, for a line of a
    diff may be a secret only by the one before it.
    """
    was, is_ = (without_server_fields(o) if o is not None else {} for o in (before, after))
    old, new = _masked(was, is_, "before"), _masked(is_, was, "after")
    if old == new and was != is_:
        return f"# {name}: only values that are not shown differ\n"
    lines = difflib.unified_diff(
        _yaml(old),
        _yaml(new),
        fromfile="/dev/null" if before is None else f"{name} (before)",
        tofile="/dev/null" if after is None else f"{name} (after)",
        n=_CONTEXT,
    )
    return "".join(lines)


def _masked(obj: dict[str, Any], other: dict[str, Any], side: str) -> dict[str, Any]:
    clean: dict[str, Any] = redacted(obj)
    if obj.get("kind") != "Secret":
        return clean
    fields: dict[str, Any] = {
        f: _hidden(obj[f], other.get(f), side) for f in ("data", "stringData") if isinstance(obj.get(f), dict)
    }
    metadata = obj.get("metadata")
    notes = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(metadata, dict) and isinstance(notes, dict) and _APPLIED in notes:
        notes = {**clean["metadata"]["annotations"], _APPLIED: "***"}
        fields["metadata"] = {**clean["metadata"], "annotations": notes}
    return {**clean, **fields}


def _hidden(values: dict[str, Any], others: Any, side: str) -> dict[str, str]:
    there = others if isinstance(others, dict) else {}
    return {k: f"*** ({side})" if k in there and there[k] != v else "***" for k, v in values.items()}


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, so that a change in one shows as a change of that line; and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _yaml(obj: dict[str, Any]) -> list[str]:
    """Keys in kubectl's alphabetical order, but for the three that say what the object is."""
    if not obj:
        return []
    keys = [k for k in _FIRST if k in obj] + sorted(k for k in obj if k not in _FIRST)
    ordered = {k: _sorted(obj[k]) for k in keys}
    text: str = yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, width=float("inf"), allow_unicode=True)
    # After a text that ends in empty lines the emitter closes the document, which tells a reader nothing.
    return (text[:-4] if text.endswith("\n...\n") else text).splitlines(keepends=True)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _sorted(value[k]) for k in sorted(value)}
    return [_sorted(v) for v in value] if isinstance(value, list) else value


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """(JSON Pointer, old, new) of every leaf that differs, server-set fields dropped; None for one that isn't there.

    Lists are compared by index. The values are as they stand in the object, a Secret's too.
    """
    return list(_changed(without_server_fields(before), without_server_fields(after), ()))


def _changed(old: Any, new: Any, at: Steps) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({**old, **new}):
            yield from _changed(old.get(key), new.get(key), (*at, key))
    elif isinstance(old, list) and isinstance(new, list):
        for i, (was, now) in enumerate(zip_longest(old, new)):
            yield from _changed(was, now, (*at, i))
    elif not same(old, new):
        yield pointer(*at), old, new
