"""A tool: a plain async function that people and agents may call by name, with what it declares about itself.

Everything the doors show (name, summary, schema, hints, route, RBAC) is derived from the function, never repeated.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Struct

from kubemend.model.access import Access, Risk
from kubemend.model.errors import InvalidInput

Function = Callable[..., Awaitable[Any]]
WITHIN_S = 30.0
"""Seconds that a tool may take, unless it declares another limit."""


@dataclass(frozen=True)
class Tool:
    """A tool function with what it declares.

    needs: the RBAC permissions it uses, no more and no less. examples: arguments that work on the practice cluster of
    the tests; together they use all of `needs`, and the first stands in the reference. within_s: its time limit.
    """

    function: Function
    risk: Risk
    needs: frozenset[Access]
    examples: tuple[Mapping[str, Any], ...]
    within_s: float = WITHIN_S

    @property
    def name(self) -> str:
        """The name every door knows it by."""
        return self.function.__name__

    @property
    def id(self) -> str:
        """The name again, as the catalogue calls it for every kind of unit."""
        return self.name

    @property
    def module(self) -> str:
        """The noun it belongs to: "resources", "diagnostics" …"""
        return self.function.__module__.split(".")[-2]

    @cached_property
    def at_desk(self) -> bool:
        """Whether its handle is the desk of diagnoses and repairs; else it is a look at the cluster."""
        handle = next(iter(inspect.signature(self.function, eval_str=True).parameters.values()))
        return bool(handle.annotation.__name__ == "Desk")

    @property
    def doc(self) -> str:
        """The whole description."""
        return inspect.cleandoc(self.function.__doc__ or "")

    @property
    def summary(self) -> str:
        """Its first line."""
        return self.doc.partition("\n")[0]

    @cached_property
    def parameters(self) -> type[Struct]:
        """The keyword parameters as a Struct: what comes before them is the handle, and nobody else's business."""
        signature = inspect.signature(self.function, eval_str=True)
        fields: list[Any] = []
        renamed: dict[str, str] = {}
        for given in signature.parameters.values():
            if given.kind is not inspect.Parameter.KEYWORD_ONLY:
                continue
            # Words that Python keeps for itself are written with an underscore behind.
            renamed[given.name] = given.name.removesuffix("_")
            without_default = given.default is inspect.Parameter.empty
            fields.append((given.name, given.annotation, *(() if without_default else (given.default,))))
        return msgspec.defstruct(
            self.name, fields, kw_only=True, frozen=True, forbid_unknown_fields=True, rename=renamed
        )

    @cached_property
    def answers(self) -> Any:
        """The type of the data it answers."""
        return inspect.signature(self.function, eval_str=True).return_annotation

    @cached_property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of its arguments: one flat object, as model providers want it."""
        (_,), defined = msgspec.json.schema_components([self.parameters], ref_template="#/$defs/{name}")
        return {k: v for k, v in defined[self.name].items() if k != "title"}

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments converted and checked. InvalidInput names the one that is wrong, and what it should be.

        Numbers and truth values may come as text: command lines and small models write them so.
        """
        try:
            bound = msgspec.convert(dict(arguments), self.parameters, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInput(
                str(error).replace("`$.", "`").replace(" - at `$`", ""),
                code="invalid-arguments",
                where=self.name,
                hint=f"it takes: {', '.join(self.schema.get('properties', {})) or 'nothing'}",
            ) from error
        return {f: getattr(bound, f) for f in self.parameters.__struct_fields__}


def tool(
    *, risk: Risk, needs: set[Access], examples: tuple[Mapping[str, Any], ...], within_s: float = WITHIN_S
) -> Callable[[Function], Function]:
    """Mark a function as a tool; the function itself stays as it is."""

    def mark(function: Function) -> Function:
        marked: Any = function
        marked.__tool__ = Tool(function, risk, frozenset(needs), examples, within_s)
        return function

    return mark
