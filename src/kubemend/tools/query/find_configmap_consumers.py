"""Tool: who uses a ConfigMap?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.cluster.errors import NotFound
from kubemend.kube.consumers import Use, config_map_uses
from kubemend.model.access import Access, Risk
from kubemend.model.objects import ConfigMap, CronJob, DaemonSet, Deployment, Job, Pod, PodSpec, ReplicaSet, StatefulSet
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.words import Name, Namespace

Maker = Deployment | StatefulSet | DaemonSet | CronJob | Job
MAKERS: tuple[type[Maker], ...] = (Deployment, StatefulSet, DaemonSet, CronJob, Job)


class Consumer(Struct, frozen=True):
    """One pod. needs_restart: it would not see a change of the ConfigMap while it runs."""

    pod_name: str
    mount_types: tuple[str, ...]
    uses_subpath: bool
    controller: str
    needs_restart: bool
    uses: tuple[Use, ...]


class Affected(Struct, frozen=True):
    """One workload whose template uses the ConfigMap; its pods may be gone, or scaled to none."""

    kind: str
    name: str
    pods: int
    needs_restart: bool


class Consumers(Struct, frozen=True):
    """keys: of the ConfigMap, without their values. consumers are pods, affected_controllers the workloads."""

    configmap_name: str
    namespace: str
    configmap_exists: bool
    keys: tuple[str, ...]
    consumers: tuple[Consumer, ...]
    affected_controllers: tuple[Affected, ...]
    total_consumers: int
    recommendations: tuple[str, ...]


@tool(
    risk=Risk.READ,
    needs={
        Access("get", "configmaps"),
        Access("list", "pods"),
        Access("list", "replicasets", "apps"),
        Access("list", "deployments", "apps"),
        Access("list", "statefulsets", "apps"),
        Access("list", "daemonsets", "apps"),
        Access("list", "cronjobs", "batch"),
        Access("list", "jobs", "batch"),
    },
    examples=({"configmap_name": "web", "namespace": "shop"},),
)
async def find_configmap_consumers(
    cluster: Look,
    *,
    configmap_name: Annotated[Name, Meta(description="Name of the ConfigMap; it need not exist.")],
    namespace: Namespace,
) -> Consumers:
    """List pods and workloads that use a ConfigMap, by variables or files, and who needs a restart to see a change.

    Init containers, envFrom, projected volumes and subPath mounts are looked at too.
    """
    keys = await _keys(cluster, namespace, configmap_name)
    pods = await cluster.list(Pod, namespace)
    sets = {r.metadata.uid: r for r in await cluster.beside(ReplicaSet, namespace) or ()}
    consumers = tuple(
        _row(p, uses, _controller(p, sets)) for p in pods if (uses := config_map_uses(p.spec, configmap_name))
    )
    makers = [
        m for kind in MAKERS for m in await cluster.beside(kind, namespace) or () if m.metadata.controller is None
    ]
    affected = tuple(_affected(makers, consumers, configmap_name))
    return Consumers(
        configmap_name=configmap_name,
        namespace=namespace,
        configmap_exists=keys is not None,
        keys=keys or (),
        consumers=consumers,
        affected_controllers=affected,
        total_consumers=len(consumers),
        recommendations=tuple(_advice(consumers, affected, exists=keys is not None)),
    )


async def _keys(cluster: Look, namespace: str, name: str) -> tuple[str, ...] | None:
    try:
        held = await cluster.one(ConfigMap, namespace, name)
    except NotFound:
        return None
    return tuple(sorted((*held.data, *held.binary_data)))


def _controller(pod: Pod, sets: dict[str, ReplicaSet]) -> str:
    owner = pod.metadata.controller
    if owner is None:
        return ""
    up = sets[owner.uid].metadata.controller if owner.uid in sets else None
    return f"{(up or owner).kind}/{(up or owner).name}"


def _row(pod: Pod, uses: tuple[Use, ...], controller: str) -> Consumer:
    return Consumer(
        pod_name=pod.name,
        mount_types=tuple(dict.fromkeys(u.how for u in uses)),
        uses_subpath=any(u.sub_path for u in uses),
        controller=controller,
        needs_restart=any(not u.live for u in uses),
        uses=uses,
    )


def _affected(makers: Sequence[Maker], consumers: Sequence[Consumer], name: str) -> Iterator[Affected]:
    for maker in makers:
        uses = config_map_uses(_spec(maker), name)
        if uses:
            key = f"{maker.ref.kind}/{maker.name}"
            count = sum(c.controller == key for c in consumers)
            yield Affected(maker.ref.kind, maker.name, count, any(not u.live for u in uses))


def _spec(maker: Maker) -> PodSpec:
    return maker.spec.job_template.spec.template.spec if isinstance(maker, CronJob) else maker.spec.template.spec


def _advice(consumers: Sequence[Consumer], affected: Sequence[Affected], *, exists: bool) -> Iterator[str]:
    if not exists and (consumers or affected):
        yield "the ConfigMap is not there, though it is used: new pods won't start unless the use is optional"
    if not consumers and not affected:
        yield "nothing that was read uses it"
    restart = [f"{a.kind}/{a.name}" for a in affected if a.needs_restart and a.pods]
    if restart:
        yield f"after a change restart {', '.join(restart)} (batch_restart_pods)"
    if any(c.controller == "" and c.needs_restart for c in consumers):
        yield "pods without a controller must be made anew to see a change"
