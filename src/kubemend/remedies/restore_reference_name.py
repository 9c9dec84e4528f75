"""The name, or the key, that a reference must have meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubemend.kube.names import near
from kubemend.kube.references import Reference, references
from kubemend.kube.rollout import ready
from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis
from kubemend.model.objects import ConfigMap, Pod, PodSpec
from kubemend.model.plan import Declined
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, strategy
from kubemend.remedies.site import REVISIONS, Site, before, proposal, site, verified
from kubemend.remedies.template import put, shape

Slot = tuple[str | int, ...]
"""Where a reference stands, by names instead of places, so that two revisions can be compared."""


@dataclass(frozen=True)
class _Wanted:
    """What is missing: an object of a kind (key empty), or one key of it."""

    kind: str
    name: str
    key: str

    @property
    def title(self) -> str:
        return f"key {self.key!r} of {self.kind} {self.name!r}" if self.key else f"{self.kind} {self.name!r}"

    def is_meant_by(self, reference: Reference) -> bool:
        if reference.optional or (reference.kind, reference.name) != (self.kind, self.name):
            return False
        return not self.key or reference.key == self.key


@dataclass(frozen=True)
class _Candidate:
    text: str
    source: str
    confidence: float


@strategy(
    cures=("KM106", "KM107", "KM108"),
    risk=Risk.MEDIUM,
    reads=(Pod,),
    uses=REVISIONS,
    needs={
        Access("patch", "deployments", "apps"),
        Access("patch", "statefulsets", "apps"),
        Access("patch", "daemonsets", "apps"),
        Access("create", "pods/eviction"),
    },
    order=20,
)
def restore_reference_name(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Correct the name, or the key, of a ConfigMap or Secret that a pod template refers to.

    The name comes from the same place in the workload's last good revision, if what it names is there; else
    it is the one existing name that the missing one looks like a slip of. Names of Secrets are never listed:
    those count as existing that ready pods of the namespace refer to.

    ## Safety
    No ConfigMap or Secret is read, made or changed. Only references to the missing name change; two names
    that are equally near are left to a person. `envFrom` is written as a whole list, since the API merges no
    part of it.
    """
    found = site(diagnosis, snapshot)
    if isinstance(found, Declined):
        return found
    if isinstance(found.obj, Pod):
        return Declined("the references of a pod can't be changed; the pod has to be made anew")
    facts = diagnosis.root.facts
    kind = "Secret" if diagnosis.root.code == "KM108" else "ConfigMap"
    wanted = _Wanted(kind, str(facts.get("name")), str(facts.get("key") or ""))
    uses = [r for r in references(found.template.spec) if wanted.is_meant_by(r)]
    if not uses:
        return Declined(f"the template no longer refers to {wanted.title}")
    chosen = next(_candidates(found, snapshot, wanted, uses), None)
    if chosen is None:
        return Declined(f"nothing is known that {wanted.title} could stand for")
    template, places = shape(found.template), [u.key_steps if wanted.key and u.key_steps else u.steps for u in uses]
    for place in places:
        template = put(template, place, chosen.text)
    reason = f"{chosen.text!r} {chosen.source}; {wanted.title} isn't there"
    terms, requires = verified(found, diagnosis, snapshot), tuple(found.cite_spec(*p) for p in places)
    return proposal(found, snapshot, template, reason, chosen.confidence, terms, requires)


def _candidates(found: Site, snapshot: Snapshot, wanted: _Wanted, uses: list[Reference]) -> Iterator[_Candidate]:
    known = _known(found, snapshot, wanted, uses)
    held = before(found, snapshot)
    if held is not None:
        old = _slots(held.revision.template.spec, wanted)
        text = next((old[s] for u in uses if (s := _slot(found.template.spec, u)) in old), None)
        # Where names can't be known, replicas that are ready show that theirs is there.
        there = held.proven if known is None else text in known
        if text not in (None, wanted.key or wanted.name) and there:
            yield _Candidate(str(text), f"is what {held.title} refers to", held.confidence)
    if (meant := near(wanted.key or wanted.name, known or ())) is not None:
        yield _Candidate(meant, "is there, and the name differs by a slip", 0.75 if wanted.kind == "ConfigMap" else 0.7)


def _known(found: Site, snapshot: Snapshot, wanted: _Wanted, uses: list[Reference]) -> frozenset[str] | None:
    """Names (or keys, when one is missing) that exist for sure; None when that can't be told."""
    namespace = found.obj.namespace
    if wanted.kind == "ConfigMap":
        if not snapshot.was_read(ConfigMap, namespace):
            return None
        if wanted.key:
            held = snapshot.get(ConfigMap, namespace, wanted.name)
            return frozenset((*held.data, *held.binary_data)) if held else None
        keys = {u.key for u in uses if u.key}
        return frozenset(c.name for c in snapshot.all(ConfigMap, namespace) if keys <= {*c.data, *c.binary_data})
    in_use = (p.spec for p in snapshot.all(Pod, namespace) if ready(p))
    return frozenset(_named(in_use, wanted)) or None


def _named(specs: Iterable[PodSpec], wanted: _Wanted) -> Iterator[str]:
    for reference in (r for spec in specs for r in references(spec)):
        if reference.kind != wanted.kind or reference.optional:
            continue
        if not wanted.key:
            yield reference.name
        elif reference.name == wanted.name and reference.key:
            yield reference.key


def _slots(spec: PodSpec, wanted: _Wanted) -> dict[Slot, str]:
    held = (r for r in references(spec) if r.kind == wanted.kind)
    if wanted.key:
        return {_slot(spec, r): r.key for r in held if r.name == wanted.name and r.key}
    return {_slot(spec, r): r.name for r in held}


def _slot(spec: PodSpec, reference: Reference) -> Slot:
    field, place, *rest = reference.steps
    if field == "volumes":
        item = reference.key_steps[4] if reference.key_steps else 0
        return ("volumes", spec.volumes[int(place)].name, item)
    if field in ("containers", "initContainers"):
        container = (spec.containers if field == "containers" else spec.init_containers)[int(place)]
        at = container.env[int(rest[1])].name if rest[0] == "env" else rest[1]
        return (container.name, rest[0], at)
    return reference.steps
