"""`make new-rule` and `make new-strategy`: what they write keeps the promises of its kind from the first minute."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The parts of a checkout that units live in, with the fewest other units."""
    kept = shutil.ignore_patterns("__pycache__", "node", "pod", "scheduling", "service", "storage")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=kept)
    for room in ("rules", "remedies"):
        shutil.copytree(ROOT / "tests" / room, tmp_path / "tests" / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests" / "worlds.py", tmp_path / "tests" / "worlds.py")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path
