"""What a pod waits for: ConfigMaps, Secrets and their keys that its spec names and that aren't there.

ConfigMaps are listed, so their absence is seen; it counts only once the pod is held up by it. Secrets are never
listed (kubemend has no business with them), so there, and where ConfigMaps could not be read, the kubelet's own
words are taken, but only for a name that the pod's spec itself holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kubemend.kube.references import Reference, references
from kubemend.model.finding import Cite, Fact, cite
from kubemend.model.objects import ConfigMap, Pod
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.events import Events
from kubemend.rules.pod.seen import Seen, judged, of

Kind = Literal["ConfigMap", "Secret"]

MOUNT_S = 20.0
"""Seconds a pod may wait for a volume before its absence counts without an event: objects of one apply arrive apart."""

# kubelet: pkg/kubelet/kubelet_pods.go, pkg/volume/{configmap,secret}; apimachinery's NewNotFound for the first.
_ABSENT = re.compile(r'\b(configmap|secret)s? "([^"]+)" not found', re.IGNORECASE)
_NO_KEY = re.compile(r"couldn't find key (\S+) in (ConfigMap|Secret) [^/\s]*/(\S+)")
_NO_ITEM = re.compile(r"references non-existent (config|secret) key: (\S+)")


@dataclass(frozen=True)
class Lack:
    """One reference of one pod that leads nowhere.

    key: the key that is missing; empty when the whole object is. seen: the container that needs it; None for a volume.
    """

    pod: Pod
    reference: Reference
    key: str
    seen: Seen | None
    evidence: tuple[Cite, ...]
    confidence: float

    @property
    def via(self) -> str:
        """How the spec refers to it: env, env-from or volume."""
        return {"env": "env", "envFrom": "env-from"}.get(str(self.reference.steps[2]), "volume")

    @property
    def title(self) -> str:
        """Whose reference it is, for a sentence."""
        return self.seen.title if self.seen else f"volume {self.pod.spec.volumes[int(self.reference.steps[1])].name!r}"

    @property
    def facts(self) -> dict[str, Fact]:
        """The parameters a repair wants."""
        who: dict[str, Fact] = self.seen.facts if self.seen else {"container": None, "init": False}
        return {**who, "name": self.reference.name, "key": self.key, "via": self.via}


@dataclass(frozen=True)
class _Held:
    """A pod that is held up: by container, and whether by its volumes."""

    pod: Pod
    by_container: dict[str, Seen]
    mounting: bool
    evidence: tuple[Cite, ...]
    texts: tuple[tuple[str, Cite], ...]


def missing(snapshot: Snapshot, kind: Kind) -> Iterator[Lack]:
    """Objects of a kind that a waiting pod names and that don't exist, each once for a pod."""
    for held in _held(snapshot):
        once: set[str] = set()
        for reference, seen in _wanted(held, kind):
            absent = _absent(snapshot, held, reference, seen)
            if absent is not None and reference.name not in once:
                once.add(reference.name)
                yield absent


def keyless(snapshot: Snapshot, kind: Kind) -> Iterator[Lack]:
    """Keys that a waiting pod wants of an object that exists without them."""
    for held in _held(snapshot):
        once: set[tuple[str, str]] = set()
        for reference, seen in _wanted(held, kind):
            if not reference.key or (reference.name, reference.key) in once:
                continue
            if (found := _keyless(snapshot, held, reference, seen)) is not None:
                once.add((reference.name, reference.key))
                yield found


def _held(snapshot: Snapshot) -> Iterator[_Held]:
    events = Events(snapshot)
    for pod in judged(snapshot):
        if pod.status.phase not in ("Pending", "Running"):
            continue
        seen = of(pod)
        refused = [s for s in seen if s.waiting == "CreateContainerConfigError"]
        creating = [s for s in seen if s.waiting in ("ContainerCreating", "PodInitializing")]
        # One that runs or was refused shows that the volumes are mounted.
        mounting = bool(creating) and all(s in creating for s in seen) and _waits_long(snapshot, pod, events)
        if refused or mounting:
            first = (refused or creating)[0]
            yield _Held(
                pod,
                {s.name: s for s in refused},
                mounting,
                (first.cite("state", "waiting", "reason"),),
                tuple(_texts(pod, refused, events if mounting else None)),
            )


def _waits_long(snapshot: Snapshot, pod: Pod, events: Events) -> bool:
    since = pod.status.start_time or pod.metadata.creation_timestamp
    return bool(events.of(pod, "FailedMount")) or snapshot.has_passed(MOUNT_S, since)


def _texts(pod: Pod, refused: list[Seen], events: Events | None) -> Iterator[tuple[str, Cite]]:
    yield from ((s.message, s.cite("state", "waiting", "message")) for s in refused if s.message)
    if events is not None:
        yield from ((e.message, cite(e, "message")) for e in events.of(pod, "FailedMount"))


def _wanted(held: _Held, kind: Kind) -> Iterator[tuple[Reference, Seen | None]]:
    """The references of a kind that may be what holds the pod up."""
    spec = held.pod.spec
    for reference in references(spec):
        if reference.kind != kind or reference.optional:
            continue
        if reference.steps[0] == "volumes":
            if held.mounting:
                yield reference, None
        elif reference.steps[0] in ("containers", "initContainers"):
            declared = spec.containers if reference.steps[0] == "containers" else spec.init_containers
            if (seen := held.by_container.get(declared[int(reference.steps[1])].name)) is not None:
                yield reference, seen


def _absent(snapshot: Snapshot, held: _Held, reference: Reference, seen: Seen | None) -> Lack | None:
    if reference.kind == "ConfigMap" and snapshot.was_read(ConfigMap, held.pod.namespace):
        if snapshot.get(ConfigMap, held.pod.namespace, reference.name) is not None:
            return None
        return _lack(held, reference, seen, None)
    for text, at in held.texts:
        for word, name in _ABSENT.findall(text):
            if word.lower() == reference.kind.lower() and name == reference.name:
                return _lack(held, reference, seen, at)
    return None


def _keyless(snapshot: Snapshot, held: _Held, reference: Reference, seen: Seen | None) -> Lack | None:
    if reference.kind == "ConfigMap" and snapshot.was_read(ConfigMap, held.pod.namespace):
        found = snapshot.get(ConfigMap, held.pod.namespace, reference.name)
        if found is None or reference.key in found.data or reference.key in found.binary_data:
            return None
        return _lack(held, reference, seen, cite(found, "metadata", "name"), key=reference.key)
    at = next((at for text, at in held.texts if _says_no_key(text, reference)), None)
    return None if at is None else _lack(held, reference, seen, at, key=reference.key)


def _says_no_key(text: str, reference: Reference) -> bool:
    if (said := _NO_KEY.search(text)) is not None:
        return said.groups() == (reference.key, reference.kind, reference.name)
    if (said := _NO_ITEM.search(text)) is not None:
        word = "config" if reference.kind == "ConfigMap" else "secret"
        return reference.steps[0] == "volumes" and said.groups() == (word, reference.key)
    return False


def _lack(held: _Held, reference: Reference, seen: Seen | None, at: Cite | None, *, key: str = "") -> Lack:
    steps = reference.key_steps if key and reference.key_steps else reference.steps
    evidence = (cite(held.pod, "spec", *steps), *held.evidence, *((at,) if at is not None else ()))
    return Lack(held.pod, reference, key, seen, evidence, 0.95 if reference.kind == "ConfigMap" else 0.9)
