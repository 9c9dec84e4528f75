"""Who set which field (`metadata.managedFields`), and server-side apply, which rests on it.

A set of fields is held as the API writes it (FieldsV1): `f:name` for a field, `k:{"name":"web"}` for the element of
a keyed list, `v:"x"` for the element of a set. Keyed lists and their keys are those of strategic merge.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kubemend.kube.patch import strategic
from kubemend.kube.patch.schema import SCHEMAS, List, Replaced, Schema
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import ApiError, Cause
from kubemend.lab.kinds import Kind

Tree = dict[str, Any]

_IDENTITY: Final = frozenset(
    {
        *("name", "namespace", "generateName", "uid", "resourceVersion", "generation", "creationTimestamp"),
        *("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"),
    }
)
_ATOMIC: Final = frozenset({"selector", "nodeSelector", "labelSelector", "podSelector", "namespaceSelector", "roleRef"})
"""Maps that one owner holds as a whole (`+structType=atomic`, `+mapType=atomic`)."""


def fields(kind: Kind, obj: Object, *, old: Object | None = None, part: str = "") -> Tree:
    """The fields that an object sets; with `old`, only those in which it differs from that. Of its status only
    the subresource `part` "status" sets any."""
    other = ("apiVersion", "kind", "metadata", *(() if part == "status" else ("status",)))
    told = {k: v for k, v in obj.items() if k not in other}
    meta = {k: v for k, v in obj["metadata"].items() if k not in _IDENTITY}
    before = old if old is not None else {"metadata": {}}
    tree = _map(told, before, SCHEMAS.get(kind.storage, {}))
    schema = SCHEMAS.get(kind.storage, {}).get("metadata", {})
    inner = _map(meta, before["metadata"], schema if isinstance(schema, Mapping) else {})
    return {**({"f:metadata": inner} if inner else {}), **tree}


def _map(new: Object, old: Any, schema: Schema) -> Tree:
    tree: Tree = {}
    for key, value in new.items():
        before = old.get(key) if isinstance(old, dict) else None
        if value is not None and value != before:
            tree[f"f:{key}"] = _value(value, before, None if key in _ATOMIC else schema.get(key, {}))
    return tree


def _value(value: Any, old: Any, how: List | Replaced | Schema | None) -> Tree:
    if isinstance(value, dict) and isinstance(how, Mapping):
        return _map(value, old, how)
    if isinstance(value, list) and isinstance(how, List):
        before = old if isinstance(old, list) else []
        if not how.key:
            return {f"v:{json.dumps(v)}": {} for v in value if v not in before}
        return dict(_elements(value, before, how))
    return {}


def _elements(items: list[Any], old: list[Any], how: List) -> Iterator[tuple[str, Tree]]:
    for item in items:
        before = next((o for o in old if o.get(how.key) == item.get(how.key)), None)
        if item != before:
            step = "k:" + json.dumps({how.key: item.get(how.key)}, separators=(",", ":"))
            yield step, {**({} if before is not None else {".": {}}), **_map(item, before, how.of)}


def joined(a: Tree, b: Tree) -> Tree:
    """The fields in either set."""
    return {k: joined(a.get(k, {}), b.get(k, {})) for k in (*a, *(k for k in b if k not in a))}


def without(a: Tree, b: Tree) -> Tree:
    """The fields of `a` that aren't in `b`; what held only such fields goes with them."""
    kept = {}
    for key, inner in a.items():
        if key not in b:
            kept[key] = inner
        elif inner and (left := without(inner, b[key])) and left.keys() != {"."}:
            kept[key] = left
    return kept


