"""A scan for people: each cause with its evidence and what it explains, what could not be judged, one line in sum."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kubemend.engine.views import Remedy, Scan
from kubemend.model.finding import Cite, Diagnosis, Finding, NotJudged, Severity
from kubemend.surfaces.cli.words import fix_command, line, many, quoted

STYLES = {Severity.CRITICAL: "bold red", Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
EVIDENCE = 4
"""Cited facts shown of one finding; JSON has all."""


def scanned(scan: Scan) -> Iterator[RenderableType]:
    """The whole scan."""
    for diagnosis in scan.report.diagnoses:
        yield from cause(diagnosis, scan.remedies.get(diagnosis.fingerprint))
    yield from not_judged(scan.report.not_judged)
    yield summary(scan)


def cause(diagnosis: Diagnosis, remedy: Remedy | None = None) -> Iterator[RenderableType]:
    """One cause with its symptoms."""
    root = diagnosis.root
    yield Text.assemble(
        (f"{root.severity.name:<8}", STYLES[root.severity]),
        "  ",
        (root.code, "bold"),
        "  ",
        (line(str(root.subject)), "bold"),
        f"  {line(root.title)}",
    )
    yield Padding(_details(diagnosis, remedy), (0, 0, 1, 10))


def _details(diagnosis: Diagnosis, remedy: Remedy | None) -> Table:
    root = diagnosis.root
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    shown = f" (on {many(root.count, 'object')})" if root.count > 1 else ""
    grid.add_row("what", Text(line(root.message) + shown))
    for index, cite in enumerate(root.evidence[:EVIDENCE]):
        grid.add_row("" if index else "evidence", cited(cite))
    for index, symptom in enumerate(diagnosis.symptoms):
        grid.add_row("" if index else "explains", _symptom(symptom))
    if root.target != root.subject:
        grid.add_row("target", Text(line(str(root.target))))
    if remedy is not None:
        grid.add_row("repair", _repair(diagnosis, remedy))
    return grid


def cited(cite: Cite) -> Text:
    """One fact: where it stands and what stands there."""
    return Text.assemble(
        (f"{line(str(cite.ref))} ", "dim"), line(cite.path), (" = ", "dim"), (quoted(cite.value), "green")
    )


def _symptom(finding: Finding) -> Text:
    return Text.assemble((finding.code, "bold"), f" {line(str(finding.subject))}: {line(finding.message)}")


def _repair(diagnosis: Diagnosis, remedy: Remedy) -> Text:
    if remedy.plan is None:
        return Text.assemble(("none: ", "dim"), line(remedy.why_not))
    words = f"{remedy.plan.strategy} ({remedy.plan.risk.name.lower()} risk)  "
    return Text.assemble(words, (fix_command(diagnosis.root.subject), "cyan"))


def not_judged(entries: tuple[NotJudged, ...]) -> Iterator[RenderableType]:
    """What could not be judged, and why: rules with one reason on one line."""
    if not entries:
        return
    yield Text("NOT JUDGED", style="yellow") + Text(
        "  nothing is known about these; they may be broken or not", style="dim"
    )
    ordered = sorted(entries, key=lambda n: (n.why, n.namespace, n.code))
    for (why, namespace), group in groupby(ordered, key=lambda n: (n.why, n.namespace)):
        codes = ", ".join(n.code for n in group)
        where = f" in {namespace}" if namespace else ""
        yield Padding(Text.assemble((f"{line(why)}{where}", ""), ("  " + codes, "dim")), (0, 0, 0, 10))
    yield Text("")


def summary(scan: Scan) -> Text:
    """The last line."""
    counts = [(s, scan.count(s)) for s in sorted(Severity, reverse=True)]
    words: list[tuple[str, str]] = []
    for severity, count in counts:
        if count:
            noun = severity.name.lower()
            words += [
                (", " if words else "", ""),
                (f"{count} {noun}" + ("s" if count > 1 and noun != "info" else ""), STYLES[severity]),
            ]
    if not words:
        nothing = "nothing found" if not scan.known else "nothing new found"
        words = [(nothing, "green" if not scan.report.not_judged else "yellow")]
    if scan.report.not_judged:
        words.append((f", {many(len({n.code for n in scan.report.not_judged}), 'rule')} not judged", "yellow"))
    if scan.known:
        words.append((f", {scan.known} known from the baseline", "dim"))
    where = f"namespace {scan.namespace}" if scan.namespace else "all namespaces"
    return Text.assemble(*words, (f"  ({line(scan.source)}, {where}, {scan.taken_at:%Y-%m-%d %H:%M:%SZ})", "dim"))
