"""Resource quantities ("250m", "1.5Gi", "2e3") as exact decimals, so that nobody reckons with their text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_UP, Context, Decimal
from functools import lru_cache

from kubemend.model.errors import InvalidInput

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60}
_GRAMMAR = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE]?)|[eE](?P<exponent>[+-]?[0-9]{1,3}))"
)
_LARGEST = Decimal(2**63 - 1)
_NANO = Decimal("1e-9")
_SHOWN = 40

_WIDE = Context(prec=80, rounding=ROUND_UP)
"""Rounding away from zero twice, first here and then to nano, equals doing it once; 80 digits hold any quantity."""


class QuantityError(InvalidInput, ValueError):
    """The text is no Kubernetes quantity."""

    code = "invalid-quantity"


def parse(q: str | int | float) -> Decimal:
    """A quantity in base units (cores, bytes, pieces), exact to 1n.

    Grammar: `k8s.io/apimachinery/pkg/api/resource.Quantity`: sign, decimals, one of n u m k M G T P E,
    Ki Mi Gi Ti Pi Ei, or a decimal exponent ("E" alone is exa, "E3" an exponent). As that type documents,
    what is finer than 1n is rounded away from zero, and what exceeds 2^63-1 in magnitude is capped there.
    Stricter than Go's scanner in two points: a digit is required ("Ki" is no zero), and an exponent has at
    most three digits. Raises `QuantityError`.
    """
    if isinstance(q, bool):
        raise QuantityError(f"{q} is no quantity", hint="write a number, with a suffix such as m, Mi or Gi")
    return _parse(q if isinstance(q, str) else repr(q))


@lru_cache(maxsize=4096)
def _parse(text: str) -> Decimal:
    found = _GRAMMAR.fullmatch(text)
    if found is None:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        raise QuantityError(f"{shown!r} is no quantity", hint="write a number, with a suffix such as m, Mi or Gi")
    number, suffix, exponent = found.group("number", "suffix", "exponent")
    if suffix in _BINARY:
        value = _WIDE.multiply(_WIDE.create_decimal(number), Decimal(_BINARY[suffix]))
    else:
        value = _WIDE.scaleb(_WIDE.create_decimal(number), int(exponent) if exponent else _DECIMAL[suffix])
    return _within(value)


def _within(value: Decimal) -> Decimal:
    if abs(value) > _LARGEST:
        return _LARGEST.copy_sign(value)
    exact = value.quantize(_NANO, context=_WIDE)
    whole = exact.to_integral_value()
    # Normalizing alone would show 1000 as 1E+3.
    return exact.normalize() if exact != whole else whole + 0


def to_bytes(q: str | int | float) -> int:
    """Whole bytes (or pieces), rounded away from zero: who wants some gets some. Raises `QuantityError`."""
    return int(parse(q).to_integral_value(ROUND_UP))


def to_cores(q: str | int | float) -> Decimal:
    """CPU cores: 0.25 for "250m". Raises `QuantityError`."""
    return parse(q)


def format_bytes(n: int) -> str:
    """With the largest exact binary suffix: "256Mi" for 268435456, plain digits when no suffix divides it."""
    for suffix, size in reversed(_BINARY.items()):
        if n and n % size == 0:
            return f"{n // size}{suffix}"
    return str(n)


def format_cores(d: Decimal) -> str:
    """Cores as the API server writes them: "250m", "2". CPU is never finer than 1m, so the rest is rounded up."""
    milli = int((d * 1000).to_integral_value(ROUND_UP))
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def add(
    a: Mapping[str, str | int | float | Decimal], b: Mapping[str, str | int | float | Decimal]
) -> dict[str, Decimal]:
    """The sum per resource name; a resource that only one side names is kept. Raises `QuantityError`."""
    return {name: _decimal(a.get(name, 0)) + _decimal(b.get(name, 0)) for name in (*a, *(n for n in b if n not in a))}


def _decimal(q: str | int | float | Decimal) -> Decimal:
    return q if isinstance(q, Decimal) else parse(q)
