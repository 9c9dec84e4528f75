"""A scan as Prometheus text (exposition format 0.0.4), for node_exporter's textfile collector or a push gateway."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.engine.views import Scan
from kubemend.surfaces.cli.words import line


def prometheus(scan: Scan) -> str:
    """One gauge a cause, one for the rules not judged, one for the time of the scan."""
    return "\n".join(_lines(scan)) + "\n"


def _lines(scan: Scan) -> Iterator[str]:
    yield "# HELP kubemend_finding A fault that is there now, by its cause."
    yield "# TYPE kubemend_finding gauge"
    for diagnosis in scan.report.diagnoses:
        root = diagnosis.root
        yield _sample(
            "kubemend_finding",
            1,
            code=root.code,
            severity=root.severity.name.lower(),
            namespace=root.subject.namespace,
            kind=root.subject.kind,
            name=root.subject.name,
            fingerprint=diagnosis.fingerprint,
        )
    yield "# HELP kubemend_not_judged A rule that could not be applied: its faults are unknown."
    yield "# TYPE kubemend_not_judged gauge"
    for entry in scan.report.not_judged:
        yield _sample("kubemend_not_judged", 1, code=entry.code, namespace=entry.namespace)
    yield "# HELP kubemend_scan_timestamp_seconds When the cluster was read."
    yield "# TYPE kubemend_scan_timestamp_seconds gauge"
    yield _sample("kubemend_scan_timestamp_seconds", scan.taken_at.timestamp())


def _sample(metric: str, value: float, **labels: str) -> str:
    inside = ",".join(f'{k}="{_escaped(v)}"' for k, v in labels.items())
    return f"{metric}{{{inside}}} {value:.15g}" if inside else f"{metric} {value:.15g}"


def _escaped(value: str) -> str:
    return line(value).replace("\\", "\\\\").replace('"', '\\"')
