"""Everything that runs pods: the templates of workloads, and pods that no template of ours made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubemend.kube.podsecurity import Subject
from kubemend.model.access import Access
from kubemend.model.objects import Obj, wide
from kubemend.model.objects.wide import PodSpec
from kubemend.model.ref import Ref
from kubemend.tools.look import Look

TEMPLATED: tuple[type[wide.Templated], ...] = (
    wide.Deployment, wide.StatefulSet, wide.DaemonSet, wide.ReplicaSet, wide.ReplicationController, wide.Job,
)  # fmt: skip
_READ: tuple[type[Obj], ...] = (*TEMPLATED, wide.CronJob, wide.Pod)
NEEDS = frozenset(Access("list", k.plural, k.group) for k in _READ)
"""What reading all of them takes."""


@dataclass(frozen=True)
class Runner:
    """A pod template or a pod. pods: how many pods are like it; 0 for a template without pods."""

    ref: Ref
    spec: PodSpec
    annotations: dict[str, str]
    labels: dict[str, str]
    pods: int = 1

    @property
    def subject(self) -> Subject:
        """As Pod Security judges it."""
        return Subject(self.spec, self.annotations)


async def runners(cluster: Look, namespace: str | None) -> list[Runner]:
    """Templates that belong to nobody else, and pods; pods of one controller that are alike count as one.

    Pods must be readable; kinds of templates that aren't become gaps.
    """
    pods = await cluster.list(wide.Pod, namespace)
    listed = await asyncio.gather(*(cluster.beside(k, namespace) for k in TEMPLATED))
    made = [_template(o, o.spec.template) for found in listed for o in found or ()]
    timed = await cluster.beside(wide.CronJob, namespace) or ()
    made += [_template(o, o.spec.job_template.spec.template) for o in timed]
    return [*(r for r in made if r is not None), *_pods(pods)]


def _template(owner: Obj, template: wide.PodTemplate) -> Runner | None:
    if owner.metadata.owner_references:
        return None
    return Runner(owner.ref, template.spec, template.metadata.annotations, template.metadata.labels, pods=0)


def _pods(pods: Iterable[wide.Pod]) -> list[Runner]:
    """The living pods, one of each controller for all that would be judged alike."""
    alike: dict[object, list[wide.Pod]] = {}
    for pod in pods:
        if pod.status.phase not in ("Succeeded", "Failed"):
            up = pod.metadata.controller
            revision = pod.metadata.labels.get("controller-revision-hash", "")
            key = (up.uid, revision, len(pod.spec.all_containers)) if up else pod.metadata.uid
            alike.setdefault(key, []).append(pod)
    return [_pod(found) for found in alike.values()]


def _pod(alike: Sequence[wide.Pod]) -> Runner:
    first = min(alike, key=lambda p: p.name)
    return Runner(first.ref, first.spec, first.metadata.annotations, first.metadata.labels, len(alike))
