"""KM504: an Ingress that sends traffic to nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubemend.kube.names import near
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Ingress, Service
from kubemend.model.objects.network import IngressServiceBackend
from kubemend.model.pointer import pointer
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.service.selection import is_new
from kubemend.rules.workload.words import count

Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Missing:
    """A backend that isn't there. steps: to the field that names it; wanted and meant: its name or port."""

    steps: Steps
    what: str
    wanted: str
    meant: str


@rule("KM504", severity=Severity.ERROR, reads=(Ingress, Service))
def ingress_backend_missing(snapshot: Snapshot) -> Iterator[Observation]:
    """An Ingress names a Service, or a port of one, that doesn't exist.

    ## What it means
    A path (or the default backend) of the Ingress sends its requests to a Service that its namespace doesn't
    hold, or to a port, by number or name, that the Service doesn't have.

    ## Why it matters
    The Ingress controller answers such requests with an error (503 most often).

    ## What to do
    Correct the backend's Service or port, or create the Service.
    """
    for ingress in snapshot.all(Ingress):
        if not snapshot.was_read(Service, ingress.namespace) or ingress.metadata.deletion_timestamp:
            continue
        missing = [m for steps, backend in _backends(ingress) if (m := _missing(snapshot, ingress, steps, backend))]
        if missing and (any(m.meant for m in missing) or not is_new(ingress, snapshot)):
            yield _observation(ingress, missing)


def _backends(ingress: Ingress) -> Iterator[tuple[Steps, IngressServiceBackend]]:
    default = ingress.spec.default_backend
    if default is not None and default.service is not None:
        yield ("spec", "defaultBackend", "service"), default.service
    for i, held in enumerate(ingress.spec.rules):
        for j, path in enumerate(held.http.paths if held.http else ()):
            if path.backend.service is not None:
                yield ("spec", "rules", i, "http", "paths", j, "backend", "service"), path.backend.service


def _missing(snapshot: Snapshot, ingress: Ingress, steps: Steps, backend: IngressServiceBackend) -> Missing | None:
    service = snapshot.get(Service, ingress.namespace, backend.name)
    if service is None:
        names = [s.name for s in snapshot.all(Service, ingress.namespace)]
        return Missing((*steps, "name"), "service", backend.name, near(backend.name, names) or "")
    if service.spec.type == "ExternalName":
        return None
    ports, port = service.spec.ports, backend.port
    if port.name:
        names = [p.name for p in ports if p.name]
        found = port.name in names
        return None if found else Missing((*steps, "port", "name"), "port", port.name, near(port.name, names) or "")
    if not port.number or port.number in (p.port for p in ports):
        return None
    return Missing((*steps, "port", "number"), "port", str(port.number), str(ports[0].port) if len(ports) == 1 else "")


def _observation(ingress: Ingress, missing: list[Missing]) -> Observation:
    first = missing[0]
    hint = f" (did you mean {first.meant}?)" if first.meant else ""
    more = f" (and {count(len(missing) - 1, 'more backend')})" if len(missing) > 1 else ""
    return Observation(
        about=ingress.ref,
        says=f"sends traffic to {first.what} {first.wanted}, which doesn't exist{hint}{more}",
        evidence=tuple(cite(ingress, *m.steps) for m in missing),
        confidence=0.95,
        facts={
            "paths": tuple(pointer(*m.steps) for m in missing),
            "whats": tuple(m.what for m in missing),
            "wanted": tuple(m.wanted for m in missing),
            "near": tuple(m.meant for m in missing),
        },
    )
