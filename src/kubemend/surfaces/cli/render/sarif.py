"""A scan as SARIF 2.1.0 (OASIS), which code hosts show beside the sources.

A cluster object is no file, so each result has a logical location, and an artifact address of the form
`NAMESPACE/KIND/NAME` for viewers that want one.
"""

from __future__ import annotations

import json
from typing import Any

from kubemend import __version__
from kubemend.engine.views import Scan
from kubemend.model.finding import Diagnosis, Finding, Severity
from kubemend.model.ref import Ref
from kubemend.surfaces.cli.words import plain

LEVELS = {Severity.INFO: "note", Severity.WARNING: "warning", Severity.ERROR: "error", Severity.CRITICAL: "error"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

View = dict[str, Any]


def sarif(scan: Scan) -> str:
    """One run with one result a cause. What was not judged is a notification of the tool."""
    report = scan.report
    roots = {d.root.code: d.root for d in report.diagnoses}
    run = {
        "tool": {
            "driver": {
                "name": "kubemend",
                "semanticVersion": __version__,
                "rules": [_rule(roots[code]) for code in sorted(roots)],
            }
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "endTimeUtc": scan.taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "toolExecutionNotifications": [
                    {
                        "level": "warning",
                        "message": {
                            "text": plain(
                                f"{n.code} was not judged{' in ' + n.namespace if n.namespace else ''}: {n.why}"
                            )
                        },
                    }
                    for n in report.not_judged
                ],
            }
        ],
        "results": [_result(d) for d in report.diagnoses],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(finding: Finding) -> View:
    return {"id": finding.code, "shortDescription": {"text": finding.title}}


def _result(diagnosis: Diagnosis) -> View:
    root = diagnosis.root
    return {
        "ruleId": root.code,
        "level": LEVELS[root.severity],
        "message": {"text": plain(root.message)},
        "locations": [_location(root.subject)],
        "relatedLocations": [_location(s.subject, f"{s.code}: {s.message}") for s in diagnosis.symptoms],
        "partialFingerprints": {"kubemend/v1": diagnosis.fingerprint},
        "properties": {"severity": root.severity.name.lower(), "confidence": root.confidence},
    }


def _location(ref: Ref, message: str = "") -> View:
    address = "/".join(p for p in (ref.namespace, ref.kind, ref.name) if p)
    location: View = {
        "physicalLocation": {"artifactLocation": {"uri": address}},
        "logicalLocations": [{"fullyQualifiedName": address, "kind": "resource"}],
    }
    return {**location, "message": {"text": plain(message)}} if message else location
