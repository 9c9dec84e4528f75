"""From a snapshot to a scan: judged, planned for, filtered. The same for a live cluster and for files."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import msgspec

from kubemend.engine import catalogue
from kubemend.engine.judge import judge
from kubemend.engine.planner import plan
from kubemend.engine.views import Remedy, Scan
from kubemend.model.errors import InvalidInput
from kubemend.model.finding import Diagnosis, Report
from kubemend.model.snapshot import Snapshot


class NotABaseline(InvalidInput):
    """A file that is not what `scan -o json` prints."""

    code = "not-a-baseline"


def scanned(snapshot: Snapshot, *, source: str, exclude: Collection[str] = (), known: Collection[str] = ()) -> Scan:
    """Judge a snapshot. exclude: namespaces to leave out. known: fingerprints that are no news."""
    report = judge(snapshot, catalogue.rules())
    kept = [d for d in report.diagnoses if d.root.subject.namespace not in exclude]
    news = tuple(d for d in kept if d.fingerprint not in known)
    return Scan(
        report=Report(
            diagnoses=news,
            not_judged=tuple(n for n in report.not_judged if not n.namespace or n.namespace not in exclude),
        ),
        source=source,
        taken_at=snapshot.taken_at,
        namespace=snapshot.namespace,
        unread=tuple(u for u in snapshot.unread if not u.namespace or u.namespace not in exclude),
        remedies={d.fingerprint: remedy(d, snapshot) for d in news},
        known=len(kept) - len(news),
    )


def remedy(diagnosis: Diagnosis, snapshot: Snapshot) -> Remedy:
    """What could be done about it."""
    planned = plan(diagnosis, snapshot, catalogue.strategies())
    return Remedy(planned.plan, "" if planned.plan is not None else planned.why_not)


class _Known(msgspec.Struct, frozen=True):
    fingerprint: str


class _Baseline(msgspec.Struct, frozen=True):
    findings: tuple[_Known, ...]


def baseline(path: Path) -> frozenset[str]:
    """The fingerprints in a file that `scan -o json` printed. NotABaseline."""
    try:
        read = msgspec.convert(json.loads(path.read_bytes()), _Baseline)
    except OSError as error:
        raise NotABaseline(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, msgspec.ValidationError) as error:
        raise NotABaseline(
            f"is no scan: {error}", where=str(path), hint="make one: kubemend scan -o json > baseline.json"
        ) from error
    return frozenset(f.fingerprint for f in read.findings)
