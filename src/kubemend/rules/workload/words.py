"""How sentences count."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 pod", "3 pods"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
