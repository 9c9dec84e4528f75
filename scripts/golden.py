# ruff: noqa: INP001 - a script, not a package
"""Writes the golden file of tools: what clients build on. Its diff is what a release has to tell them."""

from __future__ import annotations

import json
from pathlib import Path

from kubemend.engine import catalogue, prospectus

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "tools" / "golden.json"


def main() -> None:
    """Write it anew."""
    promised = {name: prospectus.promise(tool) for name, tool in sorted(catalogue.tools().items())}
    # One tool a line: two branches that add tools then merge without a conflict in the middle of a schema.
    lines = [f"{json.dumps(name)}: {json.dumps(told, sort_keys=True)}" for name, told in promised.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
