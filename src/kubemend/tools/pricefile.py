"""What a person pays: prices from a YAML file, for all nodes and for those with certain labels.

    currency: EUR
    cpu_core_hour: 0.029          # a core and hour
    memory_gb_hour: 0.0039        # a GiB of memory and hour
    gpu_hour: 0.88                # a GPU and hour
    storage_gb_month: 0.037       # a GiB of storage and month
    nodes:                        # the first whose labels a node has counts for it, with what it says
      - labels: {karpenter.sh/capacity-type: spot}
        cpu_core_hour: 0.0061
        memory_gb_hour: 0.0008

Every key may be left out; then OpenCost's default price counts (`configs/default.json`, GCP us-central1). In another
currency than theirs, US dollars, all four prices must be there. A mistake refuses the file: a price that was meant and
is not used would be a wrong sum.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from msgspec import convert

from kubemend.kube.names import near
from kubemend.model.errors import InvalidInput
from kubemend.tools.pricebook import ALL_PRICES, BY_NODE, DOLLARS, USUAL, NodePrices, PriceBook, Prices

VARIABLE = "KUBEMEND_PRICES"
KEYS = ALL_PRICES | {"currency", "nodes"}
CURRENCY = re.compile(r"[A-Z]{3}")
At = tuple[str | int, ...]
"""Where something stands: ("nodes", 0, "labels")."""


def configured(named: Path | None = None, environment: Mapping[str, str] = os.environ) -> PriceBook:
    """The book of the file that is named, else of KUBEMEND_PRICES, else of the default file, else OpenCost's."""
    told = named or environment.get(VARIABLE, "")
    if told:
        return read(Path(told).expanduser())
    home = environment.get("XDG_CONFIG_HOME") or "~/.config"
    usual = Path(home).expanduser() / "kubemend" / "prices.yaml"
    return read(usual) if usual.exists() else USUAL


def read(path: Path) -> PriceBook:
    """The book in a file. InvalidInput `prices-file-invalid` names every mistake with its line and key."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        found = None if root is None else yaml.SafeLoader("").construct_document(root)
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "it is no text"
        raise InvalidInput(f"the price book can't be read: {told}", code="path-unreadable", where=str(path)) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise _refused(path, [f"line {mark.line + 1}: it is not YAML" if mark else "it is not YAML"]) from error
    if root is None or found is None:
        raise _refused(path, ["it is empty"])
    lines = dict(_lines(root, ()))
    mistakes = [*_twice(root, ""), *(f"line {_line(lines, at)}: {_key(at)}{why}" for at, why in _mistakes(found))]
    if mistakes:
        raise _refused(path, mistakes)
    prices = {k: float(found[k]) for k in ALL_PRICES & found.keys()}
    nodes = convert(found.get("nodes", ()), tuple[NodePrices, ...])
    return PriceBook(Prices(**prices), nodes, found.get("currency", DOLLARS), given=True)


def _refused(path: Path, mistakes: Sequence[str]) -> InvalidInput:
    return InvalidInput(
        f"the price book can't be used: {'; '.join(mistakes)}",
        code="prices-file-invalid",
        where=str(path),
        hint=f"keys are {', '.join(sorted(KEYS))}; docs/doors.md has an example",
    )


def _mistakes(found: Any) -> Iterator[tuple[At, str]]:
    if not isinstance(found, dict):
        yield (), "it must be a mapping of keys"
        return
    yield from _unknown(found, KEYS, ())
    for key in sorted(ALL_PRICES & found.keys()):
        yield from _price(found[key], (key,))
    currency = found.get("currency", DOLLARS)
    if not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
        yield ("currency",), "must be three capitals, such as EUR"
    elif currency != DOLLARS and (lacking := ALL_PRICES - found.keys()):
        yield ("currency",), f"the default prices are US dollars; add {', '.join(sorted(lacking))}"
    nodes = found.get("nodes", [])
    if not isinstance(nodes, list):
        yield ("nodes",), "must be a list"
        return
    for index, node in enumerate(nodes):
        yield from _node(node, ("nodes", index))


def _node(node: Any, at: At) -> Iterator[tuple[At, str]]:
    if not isinstance(node, dict):
        yield at, "must be a mapping with labels and prices"
        return
    yield from _unknown(node, BY_NODE | {"labels"}, at)
    labels = node.get("labels")
    if not isinstance(labels, dict) or not labels:
        yield (*at, "labels"), "must be a mapping of at least one label to its value"
    else:
        for key, value in labels.items():
            if not isinstance(key, str) or not isinstance(value, str):
                yield (*at, "labels", str(key)), f"{value!r} is no text; put it into quotes"
    if not BY_NODE & node.keys():
        yield at, "sets no price"
    for key in sorted(BY_NODE & node.keys()):
        yield from _price(node[key], (*at, key))


def _price(value: Any, at: At) -> Iterator[tuple[At, str]]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield at, f"{value!r} is no number; write it plainly, without quotes or currency"
    elif not math.isfinite(value) or value < 0:
        yield at, f"{value!r} is no price"


def _unknown(found: Mapping[Any, Any], known: frozenset[str], at: At) -> Iterator[tuple[At, str]]:
    for key in found:
        if key not in known:
            guess = near(str(key), known)
            yield (*at, str(key)), "is no key" + (f"; did you mean {guess}?" if guess else "")


def _lines(node: yaml.Node, at: At, deep: int = 4) -> Iterator[tuple[At, int]]:
    """The line of every value that the book may have."""
    yield at, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode) and deep:
        for key, value in node.value:
            # The key's line: a value may begin on the next.
            yield from ((p, key.start_mark.line + 1 if p == (*at, key.value) else n)
                        for p, n in _lines(value, (*at, str(key.value)), deep - 1))  # fmt: skip
    elif isinstance(node, yaml.SequenceNode) and deep:
        for index, value in enumerate(node.value):
            yield from _lines(value, (*at, index), deep - 1)


def _line(lines: Mapping[At, int], at: At) -> int:
    """The line of a place, or of the nearest above it."""
    return lines[at] if at in lines or not at else _line(lines, at[:-1])


def _key(at: At) -> str:
    """A place as people write it: "nodes[0].labels: "."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).removeprefix(".")
    return f"{text}: " if text else ""


def _twice(node: yaml.Node, what: str, deep: int = 4) -> Iterator[str]:
    """Keys that stand there twice, of which YAML would keep the last without a word."""
    if isinstance(node, yaml.MappingNode) and deep:
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                yield f"line {key.start_mark.line + 1}: {what}{name}: stands there twice"
            seen.add(name)
            yield from _twice(value, f"{what}{name}.", deep - 1)
    elif isinstance(node, yaml.SequenceNode) and deep:
        for index, value in enumerate(node.value):
            yield from _twice(value, f"{what.removesuffix('.')}[{index}].", deep - 1)
