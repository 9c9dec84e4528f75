"""How long to wait before trying again: exponential and random, so that many clients don't come back at once."""

from __future__ import annotations

import random


def full_jitter(attempt: int, *, base: float, cap: float) -> float:
    """Seconds to wait before retry `attempt` (0 is the first): uniform in [0, min(cap, base * 2**attempt)].

    "Full jitter" of the AWS Architecture Blog, "Exponential Backoff And Jitter" (2015).
    """
    return random.uniform(0, _step(attempt, base, cap))  # noqa: S311 - not a secret


class Backoff:
    """A growing pause between failures of something that must go on for ever; a success sets it back.

    Only the upper half of each step is random: a pause near nothing would ask a failing server again at once.
    """

    def __init__(self, *, base: float, cap: float) -> None:
        self._base, self._cap, self._attempt = base, cap, 0

    def next(self, floor: float | None = None) -> float:
        """Seconds to wait now, on top of `floor`: what the server asked for."""
        step = _step(self._attempt, self._base, self._cap)
        self._attempt += 1
        return (floor or 0.0) + random.uniform(step / 2, step)  # noqa: S311 - not a secret

    def reset(self) -> None:
        """Begin anew: something worked."""
        self._attempt = 0


def _step(attempt: int, base: float, cap: float) -> float:
    return min(cap, base * 2.0 ** min(attempt, 32))
