"""Finding rules, strategies and tools: packages are walked, so adding one edits no other file."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from kubemend.model.access import Access
from kubemend.model.objects import Obj
from kubemend.model.rule import Rule
from kubemend.model.strategy import Strategy
from kubemend.model.tool import Tool


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Every rule, by code. Two with one code are a mistake in the program: ValueError."""
    from kubemend import rules as package  # noqa: PLC0415 - a hundred modules, wanted only by who judges

    return _unique(sorted(_marked(package, "__rule__"), key=lambda r: r.code), "code")


@functools.cache
def strategies() -> tuple[Strategy, ...]:
    """Every strategy, in the order in which they are tried: least order, then least risk, then name."""
    from kubemend import remedies as package  # noqa: PLC0415

    return _unique(sorted(_marked(package, "__strategy__"), key=lambda s: (s.order, s.risk, s.id)), "id")


@functools.cache
def tools() -> Mapping[str, Tool]:
    """Every tool by its name, in the order of modules and names."""
    from kubemend import tools as package  # noqa: PLC0415

    found = sorted(_marked(package, "__tool__"), key=lambda t: (t.module, t.name))
    return MappingProxyType({t.name: t for t in _unique(found, "name")})


def kinds() -> tuple[type[Obj], ...]:
    """The kinds that a diagnosis and a plan read, by name."""
    found = {k for r in rules() for k in (*r.reads, *r.uses)} | {k for s in strategies() for k in (*s.reads, *s.uses)}
    return tuple(sorted(found, key=lambda k: k.__name__))


def reads() -> frozenset[Access]:
    """The RBAC permissions of a viewer: read what rules and strategies declare."""
    return frozenset(Access(verb, k.plural, k.group) for k in kinds() for verb in ("get", "list", "watch"))


def writes() -> frozenset[Access]:
    """The RBAC permissions a fixer has beyond a viewer: what strategies declare."""
    return frozenset(a for s in strategies() for a in s.needs)


def _marked(package: ModuleType, mark: str) -> Iterator[Any]:
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if hasattr(value, mark) and getattr(value, "__module__", "") == module.__name__:
                yield getattr(value, mark)


def _unique(found: list[Any], key: str) -> tuple[Any, ...]:
    seen: dict[str, Any] = {}
    for unit in found:
        name = getattr(unit, key)
        if name in seen:
            raise ValueError(f"{seen[name].id} and {unit.id} both have {key} {name!r}: rename one")
        seen[name] = unit
    return tuple(found)
