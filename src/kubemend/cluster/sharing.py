"""Equal parts of objects held once: a cluster's pods differ in little, so this halves a watch cache and more.

Objects are changed in place, and only while nobody else has seen them: right after they are decoded. What is put in a
part's place is equal to it, so nothing can be told from outside but the memory.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from kubemend.model.objects import Obj
from kubemend.model.objects.config import encode_withheld

_ENCODED = msgspec.msgpack.Encoder(enc_hook=encode_withheld).encode


class Pool:
    """The parts met so far. To be let go when a list is complete: it holds more than it saves from then on."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        # By class and field: parts of different classes may look the same when encoded.
        self._parts: dict[tuple[type[Struct], str], dict[bytes, Any]] = defaultdict(dict)

    def share(self, objects: Iterable[Obj]) -> None:
        """Have these objects share their parts with each other, and with all that were given before."""
        for obj in objects:
            for name in _fields(type(obj)):
                # metadata, spec and status are each object's own, so only what is in them is worth comparing.
                if isinstance(part := getattr(obj, name), Struct):
                    self._share(part)
                else:
                    self._one(obj, name, part)

    def _share(self, holder: Struct) -> None:
        for name in _fields(type(holder)):
            part = getattr(holder, name)
            if part is not None and part is not True and part is not False:
                self._one(holder, name, part)

    def _one(self, holder: Struct, name: str, part: Any) -> None:
        if isinstance(part, str):
            known: Any = self._texts.setdefault(part, part)
        elif part and isinstance(part, (tuple, dict, Struct)):
            parts, text = self._parts[type(holder), name], _ENCODED(part)
            known = parts.get(text)
            if known is None:
                parts[text] = known = part
                self._inner(part)
        else:
            return
        if known is not part:
            force_setattr(holder, name, known)

    def _inner(self, part: Any) -> None:
        for inner in part if isinstance(part, tuple) else (part,):
            if isinstance(inner, Struct):
                self._share(inner)


def inherit(obj: Struct, before: Struct) -> None:
    """Have a new version of an object share what hasn't changed with the one before."""
    if type(obj) is not type(before):
        return
    for name in _fields(type(obj)):
        part, old = getattr(obj, name), getattr(before, name)
        if part is old:
            continue
        if part == old and type(part) is type(old):
            force_setattr(obj, name, old)
        elif isinstance(part, Struct) and isinstance(old, Struct):
            inherit(part, old)


@functools.cache
def _fields(kind: type[Struct]) -> tuple[str, ...]:
    return kind.__struct_fields__
