"""Epoch seconds in the tables, aware UTC times outside."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(epoch: float) -> datetime:
    """An epoch time as an aware UTC datetime."""
    return datetime.fromtimestamp(epoch, UTC)
