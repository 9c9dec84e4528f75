"""Strategic-merge patch: lists of built-in kinds merge by key, and `$` directives say what else to do.

The algorithm, its order of list elements included, is that of `k8s.io/apimachinery/pkg/util/strategicpatch` v0.34,
followed by what decoding into the kind's Go type then drops: nulls and directives that are left over.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from kubemend.kube.patch.errors import PatchError
from kubemend.kube.patch.schema import SCHEMAS, List, Replaced, Schema

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"

Object = dict[str, Any]
KeyOf = Callable[[Any], Hashable]


def strategic(target: Object, patch: Object, *, kind: str) -> Object:
    """What the API server makes of `target` by this patch, before it fills in defaults and validates.

    Raises `PatchError` for a kind that takes no strategic patches (custom resources get 415 from the API server)
    and for a malformed patch.
    """
    group = str(target.get("apiVersion", "")).rpartition("/")[0]
    if kind not in SCHEMAS or ("." in group and not group.endswith(".k8s.io")):
        hint = "use a JSON merge patch"
        raise PatchError(f"{kind} takes no strategic-merge patch", where=kind, hint=hint)
    return _map(target, patch, SCHEMAS[kind], kind)


def _map(original: Object, patch: Object, schema: Schema, at: str) -> Object:
    if _PATCH in patch:
        return _directed(patch, at)
    merged = _retained(original, patch, at) if _RETAIN in patch else dict(original)
    ordered = {key.removeprefix(_ORDER) for key in patch if key.startswith(_ORDER)}
    for field in sorted(ordered):
        _order(merged, patch, field, schema, f"{at}.{field}")
    for key, value in patch.items():
        if key.startswith(_DELETE):
            _drop(merged, key.removeprefix(_DELETE), value, at)
        elif not key.startswith("$") and key not in ordered:
            _field(merged, key, value, schema, f"{at}.{key}")
    return merged


def _directed(patch: Object, at: str) -> Object:
    match patch[_PATCH]:
        case "replace":
            return {k: _plain(v) for k, v in patch.items() if v is not None and not k.startswith("$")}
        case "delete":
            return {}
    raise PatchError(f"{patch[_PATCH]!r} is no $patch directive here", where=at)


def _retained(original: Object, patch: Object, at: str) -> Object:
    keys = patch[_RETAIN]
    if not isinstance(keys, list):
        raise PatchError(f"{_RETAIN} is no list", where=at)
    stray = [k for k, v in patch.items() if v is not None and not k.startswith("$") and k not in keys]
    if stray:
        raise PatchError(f"{_RETAIN} lacks {', '.join(stray)}, which the patch sets", where=at)
    return {k: v for k, v in original.items() if k in keys}


def _field(merged: Object, key: str, value: Any, schema: Schema, at: str) -> None:
    old, how = merged.get(key), schema.get(key)
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, dict) and isinstance(old, dict):
        if isinstance(how, Replaced):
            merged[key] = _plain(value)
        else:
            merged[key] = _map(old, value, {} if how is None or isinstance(how, List) else how, at)
    elif isinstance(value, list) and isinstance(old, list) and isinstance(how, List):
        merged[key], _ = _list(old, value, how, at)
    elif isinstance(value, list) and isinstance(old, list):
        merged[key] = _plain(value)
    else:
        _set(merged, key, value)


def _set(merged: Object, key: str, value: Any) -> None:
    """A value where there was none (or one of another type); a map under a `$patch` directive then sets nothing."""
    if isinstance(value, dict) and _PATCH in value:
        merged.pop(key, None)
    else:
        merged[key] = _undirected(value)


def _undirected(value: Any) -> Any:
    """A new value without nulls and directives, and without the parts that stand under a `$patch`."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not (k.startswith("$") or v is None or _is_directed(v))}
        return {k: _undirected(v) for k, v in kept.items()}
    if isinstance(value, list):
        return [_undirected(v) for v in value if not _is_directed(v)]
    return value


def _is_directed(value: Any) -> bool:
    return isinstance(value, dict) and _PATCH in value