def shared(a: Tree, b: Tree, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The steps to each field that is in both sets."""
    for key, inner in a.items():
        if key in b and key != ".":
            if not inner or not b[key]:
                yield (*at, key)
            else:
                yield from shared(inner, b[key], (*at, key))


@dataclass(frozen=True)
class Author:
    """Who writes, when, and through which subresource. manager: the field manager."""

    manager: str
    now: str
    subresource: str = ""


def noted(kind: Kind, old: Object | None, new: Object, author: Author) -> Object:
    """`new` with the fields in which it differs from `old` noted as set by the author (operation Update)."""
    entries = [dict(e) for e in (old or new)["metadata"].get("managedFields") or ()]
    touched = fields(kind, new, old=old, part=author.subresource)
    gone = fields(kind, old, old=new, part=author.subresource) if old is not None else {}
    lost = joined(touched, gone)
    kept = []
    mine: Tree = {}
    for entry in entries:
        if _is(entry, author.manager, "Update", author.subresource):
            mine = without(entry["fieldsV1"], gone)
            continue
        if left := without(entry["fieldsV1"], lost):
            kept.append({**entry, "fieldsV1": left})
    mine = joined(mine, touched)
    if mine:
        kept.append(_entry(kind, author, "Update", mine))
    return _with(new, kept)


def applied(kind: Kind, old: Object, config: Object, author: Author, *, force: bool) -> Object:
    """Server-side apply of `config` on `old`. Raises `ApiError` (409) on fields of others, unless forced."""
    wanted = fields(kind, config)
    entries = old["metadata"].get("managedFields") or []
    mine: Tree = next((e["fieldsV1"] for e in entries if _is(e, author.manager, "Apply", "")), {})
    others = [e for e in entries if not _is(e, author.manager, "Apply", "")]
    merged = strategic(old, config, kind=kind.storage)
    differing = fields(kind, merged, old=old)
    disputed = {i: list(shared(e["fieldsV1"], _both(wanted, differing))) for i, e in enumerate(others)}
    if any(disputed.values()) and not force:
        raise _conflict([(others[i], path) for i, paths in disputed.items() for path in paths])
    kept = [{**e, "fieldsV1": left} for e in others if (left := without(e["fieldsV1"], _both(wanted, differing)))]
    held: Tree = wanted
    for entry in kept:
        held = joined(held, entry["fieldsV1"])
    result = _cut(merged, without(mine, held))
    return _with(result, [*kept, _entry(kind, author, "Apply", wanted)])


def _both(a: Tree, b: Tree) -> Tree:
    """The fields in both sets."""
    return {k: _both(a[k], b[k]) if a[k] and b[k] else {} for k in a if k in b}


def _cut(value: Any, tree: Tree) -> Any:
    """A value without these fields."""
    if isinstance(value, dict):
        kept = {}
        for key, inner in value.items():
            spot = tree.get(f"f:{key}")
            if spot is None:
                kept[key] = inner
            elif spot and (left := _cut(inner, spot)) not in ({}, []):
                kept[key] = left
        return kept
    if isinstance(value, list):
        return [left for item in value if (left := _cut_item(item, tree)) is not None]
    return value


def _cut_item(item: Any, tree: Tree) -> Any:
    for step, inner in tree.items():
        if step == f"v:{json.dumps(item)}":
            return None
        if step.startswith("k:") and isinstance(item, dict):
            key = json.loads(step[2:])
            if all(item.get(k) == v for k, v in key.items()):
                return None if "." in inner else _cut(item, inner)
    return item


def _is(entry: Object, manager: str, operation: str, subresource: str) -> bool:
    found = entry.get("manager"), entry.get("operation"), entry.get("subresource", "")
    return found == (manager, operation, subresource)


def _entry(kind: Kind, author: Author, operation: str, tree: Tree) -> Object:
    entry = {"manager": author.manager, "operation": operation, "apiVersion": kind.api_version, "time": author.now}
    told = {**entry, "fieldsType": "FieldsV1", "fieldsV1": tree}
    return {**told, "subresource": author.subresource} if author.subresource else told


def _with(obj: Object, entries: list[Object]) -> Object:
    meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    return {**obj, "metadata": {**meta, "managedFields": entries} if entries else meta}


def _conflict(found: list[tuple[Object, tuple[str, ...]]]) -> ApiError:
    causes = [Cause("FieldManagerConflict", f"conflict with {_who(e)}", _path(path)) for e, path in found]
    first = causes[0]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {first.message}: {first.field}"
    else:
        each = "\n".join(f"{c.message}: {c.field}" for c in causes)
        message = f"Apply failed with {len(causes)} conflicts: {each}"
    return ApiError("Conflict", message, details={"causes": [c.wire() for c in causes]})


def _who(entry: Object) -> str:
    told = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        told += f' with subresource "{entry["subresource"]}"'
    return f"{told} using {entry['apiVersion']}" if entry["operation"] == "Update" else told


def _path(steps: tuple[str, ...]) -> str:
    told = ""
    for step in steps:
        mark, _, rest = step.partition(":")
        if mark == "f":
            told += f".{rest}"
        elif mark == "k":
            told += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(rest).items()) + "]"
        else:
            told += f"[={rest}]"
    return told
