"""The path the program answers at."""

from __future__ import annotations

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.probes import Faulty, faulty
from kubemend.remedies.site import REVISIONS, proposal, verified
from kubemend.remedies.template import Json, put, shape


@strategy(
    cures=("KM111", "KM112"),
    risk=Risk.MEDIUM,
    reads=(),
    uses=REVISIONS,
    needs={
        Access("patch", "deployments", "apps"),
        Access("patch", "statefulsets", "apps"),
        Access("patch", "daemonsets", "apps"),
        Access("create", "pods/eviction"),
    },
    order=21,
)
def fix_probe_path(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Ask at an HTTP path that the program is known to answer.

    The path is the one the same probe had in the last good revision, or that of the container's other probe
    on the same port, which succeeds. No path is ever guessed.

    ## Safety
    The probe stays; only its path changes. A liveness probe given the path of a readiness probe may restart a
    program that merely waits for something, so this is trusted less, and verified like any other change.
    """
    found = faulty(diagnosis, snapshot, "path")
    if isinstance(found, Declined):
        return found
    facts = diagnosis.root.facts
    declared, expected = str(facts.get("declared") or ""), str(facts.get("expected") or "")
    if _path(found.probe) != declared:
        return Declined(f"the probe's path is no longer {declared}")
    if not expected:
        return Declined("which path the program answers at is not known")
    source = _source(found, expected)
    if source is None:
        return Declined(f"nothing shows any more that the program answers at {expected}")
    wanted = put(shape(found.site.template), (*found.steps, "httpGet", "path"), expected)
    reason = f"the {found.field} asks for {declared}; {expected} {source[0]}"
    terms = verified(found.site, diagnosis, snapshot)
    return proposal(found.site, snapshot, wanted, reason, source[1], terms, (found.cite("httpGet", "path"),))


def _source(found: Faulty, expected: str) -> tuple[str, float] | None:
    if found.before is not None and _path(found.before[0]) == expected:
        return f"is what {found.before[1].title} asked for", found.before[1].confidence
    if any(_path(p) == expected for p in found.other()):
        return "is what its other probe asks for", 0.7
    return None


def _path(probe: Json) -> str:
    http = probe.get("httpGet")
    return str(http.get("path", "/")) if http is not None else ""
