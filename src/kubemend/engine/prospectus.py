"""What the doors tell of a tool before it is called: derived from the tool, so that all doors say the same."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import MappingProxyType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from kubemend.kube.names import near
from kubemend.model.access import Access, Risk
from kubemend.model.answer import Answer
from kubemend.model.errors import InvalidInput
from kubemend.model.order import Errand, Order
from kubemend.model.tool import Tool
from kubemend.tools.page import Page

View = dict[str, Any]


def short(tool: Tool) -> View:
    """One line of a list of tools."""
    return {"name": tool.name, "module": tool.module, "risk": tool.risk.name.lower(), "summary": tool.summary}


def whole(tool: Tool) -> View:
    """All there is to know of a tool."""
    return {
        **short(tool),
        "description": tool.doc,
        "hints": hints(tool),
        "parameters": tool.schema,
        "answers": answers(tool),
        "needs": [right(a) for a in sorted(tool.needs)],
        "within_s": tool.within_s,
        "examples": [dict(e) for e in tool.examples],
    }


def promise(tool: Tool) -> View:
    """The part of it that clients build on. It only ever grows."""
    kept = ("module", "risk", "hints", "parameters", "answers", "needs")
    return {k: v for k, v in whole(tool).items() if k in kept}


def right(access: Access) -> str:
    """A permission as people write it: "list pods", "patch deployments.apps"."""
    return f"{access.verb} {access.resource}{f'.{access.group}' if access.group else ''}"


def hints(tool: Tool) -> dict[str, bool]:
    """The Model Context Protocol's hints, true to their definition there.

    Whatever writes is called destructive (it may change what exists, not only add) and not idempotent (a restart
    asked for twice is two restarts). The world is open: what a cluster answers was written by others.
    """
    reads = tool.risk is Risk.READ
    return {"readOnlyHint": reads, "destructiveHint": not reads, "idempotentHint": reads, "openWorldHint": True}


def answers(tool: Tool) -> dict[str, Any]:
    """JSON Schema of the whole answer: the one shape of all doors, with this tool's data in it."""
    (_, data), defined = msgspec.json.schema_components([Answer, _data(tool)], ref_template="#/$defs/{name}")
    envelope = dict(defined.pop("Answer"))
    # A write that is not carried out answers with its plan, whatever it would answer otherwise.
    shapes = [data, {"type": "null"}] if tool.risk is Risk.READ else [data, {"type": "object"}, {"type": "null"}]
    envelope["properties"] = {**envelope["properties"], "data": {"anyOf": shapes}}
    envelope.pop("title", None)
    return {**envelope, "$defs": dict(sorted(defined.items()))}


def _data(tool: Tool) -> Any:
    """The type of `data`: of a page its rows; of an order or errand, and of what is not said more closely, a mapping.

    Of what is either an answer or an order the answer: that any write may answer with its plan is said in `answers`.
    """
    given = tool.answers
    if get_origin(given) is Page:
        return list[get_args(given)[0]]  # type: ignore[misc]
    if get_origin(given) in (Union, UnionType):
        given = Union[tuple(t for t in get_args(given) if t is not Order)]  # noqa: UP007 - made of a list
    if isinstance(given, type) and issubclass(given, Order | Errand):
        return dict[str, Any]
    return Any if given is inspect.Signature.empty else given


def chosen(
    tools: Mapping[str, Tool],
    *,
    modules: Iterable[str] = (),
    names: Iterable[str] = (),
    without: Iterable[str] = (),
    risk: Risk = Risk.HIGH,
) -> Mapping[str, Tool]:
    """Those that may be called: all of `modules` and the `names` (all tools when neither is given), less `without`.

    None of greater risk than `risk` is among them. InvalidInput for a module or tool that there is none of.
    """
    modules, names, without = set(modules), set(names), set(without)
    _refuse_unknown("module", modules, {t.module for t in tools.values()})
    _refuse_unknown("tool", names | without, tools)
    everything = not modules and not names
    return MappingProxyType(
        {
            name: tool
            for name, tool in tools.items()
            if (everything or name in names or tool.module in modules) and name not in without and tool.risk <= risk
        }
    )


def known(tools: Mapping[str, Tool], name: str) -> Tool:
    """The tool of this name; InvalidInput `unknown-tool` with the nearest one."""
    _refuse_unknown("tool", {name}, tools)
    return tools[name]


def _refuse_unknown(what: str, asked: set[str], there: Iterable[str]) -> None:
    there = sorted(there)
    for one in sorted(asked.difference(there)):
        guess = near(one, there)
        hint = f"did you mean {guess}?" if guess else f"kubemend tools list names every {what}"
        raise InvalidInput(f"there is no {what} {one!r}", code=f"unknown-{what}", hint=hint)
