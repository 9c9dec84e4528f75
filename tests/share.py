"""How much of a large matrix is tried: every third of it, and with `KUBEMEND_ALL=1` all of it.

A third keeps a run of all tests below an hour on two cores. What is left out changes with nothing, so that a run can be
repeated; as rows are not a multiple of three long, every row and every column keeps a third of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

ALL = os.environ.get("KUBEMEND_ALL") == "1"


def share(items: Iterable[T]) -> list[T]:
    """What is tried of these."""
    return list(items)[:: 1 if ALL else 3]
