"""The port the program listens on."""

from __future__ import annotations

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.probes import Faulty, faulty
from kubemend.remedies.site import REVISIONS, proposal, verified
from kubemend.remedies.template import put, shape


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
    order=20,
)
def fix_probe_port(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Point a probe at the port that the container listens on.

    The port is the one the same probe had in the last good revision, the one the container's other probe
    uses with success, or the only port (or the only similar port name) that the container declares.

    ## Safety
    The probe stays; only its port changes. Several ports that could be meant are left to a person.
    """
    found = faulty(diagnosis, snapshot, "port")
    if isinstance(found, Declined):
        return found
    facts = diagnosis.root.facts
    declared, expected = facts.get("declared"), str(facts.get("expected") or "")
    if str((found.probe.get(found.handler) or {}).get("port")) != declared:
        return Declined(f"the probe's port is no longer {declared}")
    if not expected:
        return Declined("which port the program listens on is not known")
    source = _source(found, expected)
    if source is None:
        return Declined(f"nothing shows any more that the program listens on port {expected}")
    port = int(expected) if expected.isdigit() else expected
    wanted = put(shape(found.site.template), (*found.steps, found.handler, "port"), port)
    reason = f"the {found.field} asks at port {declared}; {expected} {source[0]}"
    terms = verified(found.site, diagnosis, snapshot)
    return proposal(found.site, snapshot, wanted, reason, source[1], terms, (found.cite(found.handler, "port"),))


def _source(found: Faulty, expected: str) -> tuple[str, float] | None:
    """What shows that the port is right, and how surely."""
    if found.before is not None and _port(found.before[0]) == expected:
        return f"is what {found.before[1].title} asked", found.before[1].confidence
    if any(_port(p) == expected for p in found.other()):
        return "is where its other probe asks", 0.85
    if any(expected in (str(p.container_port), p.name) for p in found.container.ports):
        return "is the port that the container declares", 0.8
    return None


def _port(probe: dict[str, object]) -> str:
    return next((str(h["port"]) for h in probe.values() if isinstance(h, dict) and "port" in h), "")
