"""Text that came from a cluster, made fit for a terminal, and how objects and times are spelled for people."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Any

import msgspec

from kubemend.model.ref import Ref

LONG = 80
"""Characters of a quoted value that are shown."""


def plain(text: str) -> str:
    """The text without what could steer a terminal (escape sequences, control and direction characters)."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf") else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def line(text: str) -> str:
    """The text on one line, fit for a terminal."""
    return " ".join(plain(text).split())


def named(ref: Ref) -> str:
    """As kubectl takes it: "deployment/web"."""
    return f"{ref.kind.lower()}/{ref.name}"


def fix_command(ref: Ref) -> str:
    """The command that would repair an object."""
    return f"kubemend fix {named(ref)}" + (f" -n {ref.namespace}" if ref.namespace else "")


def quoted(value: Any) -> str:
    """A cited value, short and on one line."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = line(text)
    return text if len(text) <= LONG else text[: LONG - 1] + "…"


def ago(then: datetime, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that says enough: "4s", "12m", "5h", "3d"."""
    seconds = max(0, int(((now or datetime.now(UTC)) - then).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def many(count: int, noun: str, plural: str | None = None) -> str:
    """ "1 finding", "3 findings"."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
