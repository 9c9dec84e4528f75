"""The product's own waits, shortened: what matters is that each of them ends, not when."""

from __future__ import annotations

import pytest

import kubemend.cluster.cache
import kubemend.cluster.transport
from kubemend.cluster.feed import Pace
from kubemend.cluster.transport import Timing
from kubemend.engine.guard import witness

TIMING = Timing(connect=10, read=6, page=6, write=6, silence=6, retries=3, base=0.02, cap=0.1, patience=2)
PACE = Pace(base=0.05, cap=0.5, asked=1.0, relist=0.2, resync=600.0, quiet=3.0, stale=4.0)


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Let every wait end within seconds. A busy machine makes more of them end than would; that is a fault as well."""
    patch.setattr(kubemend.cluster.transport, "Timing", lambda: TIMING)
    patch.setattr(kubemend.cluster.cache, "Pace", lambda: PACE)
    patch.setattr(witness, "LATE_S", 1.0)
    patch.setattr(witness, "UNKNOWN_S", 5.0)
