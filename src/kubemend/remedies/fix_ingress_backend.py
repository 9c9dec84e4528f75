"""The backend that an Ingress must have meant."""

from __future__ import annotations

from typing import Any

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Cite, Diagnosis, plain
from kubemend.model.objects import Ingress, Service
from kubemend.model.plan import Declined, Patch, Verify
from kubemend.model.pointer import at, steps
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.workload import as_json


@strategy(
    cures=("KM504",),
    risk=Risk.MEDIUM,
    reads=(Ingress, Service),
    needs={Access("patch", "ingresses", "networking.k8s.io")},
    order=30,
)
def fix_ingress_backend(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Correct the Service or port that an Ingress names, where exactly one existing name is near.

    ## Safety
    Hosts, paths and TLS stay. The API replaces the rules of an Ingress as a whole, so an Ingress with a backend
    of another kind than a Service, which isn't read, is declined. If any wrong backend has no near match, none
    is changed.
    """
    ingress, facts = snapshot.find(diagnosis.target), diagnosis.root.facts
    if not isinstance(ingress, Ingress):
        return Declined(f"{diagnosis.target} is no longer there")
    if not all(p.backend.service for r in ingress.spec.rules if r.http for p in r.http.paths):
        return Declined("it has a backend that is no Service, which is not read in full")
    paths, whats, wanted, near = (_texts(facts[k]) for k in ("paths", "whats", "wanted", "near"))
    if not all(near):
        at_fault = near.index("")
        return Declined(f"no {whats[at_fault]} is a near match for {wanted[at_fault]}")
    spec = as_json(ingress.spec)
    for path, old, new in zip(paths, wanted, near, strict=True):
        if str(at(ingress, path)) != old:
            return Declined(f"{path} is no longer {old}")
        _put({"spec": spec}, steps(path), int(new) if path.endswith("/number") else new)
    before = as_json(ingress.spec)
    body = {k: spec[k] for k in ("defaultBackend", "rules") if spec.get(k) != before.get(k)}
    shown = ", ".join(f"{o} to {n}" for o, n in zip(wanted, near, strict=True))
    return Proposal(
        changes=(Patch(target=ingress.ref, uid=ingress.metadata.uid, body={"spec": body}, kind="merge"),),
        reason=f"the one near match that exists: {shown}",
        confidence=0.8,
        verify=Verify(healthy=(ingress.ref,)),
        requires=tuple(Cite(ingress.ref, p, plain(at(ingress, p))) for p in paths),
    )


def _texts(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, tuple) else []


def _put(target: dict[str, Any], way: list[str], value: Any) -> None:
    held: Any = target
    for step in way[:-1]:
        held = held[int(step)] if isinstance(held, list) else held[step]
    held[way[-1]] = value
