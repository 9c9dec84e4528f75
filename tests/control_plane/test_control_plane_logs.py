"""How the stand-ins' log endpoint narrows a log, as `PodLogOptions` ask."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from testbed.logs import narrowed

NOW = datetime(2026, 1, 1, 12, 0, 10, tzinfo=UTC)
LINES = [f"2026-01-01T12:00:0{second}.500000000Z line {second}" for second in range(4)]


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ({}, ["line 0", "line 1", "line 2", "line 3"]),
        ({"tailLines": "2"}, ["line 2", "line 3"]),
        ({"tailLines": "0"}, []),
        ({"tailLines": "9"}, ["line 0", "line 1", "line 2", "line 3"]),
        ({"sinceSeconds": "8"}, ["line 2", "line 3"]),
        ({"sinceTime": "2026-01-01T13:00:03+01:00"}, ["line 3"]),
        ({"sinceSeconds": "9", "tailLines": "1"}, ["line 3"]),
        ({"tailLines": "1", "timestamps": "true"}, ["2026-01-01T12:00:03.500000000Z line 3"]),
    ],
)
def test_a_log_is_narrowed_as_asked(query: dict[str, str], left: list[str]) -> None:
    assert narrowed(LINES, query, now=NOW) == left
