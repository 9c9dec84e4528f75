"""The practice API server as a fixture."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from lab_api_client import Client, serving


@pytest.fixture
async def api() -> AsyncIterator[Client]:
    """An administrator's client of a new server, by plain HTTP."""
    async with serving() as client:
        yield client
