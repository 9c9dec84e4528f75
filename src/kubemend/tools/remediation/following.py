"""Following one object by a watch: what it is now, and then each time it changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from kubemend.cluster.errors import Gone
from kubemend.cluster.reader import Reader
from kubemend.model.objects import Obj

T = TypeVar("T", bound=Obj)


async def states(reader: Reader, kind: type[T], namespace: str, name: str) -> AsyncGenerator[T | None]:
    """The object as it is, then after every change, on and on; None while there is none of that name.

    When the watch is too far behind, the object is listed anew.
    """
    wanted = f"metadata.name={name}"
    while True:
        listed = await reader.list(kind, namespace, fields=wanted)
        yield listed.items[0] if listed.items else None
        version = listed.resource_version
        async with aclosing(reader.watch(kind, namespace, resource_version=version, fields=wanted)) as changes:
            try:
                async for change in changes:
                    if change.obj is not None:
                        yield None if change.type == "DELETED" else change.obj
            except Gone:
                continue
