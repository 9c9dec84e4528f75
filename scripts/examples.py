# ruff: noqa: INP001 - a script, not a package
"""Writes what each tool's first example answers on the practice cluster of the tests, for the reference pages."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import msgspec

from kubemend.engine import catalogue

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs" / "tools" / "examples.json"
sys.path.insert(0, str(ROOT / "tests" / "tools"))


async def answered() -> dict[str, object]:
    """Every tool's answer as plain data."""
    from tools_world import everything_in  # type: ignore[import-not-found] # noqa: PLC0415

    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="kubemend-examples-") as folder:
        async with everything_in(Path(folder)) as everything:
            for tool in catalogue.tools().values():
                answer = await everything.gateway.call(tool.name, dict(tool.examples[0]), actor="docs")
                found[tool.name] = msgspec.to_builtins(answer, str_keys=True)
    return found


def main() -> None:
    """Write them anew, one tool a line."""
    lines = [f"{json.dumps(n)}: {json.dumps(a, ensure_ascii=False)}" for n, a in asyncio.run(answered()).items()]
    EXAMPLES.parent.mkdir(parents=True, exist_ok=True)
    EXAMPLES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
