"""A scan as one HTML page that needs nothing else: no script, no font, no network. Light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from kubemend.engine.views import Remedy, Scan
from kubemend.model.finding import Diagnosis, Severity
from kubemend.surfaces.cli.render.scan import summary
from kubemend.surfaces.cli.words import fix_command, line, quoted

STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #777 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
article { border: 1px solid var(--line); border-left-width: 5px; border-radius: 6px }
article { margin: 1rem 0; padding: .8rem 1rem }
article.critical, article.error { border-left-color: #d33 } article.warning { border-left-color: #d90 }
article.info { border-left-color: #39c }
h2 { font-size: 1rem; margin: 0 } code { font-size: .9em }
dt { color: var(--dim); font-size: .85rem; margin-top: .5rem }
dd { margin: 0; overflow-wrap: anywhere } .dim { color: var(--dim) }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html(scan: Scan) -> str:
    """The page. Every text from the cluster is escaped, and the page forbids itself to load or run anything."""
    body = "\n".join(_body(scan))
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>kubemend scan of {_text(scan.source)}</title><style>{STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _body(scan: Scan) -> Iterator[str]:
    yield f"<h1>kubemend scan</h1><p>{_text(summary(scan).plain)}</p>"
    for diagnosis in scan.report.diagnoses:
        yield _article(diagnosis, scan.remedies.get(diagnosis.fingerprint))
    if scan.report.not_judged:
        yield '<h2>Not judged</h2><p class="dim">Nothing is known about these; they may be broken or not.</p><ul>'
        for entry in scan.report.not_judged:
            where = f" in {entry.namespace}" if entry.namespace else ""
            yield f"<li><b>{_text(entry.code)}</b>{_text(where)}: {_text(entry.why)}</li>"
        yield "</ul>"


def _article(diagnosis: Diagnosis, remedy: Remedy | None) -> str:
    root = diagnosis.root
    rows = [("what", _text(root.message))]
    rows += [
        ("evidence", f"{_text(str(c.ref))} <code>{_text(c.path)}</code> = <code>{_text(quoted(c.value))}</code>")
        for c in root.evidence
    ]
    rows += [("explains", f"<b>{s.code}</b> {_text(str(s.subject))}: {_text(s.message)}") for s in diagnosis.symptoms]
    if remedy is not None and remedy.plan is not None:
        rows.append(("repair", f"{_text(remedy.plan.reason)} <br><code>{_text(fix_command(root.subject))}</code>"))
    elif remedy is not None:
        rows.append(("repair", f"none: {_text(remedy.why_not)}"))
    shown, last = [], ""
    for term, text in rows:
        shown.append((f"<dt>{term}</dt>" if term != last else "") + f"<dd>{text}</dd>")
        last = term
    severity = Severity(root.severity).name.lower()
    return (
        f'<article class="{severity}"><h2>{root.code} · {_text(str(root.subject))}</h2>'
        f'<div class="dim">{severity} · {_text(root.title)}</div><dl>{"".join(shown)}</dl></article>'
    )


def _text(text: str) -> str:
    return escape(line(text))
