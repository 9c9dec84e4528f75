"""What becomes of a test that needs a real node, on a machine that can't run one."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def unable(reason: str) -> NoReturn:
    """A person's run skips, and CI fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
