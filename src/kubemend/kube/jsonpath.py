"""kubectl's JSONPath: what `-o jsonpath=`, `-o custom-columns=` and `--sort-by=` are written in.

Source: kubernetes.io/docs/reference/kubectl/jsonpath. A path that leads nowhere gives nothing, as with
`--allow-missing-template-keys`, which kubectl's printers turn on.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

_TOKEN = re.compile(
    r"""\s*(?:(?P<end>end\b)|(?P<range>range\s+)|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<path>[$@.\[*](?:\[(?:[^\]"']|"[^"]*"|'[^']*')*\]|[^\s\[])*))\s*""",
    re.VERBOSE,
)
_STEP = re.compile(
    r"""(?P<deep>\.\.)?(?:\.?(?P<all>\*)|\.?(?P<name>(?:\\.|[^.\[\]\\*\s$@])+)|\[(?P<in>(?:[^\[\]"']|"[^"]*"|'[^']*'|\[[^\]]*\])*)\]|(?P<self>\.$))""",
)
_FILTER = re.compile(
    r"""\?\(\s*(?P<left>@[^\s=!<>]*)\s*(?:(?P<how>==|!=|<=|>=|<|>)\s*(?P<right>"[^"]*"|'[^']*'|[^\s)]+)\s*)?\)"""
)
_HOW: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class BadPath(ValueError):
    """It is no JSONPath as kubectl takes it."""


@dataclass(frozen=True)
class _Loop:
    over: str
    body: tuple[_Part, ...]


@dataclass(frozen=True)
class _Path:
    path: str


_Part = str | _Path | _Loop


def rendered(template: str, value: Any) -> str:
    """A template (text with `{…}` in it) filled in. BadPath."""
    return "".join(_filled(_parts(template), value, value))


def found(path: str, value: Any) -> list[Any]:
    """All that a path leads to, with or without its braces and first dot (`.metadata.name`, `{.x}`, `x`). BadPath."""
    path = path.strip().removeprefix("{").removesuffix("}").strip()
    if path and path[0] not in ".$@[":
        path = f".{path}"
    return list(_walked(_steps(path), [value]))


def _filled(parts: Sequence[_Part], here: Any, root: Any) -> Iterator[str]:
    for part in parts:
        match part:
            case str():
                yield part
            case _Path():
                yield " ".join(_shown(v) for v in _at(part.path, here, root))
            case _Loop():
                for item in _at(part.over, here, root):
                    yield from _filled(part.body, item, root)


def _at(path: str, here: Any, root: Any) -> list[Any]:
    return found(path, root if path.startswith("$") else here)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _parts(template: str) -> tuple[_Part, ...]:
    """Text, paths and loops of a template."""
    stack: list[list[_Part]] = [[]]
    over: list[str] = []
    for text, inside in _pieces(template):
        if text:
            stack[-1].append(text)
        for kind, token in _tokens(inside):
            match kind:
                case "end":
                    if not over:
                        raise BadPath("{end} without {range}")
                    body = tuple(stack.pop())
                    stack[-1].append(_Loop(over.pop(), body))
                case "range":
                    over.append(token)
                    stack.append([])
                case "text":
                    stack[-1].append(token)
                case _:
                    _steps(token)
                    stack[-1].append(_Path(token))
    if over:
        raise BadPath("{range} without {end}")
    return tuple(stack[0])


def _pieces(template: str) -> Iterator[tuple[str, str]]:
    """(text, what is in the braces behind it) …"""
    while template:
        text, brace, rest = template.partition("{")
        inside, closed, template = _until_brace(rest) if brace else ("", "", "")
        if brace and not closed:
            raise BadPath("a { is not closed")
        yield text, inside


def _until_brace(rest: str) -> tuple[str, str, str]:
    match = re.match(r"""((?:[^}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)(\}?)""", rest)
    return (match[1], match[2], rest[match.end() :]) if match else ("", "", "")


def _tokens(inside: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(inside):
        token = _TOKEN.match(inside, place)
        if token is None or token.end() == place:
            raise BadPath(f"{inside[place:]!r} is no path")
        place = token.end()
        if token["range"]:
            path = _TOKEN.match(inside, place)
            if path is None or not path["path"]:
                raise BadPath("{range} over nothing")
            place = path.end()
            yield "range", path["path"]
        elif token["text"]:
            yield "text", re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), token["text"][1:-1])
        else:
            yield ("end", "") if token["end"] else ("path", token["path"])


@dataclass(frozen=True)
class _Step:
    """One step of a path. deep: from everything below. name, all, or what stands in brackets."""

    deep: bool
    all: bool
    name: str
    inside: str | None


def _steps(path: str) -> list[_Step]:
    path = path.removeprefix("$").removeprefix("@")
    made, place = [], 0
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None or match.end() == place:
            raise BadPath(f"{path[place:]!r} is no path")
        place = match.end()
        if not match["self"]:
            name = re.sub(r"\\(.)", r"\1", match["name"] or "")
            made.append(_Step(bool(match["deep"]), bool(match["all"]), name, match["in"]))
    return made


def _walked(steps: Sequence[_Step], values: list[Any]) -> list[Any]:
    for step in steps:
        if step.deep:
            values = [below for v in values for below in _below(v)]
        values = [taken for v in values for taken in _taken(step, v)]
    return values


def _below(value: Any) -> Iterator[Any]:
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _below(child)


def _taken(step: _Step, value: Any) -> Iterator[Any]:
    if step.all or step.inside == "*":
        yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    elif step.inside is not None:
        yield from _bracketed(step.inside.strip(), value)
    elif isinstance(value, dict) and step.name in value:
        yield value[step.name]


def _bracketed(inside: str, value: Any) -> Iterator[Any]:
    if inside.startswith("?"):
        items = value if isinstance(value, list) else []
        yield from (item for item in items if _passes(inside, item))
        return
    for one in inside.split(","):
        one = one.strip()  # noqa: PLW2901 - blanks mean nothing here
        if one[:1] in "\"'" and one:
            if isinstance(value, dict) and one[1:-1] in value:
                yield value[one[1:-1]]
        elif re.fullmatch(r"-?\d+", one):
            if isinstance(value, list) and -len(value) <= int(one) < len(value):
                yield value[int(one)]
        elif re.fullmatch(r"-?\d*:-?\d*(?::\d+)?", one):
            bounds = [int(n) if n else None for n in one.split(":")]
            yield from value[slice(*bounds)] if isinstance(value, list) and 0 not in bounds[2:] else ()
        else:
            raise BadPath(f"[{inside}] is neither index, slice, filter nor name")


def _passes(condition: str, item: Any) -> bool:
    parsed = _FILTER.fullmatch(condition)
    if parsed is None:
        raise BadPath(f"[{condition}] is no filter")
    left = found(parsed["left"], item)
    if parsed["how"] is None:
        return bool(left)
    wanted = _literal(parsed["right"], item)
    return any(_same_kind(v, wanted) and _HOW[parsed["how"]](v, wanted) for v in left)


def _literal(text: str, item: Any) -> Any:
    if text[0] in "\"'":
        return text[1:-1]
    if text.startswith("@"):
        return next(iter(found(text, item)), None)
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _same_kind(a: Any, b: Any) -> bool:
    numbers = isinstance(a, (int, float)) and isinstance(b, (int, float))
    return numbers or type(a) is type(b)
