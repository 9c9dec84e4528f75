"""Another kubemend at work on the same object, which keeps a ledger that this one doesn't see.

Nothing keeps the two apart but the cluster itself: the preconditions of a write let one of two through, and its mark
tells the other that a repair is on its way, so that it doesn't plan a second one on top of an unproven first.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubemend.engine.guard.hands import MARK

Object = dict[str, Any]

PROOF_S = 300.0
"""How long after its write another's repair counts as not proven yet: longer than nearly all proofs take."""


def mark_of(live: Object | None) -> str | None:
    """The id of the repair that last wrote the object, by whichever kubemend; None when none did."""
    found: str | None = None if live is None else live["metadata"].get("annotations", {}).get(MARK)
    return found


def seconds_since_marked(live: Object, now: datetime) -> float | None:
    """How long ago a kubemend wrote its mark, as the API server keeps it in `managedFields`; None when it doesn't."""
    for entry in live["metadata"].get("managedFields", ()):
        notes = entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {})
        if f"f:{MARK}" in notes and "time" in entry:
            return (now - datetime.fromisoformat(entry["time"])).total_seconds()
    return None


def unproven(live: Object | None, now: datetime) -> str | None:
    """Why the repair that marked the object may not be proven yet; None when it was long ago, or there was none."""
    if live is None or (mark := mark_of(live)) is None:
        return None
    age = seconds_since_marked(live, now)
    if age is None or age > PROOF_S:
        return None
    return f"repair {mark} of a kubemend with another ledger wrote it {max(age, 0):.0f} s ago and may still prove it"
