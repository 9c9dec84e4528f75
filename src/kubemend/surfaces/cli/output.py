"""Two ways out: data on stdout, everything said about it on stderr. Colours only where a person looks."""

from __future__ import annotations

import json
import shutil
import sys
from typing import IO, Any

import msgspec
import yaml
from rich.console import Console, RenderableType

PIPED = 4000
"""Columns when nobody looks: lines are not wrapped, so that they can be searched."""
LEAST, MOST = 60, 160


def show(*what: RenderableType) -> None:
    """Print data for people on stdout."""
    _print(sys.stdout, what)


def say(*what: RenderableType) -> None:
    """Tell something on stderr."""
    _print(sys.stderr, what)


def answer(form: str, data: Any, *table: RenderableType) -> None:
    """Print a command's data on stdout: `table` for people, or `data` as "json" or "yaml"."""
    if form == "table":
        show(*table)
    else:
        emit(data, form)


def emit(data: Any, form: str) -> None:
    """Print data for programs on stdout, as "json" or else as YAML."""
    plain = simple(data)
    write(json.dumps(plain, indent=2, ensure_ascii=False) + "\n" if form == "json" else as_yaml(plain))


def simple(data: Any) -> Any:
    """The data in nothing but mappings, lists, texts, numbers and truth values; times as RFC 3339."""
    return msgspec.to_builtins(data, str_keys=True)


def write(text: str) -> None:
    """Print finished text on stdout."""
    sys.stdout.write(text)
    sys.stdout.flush()


def as_yaml(*documents: Any, compact: bool = False) -> str:
    """YAML with the keys in the order given. compact: what holds only plain values stands on one line."""
    flow = None if compact else False
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=120)


def live(stream: IO[str]) -> bool:
    """Whether a person looks at this stream."""
    return stream.isatty()


def _print(stream: IO[str], what: tuple[RenderableType, ...]) -> None:
    # Made anew each time, so that a redirected stream is the one that is written to.
    console = Console(file=stream, highlight=False, markup=False, emoji=False, width=_width(stream))
    with console.capture() as capture:
        for one in what:
            console.print(one)
    text = capture.get()
    if not console.is_terminal:
        text = "".join(line.rstrip() + "\n" for line in text.splitlines())
    stream.write(text)
    stream.flush()


def _width(stream: IO[str]) -> int:
    if not live(stream):
        return PIPED
    return max(LEAST, min(shutil.get_terminal_size().columns, MOST))
