"""Answers have a size. What doesn't fit is cut from the longest lists and texts, and each cut is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest
from operator import itemgetter
from typing import Any

import msgspec

LEAST = 3
"""Items that every list keeps: an example is worth more than a number."""
FIELDS = 32
"""A dict with more keys than these is no object with its fields: it has an entry for each of many, as a list has."""
TEXT = 512
"""Characters that a text keeps when even short lists are too much."""

Many = list[Any] | dict[str, Any]
Place = tuple[str | int, ...]
Cuts = Mapping[Place, tuple[int, int]]
"""How many items a list keeps of how many, by the list's place."""


def bounded(data: Any, size: int, before: Cuts | None = None) -> tuple[Any, list[tuple[str, str]]]:
    """The data in at most `size` bytes of JSON, and (where, what is missing) for each cut.

    Lists, and dicts with an entry for each of many, lose their tail, the heaviest first: tools put first what counts.
    Then long texts lose their end.
    before: what `shortened` has cut of the data already, to be told with it.
    """
    data, cuts = shortened(data, size, before)
    told = [(_pointer(p), f"{shown} of {total} shown") for p, (shown, total) in sorted(cuts.items(), key=str)]
    return (data, told) if weight(data) <= size else _short_texts(data, size, told)


def shortened(data: Any, size: int, before: Cuts | None = None) -> tuple[Any, Cuts]:
    """The data with shorter lists, in at most `size` bytes if that is enough, and what was cut, `before` included."""
    cuts = dict(before or {})
    if weight(data) <= size:
        return data, cuts
    data = _copied(data, size, cuts)
    while (over := weight(data) - size) > 0:
        heaviest = nlargest(2, ((weight(held), place, held) for place, held in _many(data)), key=itemgetter(0))
        if not heaviest:
            break
        most, place, held = heaviest[0]
        # Not all at once: two long lists are to be cut to about the same, not one to nothing.
        apart = most - heaviest[1][0] if len(heaviest) > 1 else most
        shown = _shorter(held, min(over, max(apart, most // 2)))
        _note(cuts, place, shown, len(held))
        _cut(held, shown)
    return data, cuts


def _note(cuts: dict[Place, tuple[int, int]], place: Place, shown: int, of: int) -> None:
    """A list that is cut again is told with the items that it had at first."""
    cuts[place] = (shown, cuts.get(place, (0, of))[1])


def _copied(data: Any, size: int, cuts: dict[Place, tuple[int, int]], *place: str | int) -> Any:
    """The same data in lists and dicts of their own: of each only as much as could be shown if all else were cut."""
    if isinstance(data, (list, tuple)):
        fitting = _fitting(data, size)
        if fitting < len(data):
            _note(cuts, place, fitting, len(data))
        return [_copied(v, size, cuts, *place, i) for i, v in enumerate(data[:fitting])]
    if not isinstance(data, dict):
        return data
    keys = list(data)
    if len(keys) > FIELDS and (fitting := _fitting(list(data.items()), size)) < len(keys):
        _note(cuts, place, fitting, len(keys))
        keys = keys[:fitting]
    return {k: _copied(data[k], size, cuts, *place, str(k)) for k in keys}


def _fitting(items: Sequence[Any], size: int) -> int:
    """How many of the items have room in so many bytes."""
    for index, item in enumerate(items):
        size -= weight(item) + 1
        if size < 0 and index >= LEAST:
            return index
    return len(items)


def weight(data: Any) -> int:
    """Bytes of the data as JSON."""
    return len(msgspec.json.encode(data))


def _many(data: Any, *place: str | int) -> Iterator[tuple[Place, Many]]:
    """Every list and dict that can still be cut."""
    if isinstance(data, list):
        if len(data) > LEAST:
            yield place, data
        for index, value in enumerate(data):
            yield from _many(value, *place, index)
    elif isinstance(data, dict):
        if len(data) > FIELDS:
            yield place, data
        for key, value in data.items():
            yield from _many(value, *place, str(key))


def _shorter(held: Many, over: int) -> int:
    """How many items to keep so that `over` bytes go, if there are as many to give."""
    items = held if isinstance(held, list) else list(held.items())
    left = len(items)
    while left > LEAST and over > 0:
        left -= 1
        over -= weight(items[left]) + 1
    return left


def _cut(held: Many, shown: int) -> None:
    if isinstance(held, list):
        del held[shown:]
    else:
        for key in list(held)[shown:]:
            del held[key]


def _short_texts(data: Any, size: int, told: list[tuple[str, str]]) -> tuple[Any, list[tuple[str, str]]]:
    limit = size // 2
    while weight(data) > size and limit >= TEXT:
        data, cut = _clipped(data, limit), limit
        limit //= 2
        told = [t for t in told if t[0]] + [("", f"texts longer than {cut} characters are cut")]
    return data, told


def _clipped(data: Any, limit: int) -> Any:
    if isinstance(data, str):
        return data if len(data) <= limit else data[:limit] + "…"
    if isinstance(data, list):
        return [_clipped(v, limit) for v in data]
    if isinstance(data, dict):
        return {k: _clipped(v, limit) for k, v in data.items()}
    return data


def _pointer(place: Place) -> str:
    return "".join(f"/{p}" for p in place)
