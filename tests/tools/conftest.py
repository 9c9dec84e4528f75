"""A practice cluster with a little of everything, on which every tool's example works."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tools_world import Everything, everything_in


@pytest.fixture
async def everything(tmp_path: Path) -> AsyncIterator[Everything]:
    async with everything_in(tmp_path) as found:
        yield found