def _plain(value: Any) -> Any:
    """A value taken as it is; decoding drops nulls and unknown fields, the directives among them."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if v is not None and not k.startswith("$")}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _list(old: list[Any], patch: list[Any], how: List, at: str) -> tuple[list[Any], list[Any]]:
    """The merged list, and the old one as an element order may refer to it afterwards.

    Upstream deletes and appends in the old list's own memory, so where an element went, a new one counts as old.
    """
    if not old and not patch:
        return old, old
    if not _of_maps([*old, *patch], at):
        return _arranged(list(dict.fromkeys([*old, *patch])), patch, old, _itself), old
    if not how.key:
        raise PatchError("a list of plain values can't hold maps", where=at)
    key_of = _keyed(how.key, at)
    kept, plain, replaced = _special(old, patch, how.key, at)
    if replaced:
        return _arranged([_plain(v) for v in plain], [], plain, key_of), old
    merged = list(kept)
    for item in plain:
        index = next((i for i, v in enumerate(merged) if v.get(how.key) == key_of(item)), None)
        if index is None:
            merged.append(_plain(item))
        else:
            merged[index] = _map(merged[index], item, how.of, f"{at}[{key_of(item)}]")
    return _arranged(merged, plain, kept, key_of), merged[: len(old)]


def _of_maps(items: list[Any], at: str) -> bool:
    """Whether the elements are maps; they must be of one type, and no lists."""
    types = {type(v) for v in items}
    if len(types) > 1 or list in types:
        raise PatchError("the elements of a merged list must be of one type, and no lists", where=at)
    return dict in types


def _special(old: list[Any], patch: list[Any], key: str, at: str) -> tuple[list[Any], list[Any], bool]:
    """The old elements without deleted ones, the patch's elements without directives, and whether to replace."""
    plain = [v for v in patch if _PATCH not in v]
    directives = [v for v in patch if _PATCH in v]
    gone = []
    for item in directives:
        if item[_PATCH] == "delete":
            gone.append(_keyed(key, at)(item))
        elif item[_PATCH] != "replace":
            raise PatchError(f"{item[_PATCH]!r} is no $patch directive in a list", where=at)
    replaced = any(v[_PATCH] == "replace" for v in directives)
    return [v for v in old if v.get(key) not in gone], plain, replaced


def _keyed(key: str, at: str) -> KeyOf:
    def key_of(item: Any) -> Hashable:
        found = item.get(key) if isinstance(item, dict) else None
        if not isinstance(found, Hashable) or found is None:
            raise PatchError(f"an element lacks its merge key {key!r}", where=at)
        return found

    return key_of


def _itself(item: Any) -> Hashable:
    if not isinstance(item, Hashable):
        raise PatchError("a list of plain values holds something else")
    return item


def _arranged(items: list[Any], order: list[Any], old: list[Any], key_of: KeyOf) -> list[Any]:
    """The elements in `order` take that order, the others that of `old`; new ones come before old ones.

    This is `normalizeElementOrder`: the two ordered halves are zipped, and an element of the old half only goes
    first when both heads are old and it stood before the other.
    """
    rank = _ranks(order, key_of)
    before = _ranks(old, key_of)
    listed = sorted((v for v in items if key_of(v) in rank), key=lambda v: rank[key_of(v)])
    rest = sorted((v for v in items if key_of(v) not in rank), key=lambda v: before.get(key_of(v), len(before)))
    arranged = []
    while rest and listed:
        left, right = key_of(rest[0]), key_of(listed[0])
        first = left in before and right in before and before[left] < before[right]
        arranged.append((rest if first else listed).pop(0))
    return [*arranged, *rest, *listed]


def _ranks(items: list[Any], key_of: KeyOf) -> dict[Hashable, int]:
    ranks: dict[Hashable, int] = {}
    for i, item in enumerate(items):
        ranks.setdefault(key_of(item), i)
    return ranks


def _order(merged: Object, patch: Object, field: str, schema: Schema, at: str) -> None:
    """Merge the list `field` and arrange it by its `$setElementOrder` directive."""
    order, how = patch[_ORDER + field], schema.get(field)
    lists = [side[field] for side in (merged, patch) if field in side]
    if not isinstance(how, List) or not all(isinstance(v, list) for v in (order, *lists)):
        raise PatchError(f"{_ORDER}{field} needs a list that merges", where=at)
    key_of = _keyed(how.key, at) if how.key else _itself
    _check_order(patch.get(field, []), order, key_of, at)
    if lists and not any(lists):
        raise PatchError(f"{_ORDER}{field} finds no elements", where=at)
    if len(lists) == 2:
        items, old = _list(lists[0], lists[1], how, at)
        merged[field] = _arranged(items, order, old, key_of)
    elif lists:
        merged[field] = _arranged(_undirected(lists[0]), order, lists[0], key_of)


def _check_order(new: list[Any], order: list[Any], key_of: KeyOf, at: str) -> None:
    """Every element that the patch sets must be in the order given, in the same sequence."""
    left = [v for v in new if not (_is_directed(v) and v[_PATCH] == "delete")]
    for place in order:
        while left and _is_directed(left[0]):
            left.pop(0)
        if left and key_of(left[0]) == key_of(place):
            left.pop(0)
    if order and left:
        raise PatchError(f"{_ORDER} doesn't hold the patch's elements in their order", where=at)


def _drop(merged: Object, field: str, gone: Any, at: str) -> None:
    """Take plain values out of a list."""
    old = merged.get(field)
    if not isinstance(gone, list):
        raise PatchError(f"{_DELETE}{field} is no list", where=at)
    if isinstance(old, list):
        merged[field] = [v for v in old if v not in gone]
