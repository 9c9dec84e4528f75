"""Part of a long list: in a fixed order, with the total, and a token to go on from that survives changes between."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from kubemend.model.answer import Cut
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import Obj

Row = TypeVar("Row")
Item = TypeVar("Item", bound=Obj)


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
    """The rows of the first `limit` objects behind the token `after`, of objects ordered by namespace and name."""
    start = _decode(after) if after else ("", "")
    left = [o for o in found if (o.namespace, o.name) > start]
    shown = left[:limit]
    return Page(tuple(map(row, shown)), tuple(map(_token, shown)), len(found), len(left) > limit)


def _token(obj: Obj) -> str:
    return base64.urlsafe_b64encode(f"{obj.namespace}/{obj.name}".encode()).decode().rstrip("=")


def _decode(token: str) -> tuple[str, str]:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidInput("this is no continue token of ours", code="invalid-arguments", where="continue") from error
    namespace, _, name = text.partition("/")
    return namespace, name
