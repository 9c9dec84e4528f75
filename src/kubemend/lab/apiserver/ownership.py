"""Who set which field (`metadata.managedFields`), and server-side apply, which rests on it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from kubemend.lab.api import Object
from kubemend.lab.apiserver.fieldset import Fields, Path, compared, cut, fields, merged, said, tree
from kubemend.lab.apiserver.schema import decode
from kubemend.lab.apiserver.status import ApiError, Cause
from kubemend.lab.kinds import Kind

_IDENTITY: Final = frozenset(
    {
        *("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"),
        *("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"),
    }
)
BEFORE: Final = "before-first-apply"
"""The manager of all that an object held when it was first applied to and nobody had been noted."""
_LABELS: Final = ("f:metadata", "f:labels")


@dataclass(frozen=True)
class Author:
    """Who writes, when, and through which subresource. manager: the field manager. now: empty where none is noted."""

    manager: str
    now: str
    subresource: str = ""


@dataclass(frozen=True)
class _Holder:
    """One entry of `managedFields`, without its fields."""

    manager: str
    operation: str
    subresource: str
    api_version: str
    time: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from others; of the same version here, as each kind has only one."""
        return self.manager, self.operation, self.subresource


Held = dict[_Holder, Fields]


def noted(kind: Kind, old: Object | None, new: Object, author: Author) -> Object:
    """`new` with the fields in which it differs from `old` noted as set by the author (operation Update).

    Of an object of which nothing is noted nothing is noted later either, until someone applies.
    """
    if old is not None and not old["metadata"].get("managedFields"):
        return _with(new, {})
    found = compared(kind, _bare(old or _empty(kind)), _bare(new))
    changed, removed = _told(kind, found.changed, author), frozenset(found.removed)
    if author.subresource == "scale" and not new["spec"].get("replicas"):
        changed, removed = frozenset(), changed | removed  # a Scale doesn't write a zero, and so nobody set it
    held = _held(old or new)
    mine = next((h for h in held if h.identity == (author.manager, "Update", author.subresource)), None)
    left = {h: f - removed if h is mine else f - changed - removed for h, f in held.items()}
    if changed:
        before = left.pop(mine) if mine is not None else frozenset()
        left[_Holder(author.manager, "Update", author.subresource, kind.api_version, author.now)] = before | changed
    return _with(new, left)


def applied(kind: Kind, old: Object, config: Object, author: Author, *, force: bool) -> Object:
    """Server-side apply of `config` on `old`. Raises `ApiError` (409) on fields of others, unless forced."""
    wanted = _told(kind, said(kind, _bare(config)), author)
    if old["metadata"].get("uid") and not old["metadata"].get("managedFields"):
        old = noted(kind, None, old, Author(BEFORE, author.now))
    held = _held(old)
    mine = next((h for h in held if h.identity == (author.manager, "Apply", author.subresource)), None)
    before = held.pop(mine) if mine is not None else frozenset()
    result = merged(kind, old, config)
    kept = frozenset[Path]().union(wanted, *held.values())
    result = cut(kind, result, frozenset(p for p in before - kept if not _around(p, kept)))
    found = compared(kind, _bare(old), _bare(result))
    changed, removed = frozenset(found.changed), frozenset(found.removed)
    disputed = {h: f & changed for h, f in held.items()}
    if any(disputed.values()) and not force:
        raise _conflict([(h, path) for h, paths in disputed.items() for path in sorted(paths)])
    left = {h: f - changed - removed for h, f in held.items()}
    now = author.now if changed or removed else mine.time if mine is not None else ""
    left[_Holder(author.manager, "Apply", author.subresource, kind.api_version, now)] = wanted
    return _with(result, left)


def _around(path: Path, kept: Fields) -> bool:
    """Whether something in this place is held still."""
    return any(p[: len(path)] == path for p in kept)


def _bare(obj: Object) -> Object:
    """An object without what says which one it is."""
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in _IDENTITY}
    rest = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")}
    return {"metadata": meta, **rest}


@cache
def _empty(kind: Kind) -> Object:
    """What a new object is compared with: the zero value of its type."""
    return decode(kind, {})[0]


def _told(kind: Kind, changed: Iterable[Path], author: Author) -> Fields:
    """Of the changed fields those that count: a status only through its subresource, and the rest only beside it."""
    status = author.subresource == "status"
    return frozenset(
        p
        for p in changed
        if p != ("f:metadata",)
        and (p[0] == "f:status" if status and p[0] != "f:metadata" else p[0] != "f:status")
        and not (status and kind.kind == "Deployment" and p[:2] == _LABELS)
    )


def _held(obj: Object) -> Held:
    entries = obj["metadata"].get("managedFields") or ()
    return {
        _Holder(
            *(e.get("manager", ""), e.get("operation", ""), e.get("subresource", "")),
            *(e.get("apiVersion", ""), e.get("time", "")),
        ): fields(e["fieldsV1"])
        for e in entries
    }


def _with(obj: Object, held: Held) -> Object:
    """The object with the entries, in the API server's order; who holds nothing has none."""
    order = sorted(held, key=lambda h: (h.operation, h.time, h.manager, h.api_version, h.subresource))
    entries = [_entry(h, held[h]) for h in order if held[h]]
    meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    return {**obj, "metadata": {**meta, "managedFields": entries} if entries else meta}


def _entry(holder: _Holder, held: Fields) -> Object:
    entry = {"manager": holder.manager, "operation": holder.operation, "apiVersion": holder.api_version}
    timed = {**entry, "time": holder.time} if holder.time else entry
    told = {**timed, "fieldsType": "FieldsV1", "fieldsV1": tree(held)}
    return {**told, "subresource": holder.subresource} if holder.subresource else told


def timeless(entries: Iterable[Object]) -> list[Object]:
    """Entries without when: a write that changes nothing else is none."""
    return sorted(({k: v for k, v in e.items() if k != "time"} for e in entries), key=json.dumps)


def _conflict(found: list[tuple[_Holder, Path]]) -> ApiError:
    causes = [Cause("FieldManagerConflict", f"conflict with {_who(h)}", _path(path)) for h, path in found]
    first = causes[0]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {first.message}: {first.field}"
    else:
        message = f"Apply failed with {len(causes)} conflicts: {_listed(causes)}"
    return ApiError("Conflict", message, details={"causes": [c.wire() for c in causes]})


def _listed(causes: list[Cause]) -> str:
    """The conflicts by whom they are with."""
    by: dict[str, list[str]] = {}
    for cause in causes:
        by.setdefault(cause.message, []).append(cause.field)
    told = (f"{m}: {f[0]}" if len(f) == 1 else "\n".join([f"{m}:", *(f"- {x}" for x in f)]) for m, f in by.items())
    return "\n".join(told)


def _who(holder: _Holder) -> str:
    told = f'"{holder.manager}"'
    if holder.subresource:
        told += f' with subresource "{holder.subresource}"'
    return f"{told} using {holder.api_version}" if holder.operation == "Update" else told


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
