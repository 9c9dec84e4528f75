"""Percentiles by nearest rank: always a value that occurred."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], per_cent: float) -> float | None:
    """The smallest value that at least `per_cent` of them don't exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(math.ceil(per_cent / 100 * len(ordered)), 1) - 1]
