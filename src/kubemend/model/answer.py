"""The one shape in which a tool answers, whichever door it was asked through."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

SIZE = 32 << 10
"""Bytes of JSON that an answer's data may have: what a model reads without losing the rest of its conversation."""


class Gap(Struct, frozen=True, order=True):
    """A part of the answer that is missing or was cut, and why. What has a gap must not be called empty."""

    what: str
    why: str


class Cut(Struct, frozen=True):
    """How much of a list is shown. `continue` asks for what comes next; empty when there is nothing more."""

    shown: int
    total: int
    continue_: str = field(name="continue", default="")


class Failure(Struct, frozen=True):
    """Why there is no answer. retryable: the same call may work a little later. object: what it was about."""

    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    object: str = ""


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a tool answers. `data` when `ok`, else `error`."""

    tool: str
    ok: bool
    data: Any = None
    incomplete: tuple[Gap, ...] = ()
    truncated: Cut | None = None
    error: Failure | None = None
    took_ms: int = 0
