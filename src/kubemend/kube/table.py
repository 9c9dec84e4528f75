"""The API server's tables (`meta/v1` Table) as text, aligned as kubectl does, with secrets redacted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubemend.kube.redaction import text


def drawn(table: dict[str, Any], *, wide: bool = False, namespaced: bool = False, heads: bool = True) -> str:
    """The server's own columns; those with a priority above 0 are for wide. namespaced: with the namespace in front."""
    columns = [(i, c["name"]) for i, c in enumerate(table["columnDefinitions"]) if wide or not c.get("priority")]
    rows = table["rows"] or ()
    lines = [[name.upper() for _, name in columns]]
    # Cell by cell: a secret of several lines is known only as long as they stand below one another.
    lines += [["" if (v := row["cells"][i]) is None else text(str(v)) for i, _ in columns] for row in rows]
    if namespaced:
        places = [r.get("object", {}).get("metadata", {}).get("namespace", "") for r in rows]
        lines = [[first, *line] for first, line in zip(["NAMESPACE", *places], lines, strict=True)]
    return aligned(lines if heads else lines[1:])


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Cells in columns three blanks apart."""
    if not lines:
        return ""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("   ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
