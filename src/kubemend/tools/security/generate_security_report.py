"""Tool: the security audit as a report to hand on."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, to_builtins

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.security.audit import NEEDS, Audit, audit, read_facts
from kubemend.tools.security.checks import CHECKS
from kubemend.tools.security.rendering import html, markdown, sarif
from kubemend.tools.words import Scope

FIXES = 5
"""Fixes that are put first."""

Format = Annotated[
    Literal["markdown", "html", "json", "sarif"], Meta(description="markdown, html, json or sarif (for code hosts).")
]


class Report(Struct, frozen=True):
    """content: text for markdown and html, an object for json and sarif. top_fixes: what to do first."""

    format: str
    namespace: str
    generated_at: datetime
    score: float
    by_severity: dict[str, int]
    top_fixes: tuple[str, ...]
    content: Any


@tool(risk=Risk.READ, needs={*NEEDS}, examples=({"namespace": "shop"}, {"format": "sarif"}))
async def generate_security_report(cluster: Look, *, namespace: Scope = None, format_: Format = "markdown") -> Report:
    """Write the security audit as one report with score and top fixes: markdown, HTML, JSON or SARIF.

    Pages name the first objects of each finding and how many more there are; json and sarif name them all, as far as
    the answer's size allows.
    """
    found = await asyncio.to_thread(audit, await read_facts(cluster, namespace), CHECKS)
    return Report(
        format=format_,
        namespace=found.namespace,
        generated_at=found.taken_at,
        score=found.score,
        by_severity=found.by_severity,
        top_fixes=tuple(f"{f.title}: {f.fix} ({f.count} of {f.of})" for f in found.findings[:FIXES]),
        content=_content(found, format_),
    )


def _content(found: Audit, format_: str) -> Any:
    match format_:
        case "html":
            return html(found)
        case "sarif":
            return sarif(found)
        case "json":
            return to_builtins(found)
    return markdown(found)
