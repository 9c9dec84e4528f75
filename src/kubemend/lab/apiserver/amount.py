"""Quantities as the API server writes them back: the same amount in its canonical spelling."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

from kubemend.kube.quantity import parse

_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_EXPONENT = re.compile(r"[eE][+-]?[0-9]+$")


@lru_cache(maxsize=4096)
def canonical(text: str | int | float) -> str:
    """No fraction, the largest suffix that needs none, the kind of suffix kept (`resource.Quantity.String`).

    "0.5" → "500m", "1024Mi" → "1Gi", "1.5Gi" → "1536Mi", "1000m" → "1". Raises `kubemend.kube.quantity.QuantityError`.
    """
    value = parse(text)
    written = str(text)
    if written.endswith("i") and abs(value) >= 1024 and value == value.to_integral_value():
        return _binary(int(value))
    if _EXPONENT.search(written):
        return _decimal(value, lambda exponent: f"e{exponent}" if exponent else "")
    return _decimal(value, lambda exponent: _DECIMAL[exponent // 3 + 3])


def _binary(value: int) -> str:
    power = 0
    while value % 1024 == 0 and power < len(_BINARY) - 1:
        value, power = value // 1024, power + 1
    return f"{value}{_BINARY[power]}"


def _decimal(value: Decimal, suffix: Callable[[int], str]) -> str:
    if not value:
        return "0"
    exponent, number = -9, int(value.scaleb(9))
    while number % 1000 == 0 and exponent < 18:
        number, exponent = number // 1000, exponent + 3
    return f"{number}{suffix(exponent)}"


def spelled(resource: str, value: Decimal) -> str:
    """An amount that was reckoned, spelled as is usual for its resource: "600Mi" of memory, "1500m" of cpu."""
    if resource.endswith(("memory", "storage")) and value == value.to_integral_value() and abs(value) >= 1024:
        return _binary(int(value))
    return _decimal(value, lambda exponent: _DECIMAL[exponent // 3 + 3])
