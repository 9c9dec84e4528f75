"""KM501: a selector that misses its pods by one label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubemend.kube.names import near
from kubemend.kube.selectors import subset
from kubemend.model.finding import Fact, Observation, Severity, cite
from kubemend.model.objects import Obj, Pod, Service
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.service.selection import GRACE_S, OWNERS, WORKLOADS, Runner, is_new, selection

_READ: tuple[type[Obj], ...] = (Pod, *WORKLOADS)


@dataclass(frozen=True)
class Miss:
    """The one label by which a selector misses a workload; meant is the label it should ask for, if any."""

    runner: Runner
    key: str
    value: str
    meant: tuple[str, str] | None


@rule("KM501", severity=Severity.ERROR, reads=(Service, *_READ), uses=OWNERS)
def service_selects_no_pods(snapshot: Snapshot) -> Iterator[Observation]:
    """A Service's selector matches no pod, but misses a workload by a single label.

    ## What it means
    No pod and no workload of the namespace has all the labels that the Service selects, while one workload has
    all of them but one: a value or key that looks misspelt, a key that no pod has, or a value that isn't that
    of the workload the Service is named after. A Service for a workload with no replicas isn't reported.

    ## Why it matters
    The Service has no endpoints: every connection to it fails.

    ## What to do
    Correct the selector (or the pods' labels, if it is they that were changed).
    """
    found = selection(snapshot)
    for service in found.services():
        wanted = service.spec.selector
        runners = found.runners(service.namespace)
        if not all(snapshot.was_read(kind, service.namespace) for kind in _READ):
            continue
        if found.pods(service) or any(subset(wanted, r.spec.template.metadata.labels) for r in runners):
            continue
        misses = [m for r in runners if (m := _miss(service, r, runners)) and not _too_new(service, r, snapshot)]
        if misses:
            yield _observation(service, misses)


def _miss(service: Service, runner: Runner, runners: list[Runner]) -> Miss | None:
    labels, wanted = runner.spec.template.metadata.labels, service.spec.selector
    missed = [(k, v) for k, v in sorted(wanted.items()) if labels.get(k) != v]
    if len(missed) != 1:
        return None
    key, value = missed[0]
    if key in labels:
        values = {r.spec.template.metadata.labels.get(key, "") for r in runners}
        alike = near(value, sorted(values)) == labels[key] or _namesake(service, runner)
        return Miss(runner, key, value, (key, labels[key])) if alike else None
    same = [k for k, v in labels.items() if v == value]
    if meant := near(key, sorted(same)):
        return Miss(runner, key, value, (meant, value))
    if len(wanted) == 1:
        # Nothing else of the selector speaks for this workload, but its only label may stand under another key.
        return Miss(runner, key, value, (same[0], value)) if len(same) == 1 and _namesake(service, runner) else None
    unknown = not any(key in r.spec.template.metadata.labels for r in runners)
    return Miss(runner, key, value, None) if unknown else None


def _namesake(service: Service, runner: Runner) -> bool:
    return runner.name in (service.name, service.name.removesuffix("-svc"), service.name.removesuffix("-service"))


def _too_new(service: Service, runner: Runner, snapshot: Snapshot) -> bool:
    """Whether the Service is just being set up beside an older workload, so that its own may be on its way."""
    made, before = service.metadata.creation_timestamp, runner.metadata.creation_timestamp
    if made is None or not is_new(service, snapshot):
        return False
    return before is None or (made - before).total_seconds() > GRACE_S


def _observation(service: Service, misses: list[Miss]) -> Observation:
    first = misses[0]
    names = ", ".join(f"{type(m.runner).__name__} {m.runner.name}" for m in misses[:3])
    facts: dict[str, Fact] = {
        "key": first.key,
        "value": first.value,
        "candidates": tuple(f"{type(m.runner).__name__}/{m.runner.name}" for m in misses),
    }
    hint = f"without {first.key}" if first.meant is None else "with " + "=".join(first.meant)
    if len(misses) == 1:
        facts |= {"near": first.runner.name, "near_kind": type(first.runner).__name__}
        if first.meant:
            facts |= {"near_key": first.meant[0], "near_value": first.meant[1]}
    cites = [cite(service, "spec", "selector", first.key)]
    if first.meant:
        cites.append(cite(first.runner, "spec", "template", "metadata", "labels", first.meant[0]))
    return Observation(
        about=service.ref,
        says=f"selects no pod: {first.key}={first.value} matches none; {hint} it would select {names}",
        evidence=tuple(cites),
        confidence=0.9 if len(misses) == 1 else 0.6,
        facts=facts,
        affects=tuple(m.runner.ref for m in misses) if len(misses) == 1 else (),
    )
