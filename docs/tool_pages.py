# ruff: noqa: INP001 - a part of a script, not a package
"""The pages of `docs/tools/`: one a module, one chapter a tool."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kubemend.engine import catalogue, prospectus
from kubemend.model.tool import Tool

EXAMPLES = Path(__file__).resolve().parent / "tools" / "examples.json"
"""What each tool's example answered on the practice cluster of the tests; `make examples` writes it anew."""
LINES = 40
"""Lines that are shown of an answer."""
DEEP = 6
"""Levels that are listed of an answer."""

Schema = dict[str, Any]


def pages() -> dict[str, Callable[[], Iterator[str]]]:
    """The pages by file name."""
    modules = sorted({t.module for t in catalogue.tools().values()})
    return {"tools/README.md": _index, **{f"tools/{m}.md": _page(m) for m in modules}}


def _index() -> Iterator[str]:
    tools = catalogue.tools().values()
    yield from (
        "# Tools",
        "",
        f"{len(tools)} tools, each the same through every door: `kubemend tools run`, `kubemend mcp serve`,",
        "`POST /api/v1/tools/{name}` (`kubemend serve`) and `kubemend.langchain.get_tools()`.",
        "",
        "An answer is `{tool, ok, data, incomplete, truncated, error, took_ms}`: `data` when `ok`, else `error` with",
        "`code`, `message`, `hint`, `retryable` and `object`. `incomplete` names what could not be read or was cut,",
        "each with the reason; `truncated` says how much of a list is shown, and its `continue` asks for the rest.",
        "A tool that changes something answers `approval-required` with its plan, until a person has said yes to",
        "exactly that plan.",
    )
    for module, held in itertools.groupby(tools, key=lambda t: t.module):
        yield from ("", f"## [{module}]({module}.md)", "", "| tool | what it is for | risk |", "|---|---|---|")
        yield from (f"| [{t.name}]({module}.md#{t.name}) | {_cell(t.summary)} | {t.risk.name.lower()} |" for t in held)


def _page(module: str) -> Callable[[], Iterator[str]]:
    def page() -> Iterator[str]:
        yield f"# Tools: {module}"
        answered = json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.is_file() else {}
        for tool in catalogue.tools().values():
            if tool.module == module:
                yield from ("", *_chapter(tool, answered.get(tool.name)))

    return page


def _chapter(tool: Tool, answered: Any) -> Iterator[str]:
    yield from (f"## {tool.name}", "", tool.doc, "")
    yield f"- Risk: {tool.risk.name.lower()}"
    yield f"- Needs: {', '.join(f'`{prospectus.right(a)}`' for a in sorted(tool.needs)) or 'nothing'}"
    yield f"- Time limit: {tool.within_s:g} s"
    yield from _parameters(tool)
    yield from ("", "Answers, in `data`:", "", "| field | type |", "|---|---|")
    yield from (f"| `{path}` | {kind} |" for path, kind in fields(tool))
    yield from ("", "```", _command(tool), "```")
    if answered is not None:
        yield from ("```json", *_shown(answered), "```")


def _parameters(tool: Tool) -> Iterator[str]:
    properties, required = tool.schema["properties"], tool.schema.get("required", [])
    if not properties:
        return
    yield from ("", "| parameter | type | what it is | default |", "|---|---|---|---|")
    for name, schema in properties.items():
        default = "" if name in required else f"`{json.dumps(schema.get('default'), ensure_ascii=False)}`"
        told = _cell(schema.get("description", ""))
        yield f"| `{name}`{' *' if name in required else ''} | {_cell(_kind(schema))} | {told} | {default} |"


def _command(tool: Tool) -> str:
    words = [f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in tool.examples[0].items()]
    return " ".join(["kubemend tools run", tool.name, *(f"'{w}'" if set(w) & set(' "{[') else w for w in words)])


def _shown(answered: Any) -> Iterator[str]:
    lines = json.dumps(answered, indent=1, ensure_ascii=False).splitlines()
    yield from lines[:LINES]
    if len(lines) > LINES:
        yield f"… {len(lines) - LINES} more lines"


def fields(tool: Tool) -> Iterator[tuple[str, str]]:
    """What `data` holds: each field with its type."""
    schema = prospectus.answers(tool)
    whole = schema["properties"]["data"]["anyOf"][0]
    yield "data", _cell(_kind(whole))
    yield from _inner("data", whole, schema["$defs"], DEEP)


def _inner(path: str, schema: Schema, defined: dict[str, Schema], deep: int) -> Iterator[tuple[str, str]]:
    if deep == 0:
        return
    for form in schema.get("anyOf", [schema]):
        found = defined[form["$ref"].rpartition("/")[2]] if "$ref" in form else form
        if "items" in found and isinstance(found["items"], dict):
            yield from _inner(f"{path}[]", found["items"], defined, deep - 1)
        for name, inner in found.get("properties", {}).items():
            yield f"{path}.{name}", _cell(_kind(inner))
            yield from _inner(f"{path}.{name}", inner, defined, deep - 1)
        if isinstance(found.get("additionalProperties"), dict):
            yield from _inner(f"{path}.*", found["additionalProperties"], defined, deep - 1)


def _kind(schema: Schema) -> str:
    """A schema in a few words: "list of PodRow", "integer 1…500", "text or null"."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(s) for s in schema["anyOf"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(f"`{v}`" for v in schema["enum"])
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(_kind({**schema, "type": k}) for k in kind)
    if kind == "array":
        items = schema.get("items")
        return f"list of {_kind(items)}" if isinstance(items, dict) and items else "list"
    if kind == "string":
        return {"date-time": "time"}.get(schema.get("format", ""), "text")
    low, high = schema.get("minimum"), schema.get("maximum")
    bounds = (
        "" if low is None and high is None else f" {low if low is not None else ''}…{high if high is not None else ''}"
    )
    return {"object": "mapping"}.get(kind, kind) + bounds


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
