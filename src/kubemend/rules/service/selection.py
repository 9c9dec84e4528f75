"""Which pods stand behind a Service, and which workloads could."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from kubemend.kube.rollout import active
from kubemend.kube.selectors import subset
from kubemend.model.objects import CronJob, DaemonSet, Deployment, Job, Obj, Pod, ReplicaSet, Service, StatefulSet
from kubemend.model.snapshot import Snapshot

WORKLOADS: tuple[type[Obj], ...] = (Deployment, StatefulSet, DaemonSet, ReplicaSet)
"""Kinds that run pods for a Service to select."""

OWNERS: tuple[type[Obj], ...] = (*WORKLOADS, Job, CronJob)
"""Kinds that tell whose a pod is."""

Runner = Deployment | StatefulSet | DaemonSet | ReplicaSet

GRACE_S = 60.0
"""Seconds for which something new may wait for what it belongs with."""


def selection(snapshot: Snapshot) -> Selection:
    """What the Services of this snapshot select, reckoned once for all rules."""
    return snapshot.derived(Selection)


@dataclass(frozen=True)
class Selection:
    """The Services of a snapshot with what they could select, by namespace."""

    snapshot: Snapshot

    def services(self) -> Iterator[Service]:
        """The Services that select pods: those that have a selector and stand for no outside name."""
        for service in self.snapshot.all(Service):
            if (
                service.spec.selector
                and service.spec.type != "ExternalName"
                and not service.metadata.deletion_timestamp
            ):
                yield service

    def pods(self, service: Service) -> list[Pod]:
        """The pods a Service selects that aren't finished or going away."""
        key, wanted = (service.namespace, service.name), service.spec.selector
        if key not in self._selected:
            alike = (self._pods.get((service.namespace, *pair), []) for pair in wanted.items())
            self._selected[key] = [p for p in min(alike, key=len) if subset(wanted, p.metadata.labels) and active(p)]
        return self._selected[key]

    def runners(self, namespace: str) -> list[Runner]:
        """The workloads of a namespace that belong to no other."""
        return self._runners.get(namespace, [])

    @cached_property
    def _selected(self) -> dict[tuple[str, str], list[Pod]]:
        return {}

    @cached_property
    def _pods(self) -> dict[tuple[str, str, str], list[Pod]]:
        """Pods by namespace and each of their labels, so that no Service is compared with every pod."""
        held: dict[tuple[str, str, str], list[Pod]] = defaultdict(list)
        for pod in self.snapshot.all(Pod):
            for pair in pod.metadata.labels.items():
                held[pod.namespace, *pair].append(pod)
        return held

    @cached_property
    def _runners(self) -> dict[str, list[Runner]]:
        held: dict[str, list[Runner]] = defaultdict(list)
        found: list[Runner] = [*self.snapshot.all(Deployment), *self.snapshot.all(StatefulSet)]
        found += [*self.snapshot.all(DaemonSet), *self.snapshot.all(ReplicaSet)]
        for runner in found:
            if runner.metadata.controller is None and not runner.metadata.deletion_timestamp:
                held[runner.namespace].append(runner)
        return held


def is_new(obj: Obj, snapshot: Snapshot) -> bool:
    """Whether the object was made so lately that what it belongs with may be on its way."""
    made = obj.metadata.creation_timestamp
    return made is not None and not snapshot.has_passed(GRACE_S, made)
