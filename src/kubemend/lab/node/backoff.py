"""The kubelet's back-off, for pulls and for restarts."""

from __future__ import annotations

FIRST_S, LAST_S = 10.0, 300.0
"""Seconds of the first and the longest delay (kubelet `MaxContainerBackOff`, `backOffPeriod`); each doubles."""


class Backoff:
    """Delays of 10, 20, 40 … 300 seconds."""

    def __init__(self) -> None:
        self._next = FIRST_S

    def next(self) -> float:
        """The delay that is due now."""
        delay = self._next
        self._next = min(delay * 2, LAST_S)
        return delay
