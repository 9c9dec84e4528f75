"""The port that the pods listen on."""

from __future__ import annotations

from typing import Any

from kubemend.kube.rollout import active, ready
from kubemend.kube.selectors import subset
from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis, cite
from kubemend.model.objects import Pod, Service
from kubemend.model.plan import Declined, Verify
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, patch, strategy


@strategy(cures=("KM502",), risk=Risk.MEDIUM, reads=(Service, Pod), needs={Access("patch", "services")}, order=30)
def fix_service_target_port(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Send a Service's traffic to the port that its pods declare.

    The port is the only one declared that no other port of the Service uses, or the name that was misspelt.

    ## Safety
    Only `targetPort` changes: the port that clients connect to stays. With two declared ports that both could be
    meant it is declined.
    """
    service, facts = snapshot.find(diagnosis.target), diagnosis.root.facts
    if not isinstance(service, Service):
        return Declined(f"{diagnosis.target} is no longer there")
    numbers = [p.port for p in service.spec.ports]
    if len(set(numbers)) < len(numbers):
        return Declined("two ports of the Service share a number, which a patch can't tell apart")
    wrong, targets, near = (_texts(facts[k]) for k in ("ports", "targets", "near"))
    if not all(near):
        return Declined(f"no single declared port is left for port {wrong[near.index('')]}")
    changes, requires = [], []
    for number, target, meant in zip(wrong, targets, near, strict=True):
        at = next((i for i, p in enumerate(service.spec.ports) if str(p.port) == number), None)
        if at is None or str(service.spec.ports[at].target_port or number) != target:
            return Declined(f"port {number} no longer sends to {target}")
        port: dict[str, Any] = {"port": int(number), "targetPort": int(meant) if meant.isdigit() else meant}
        changes.append(port)
        requires += [cite(service, "spec", "ports", at, field) for field in ("port", "targetPort")]
    if not _served(service, snapshot):
        return Declined("its endpoints must prove it, and none of the pods it selects is ready yet")
    shown = ", ".join(f"{n} to {m}" for n, m in zip(wrong, near, strict=True))
    return Proposal(
        changes=(patch(service, {"spec": {"ports": changes}}),),
        reason=f"the selected pods declare it: port {shown}",
        confidence=0.85,
        verify=Verify(healthy=(service.ref,)),
        requires=tuple(requires),
    )


def _texts(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, tuple) else []


def _served(service: Service, snapshot: Snapshot) -> bool:
    """Whether one of the selected pods is ready."""
    pods = [p for p in snapshot.all(Pod, service.namespace) if subset(service.spec.selector, p.metadata.labels)]
    return any(active(p) and ready(p) for p in pods)
