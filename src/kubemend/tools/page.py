"""Part of a long list: in a fixed order, with the total, and a token to go on from that survives changes between."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from kubemend.model.answer import Cut
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Obj

Row = TypeVar("Row")
Item = TypeVar("Item", bound=Obj)
Key = tuple[str | float, ...]
"""What a list is ordered by, and what a token holds."""


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows of a list, the token behind each, and how many there are in all. `data` is the rows alone."""

    rows: tuple[Row, ...]
    tokens: tuple[str, ...]
    total: int
    more: bool

    def cut(self, shown: int) -> Cut | None:
        """What `truncated` says when the first `shown` rows are shown; None when that is all there is."""
        if shown == len(self.rows) and not self.more:
            return None if shown == self.total else Cut(shown, self.total)
        return Cut(shown, self.total, self.tokens[shown - 1])


def page(found: Sequence[Item], row: Callable[[Item], Row], *, limit: int, after: str) -> Page[Row]:
    """The first `limit` objects behind the token `after`, of objects ordered by namespace and name."""
    return paged(found, row, key=lambda o: (o.namespace, o.name), limit=limit, after=after)


def newest(
    found: Sequence[Item], row: Callable[[Item], Row], *, when: Callable[[Item], datetime], limit: int, after: str
) -> Page[Row]:
    """The same, ordered by time, the newest first."""

    def key(obj: Item) -> Key:
        return (-when(obj).timestamp(), obj.namespace, obj.name)

    return paged(sorted(found, key=key), row, key=key, limit=limit, after=after)


def paged(
    found: Sequence[Any], row: Callable[[Any], Row], *, key: Callable[[Any], Key], limit: int, after: str
) -> Page[Row]:
    """The same for anything that is ordered by `key`, which must tell any two apart."""
    start = _decode(after) if after else None
    left = [o for o in found if start is None or key(o) > start]
    shown = left[:limit]
    return Page(tuple(map(row, shown)), tuple(_encode(key(o)) for o in shown), len(found), len(left) > limit)


def _encode(key: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _decode(token: str) -> Key:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=Key)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise InvalidInput("this is no continue token of ours", code="invalid-arguments", where="continue") from error
