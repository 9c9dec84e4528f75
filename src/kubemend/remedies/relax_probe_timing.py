"""More patience with a slow program."""

from __future__ import annotations

import math

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.plan import Declined, Verify
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.probes import Faulty, faulty
from kubemend.remedies.site import REVISIONS, proposal, verified
from kubemend.remedies.template import Json, put, shape

FACTOR = 3
"""How many times as long the program is given."""

MOST_S, MOST_TIMEOUT_S = 300, 10
"""Seconds a program may take to start, and a probe to answer, at most: beyond that a person should look."""

# The API's defaults of the fields that are read here (core/v1 Probe).
_DEFAULTS = {"initialDelaySeconds": 0, "periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3}


@strategy(
    cures=("KM111", "KM112"),
    risk=Risk.LOW,
    reads=(),
    uses=REVISIONS,
    needs={
        Access("patch", "deployments", "apps"),
        Access("patch", "statefulsets", "apps"),
        Access("patch", "daemonsets", "apps"),
        Access("create", "pods/eviction"),
    },
    order=30,
)
def relax_probe_timing(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Give a slow program more time before its probe fails it.

    What the last good revision gave is given again, if it gave more. Else a probe that timed out may take
    three times as long to answer (10 s at most); a liveness probe that was refused begins later, and a
    startup probe goes on longer, so that the program has three times as long to start (300 s at most).

    ## Safety
    The probe stays and keeps its period. A hung program is noticed later than before, but still within the
    bounds above. Declined where the bounds are reached.
    """
    found = faulty(diagnosis, snapshot, "timing")
    if isinstance(found, Declined):
        return found
    facts = diagnosis.root.facts
    if (_patience(found.probe), _of(found.probe, "timeoutSeconds")) != (facts.get("window_s"), facts.get("timeout_s")):
        return Declined("the probe's timing has been changed since")
    fields, reason, confidence = _as_before(found) or _longer(found, str(facts.get("symptom")))
    if not fields:
        return Declined(reason)
    wanted = shape(found.site.template)
    for field, value in fields.items():
        wanted = put(wanted, (*found.steps, field), value)
    # A field left to its default isn't written in every object, so only those written here are held to.
    requires = tuple(found.cite(f) for f in fields if f in found.probe)
    return proposal(found.site, snapshot, wanted, reason, confidence, _verify(found, diagnosis, snapshot), requires)


def _as_before(found: Faulty) -> tuple[Json, str, float] | None:
    if found.before is None:
        return None
    old, revision = found.before
    if _patience(old) <= _patience(found.probe) and _of(old, "timeoutSeconds") <= _of(found.probe, "timeoutSeconds"):
        return None
    fields = {f: _of(old, f) for f in _DEFAULTS if _of(old, f) != _of(found.probe, f)}
    return fields, f"{revision.title} gave the program more time", revision.confidence


def _longer(found: Faulty, symptom: str) -> tuple[Json, str, float]:
    probe = found.probe
    if symptom == "timeout":
        now = _of(probe, "timeoutSeconds")
        timeout = min(now * FACTOR, MOST_TIMEOUT_S)
        if now * 2 > MOST_TIMEOUT_S:
            return {}, f"the probe already waits {now} s for an answer", 0.0
        return {"timeoutSeconds": timeout}, f"the program takes longer than {now} s to answer", 0.7
    given = _patience(probe)
    total = min(given * FACTOR, MOST_S)
    if given * 2 > MOST_S:
        return {}, f"the program is already given {given} s to start", 0.0
    reason = f"the program doesn't start within the {given} s it is given; {total} s are tried"
    if found.field == "startupProbe":
        rounds = (total - _of(probe, "initialDelaySeconds")) / _of(probe, "periodSeconds")
        return {"failureThreshold": math.ceil(rounds)}, reason, 0.75
    return {"initialDelaySeconds": _of(probe, "initialDelaySeconds") + total - given}, reason, 0.72


def _of(probe: Json, field: str) -> int:
    return int(probe.get(field, _DEFAULTS[field]))


def _patience(probe: Json) -> int:
    return _of(probe, "initialDelaySeconds") + _of(probe, "periodSeconds") * _of(probe, "failureThreshold")


def _verify(found: Faulty, diagnosis: Diagnosis, snapshot: Snapshot) -> Verify:
    """Steady for longer than the program was given before: only then has the probe let it live."""
    usual = verified(found.site, diagnosis, snapshot)
    given = _patience(found.probe) + _of(found.probe, "periodSeconds")
    return Verify(
        healthy=usual.healthy,
        within_s=min(900.0, usual.within_s + given * FACTOR),
        steady_s=max(usual.steady_s, min(120.0, float(given))),
    )
