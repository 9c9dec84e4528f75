"""An audit as a page: markdown, HTML, or SARIF for code hosts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from kubemend import __version__
from kubemend.tools.security.audit import Audit, Finding, shown

OBJECTS = 5
"""Objects that a page names of each finding."""
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MARKS = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})
STYLE = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto}td,th{text-align:left;padding:.3rem}"


def markdown(audit: Audit) -> str:
    """The whole report as markdown. Names from the cluster can't become markup."""
    return "\n".join(_lines(audit)) + "\n"


def _lines(audit: Audit) -> Iterator[str]:
    yield f"# Security report: {_plain(audit.namespace)}"
    yield f"\nScore **{audit.score:g}** of 100 · {audit.taken_at:%Y-%m-%d %H:%M} UTC · {_counts(audit)}\n"
    if audit.findings:
        yield "## Top fixes\n"
        yield from (f"{i}. {f.title}: {f.fix}" for i, f in enumerate(audit.findings[:5], 1))
        yield "\n## Findings\n"
    for finding in audit.findings:
        yield f"### {finding.severity}: {finding.title} ({finding.count} of {finding.of})\n"
        yield f"{finding.fix}\n"
        yield from (f"- {_plain(o)}" for o in shown(finding.objects, OBJECTS))
        yield ""
    yield f"Passed: {', '.join(audit.passed) or 'none'}"
    if audit.not_judged:
        yield f"\nNot judged, since it could not be read: {', '.join(audit.not_judged)}"


def _plain(text: str) -> str:
    return " ".join(text.split()).translate(_MARKS)


def _counts(audit: Audit) -> str:
    return ", ".join(f"{n} {s}" for s, n in audit.by_severity.items() if n) or "nothing found"


def html(audit: Audit) -> str:
    """One page that needs nothing else and forbids itself to load or run anything."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    rows = "".join(map(_html_row, audit.findings))
    unread = f"<p>Not judged, since it could not be read: {escape(', '.join(audit.not_judged))}</p>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>Security report</title><style>{STYLE}</style></head><body>"
        f"<h1>Security report: {escape(audit.namespace)}</h1>"
        f"<p>Score <b>{audit.score:g}</b> of 100 · {audit.taken_at:%Y-%m-%d %H:%M} UTC · {escape(_counts(audit))}</p>"
        f"<table><tr><th>Severity<th>Finding<th>Objects<th>Fix</tr>{rows}</table>"
        f"<p>Passed: {escape(', '.join(audit.passed)) or 'none'}</p>{unread if audit.not_judged else ''}"
        "</body></html>\n"
    )


def _html_row(finding: Finding) -> str:
    objects = "<br>".join(escape(o) for o in shown(finding.objects, OBJECTS))
    told = f"{escape(finding.title)} ({finding.count} of {finding.of})"
    return f"<tr><td>{finding.severity}<td>{told}<td>{objects}<td>{escape(finding.fix)}</tr>"


def sarif(audit: Audit) -> dict[str, Any]:
    """SARIF 2.1.0 (OASIS): a rule for each finding, a result for each object. Objects are no files: the locations

    are logical ones, with an address for viewers that want one.
    """
    rules = [{"id": f.code, "shortDescription": {"text": f.title}, "help": {"text": f.fix}} for f in audit.findings]
    notes = [
        {"level": "warning", "message": {"text": f"{code} was not judged: what it needs could not be read"}}
        for code in audit.not_judged
    ]
    run = {
        "tool": {"driver": {"name": "kubemend", "semanticVersion": __version__, "rules": rules}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "results": [_result(f, o) for f in audit.findings for o in f.objects],
        "properties": {"score": audit.score},
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, name: str) -> dict[str, Any]:
    return {
        "ruleId": finding.code,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.title}: {name}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": name.replace(" ", "/")}},
                "logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"kubemend/v1": f"{finding.code}:{name}"},
    }
