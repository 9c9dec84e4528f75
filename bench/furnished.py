"""What stands beside the applications of a fleet: a large workload, and one or more of every kind that tools read.

The fleet of `fleet.py` is what a scan is timed on, and stays as it is. Here each namespace gets a policy, a role with
its binding, a cron job with two jobs, a stateful set with a claim and its volume, an Ingress and a LimitRange; every
fifth application an autoscaler and a disruption budget; and every pod the event of its placing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet import (
    APPS,
    PODS,
    Hand,
    Object,
    Size,
    ago,
    app,
    at_once,
    create,
    meta_of,
    opened,
    owned_by,
    pod_status,
    space,
    write,
)

RBAC = "rbac.authorization.k8s.io"
SHARE = 0.85
"""Of all pods, those of applications of `PODS` pods each."""


@dataclass(frozen=True)
class Town:
    """A furnished fleet. pods: all of them; the large workload has those that nothing else has."""

    pods: int
    nodes: int

    @property
    def size(self) -> Size:
        """The applications; the last namespace keeps a place for the large workload."""
        apps = int(self.pods * SHARE) // PODS
        return Size((apps - (apps % APPS == 0)) * PODS, self.nodes)

    @property
    def spaces(self) -> int:
        """How many namespaces there are."""
        return -(-self.size.deployments // APPS)

    @property
    def busiest(self) -> str:
        """The namespace of the large workload, which is the last one."""
        return space(self.spaces - 1)

    @property
    def large(self) -> str:
        """The name of the large workload, of its Service and its ConfigMap."""
        return f"app-{self.size.deployments:05}"

    @property
    def crowd(self) -> int:
        """The pods of the large workload; each namespace has one of a stateful set."""
        return self.pods - self.size.pods - self.spaces


async def furnish(kubeconfig: Path, town: Town) -> None:
    """Write it all to an API server."""
    async with opened(kubeconfig) as transport:
        await built(transport, town)


async def built(hand: Hand, town: Town) -> None:
    """Write it all through this hand."""
    await write(hand, town.size)
    await app(hand, town.size.deployments, town.size, count=town.crowd)
    await at_once(_settled(hand, i, town) for i in range(town.spaces))
    await at_once(_scaled(hand, i) for i in range(0, town.size.deployments, 5))
    await at_once(_made(hand, event) for event in _placings(town))


async def _made(hand: Hand, obj: Object) -> None:
    await create(hand, obj)


async def _settled(hand: Hand, index: int, town: Town) -> None:
    """One of each kind in a namespace."""
    ns = space(index)
    for obj in (*_rights(ns), *_entrance(ns, f"app-{index * APPS:05}")):
        await create(hand, obj)
    await _store(hand, ns, index, town)
    await _jobs(hand, ns)


def _rights(ns: str) -> Iterator[Object]:
    """A ServiceAccount that may read ConfigMaps, and what pods get that say nothing themselves."""
    yield {"kind": "ServiceAccount", "metadata": meta_of("runner", ns)}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
    yield {"kind": "Role", "metadata": meta_of("reader", ns), "rules": [rule]}
    who = {"kind": "ServiceAccount", "name": "runner", "namespace": ns}
    role = {"apiGroup": RBAC, "kind": "Role", "name": "reader"}
    yield {"kind": "RoleBinding", "metadata": meta_of("reader", ns), "roleRef": role, "subjects": [who]}
    limit = {"type": "Container", "default": {"memory": "512Mi"}, "defaultRequest": {"cpu": "10m"}}
    yield {"kind": "LimitRange", "metadata": meta_of("usual", ns), "spec": {"limits": [limit]}}


def _entrance(ns: str, name: str) -> Iterator[Object]:
    """A way in from outside, and a policy that closes it to other namespaces."""
    backend = {"service": {"name": name, "port": {"name": "http"}}}
    rule = {"host": f"{ns}.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    yield {"kind": "Ingress", "metadata": meta_of("web", ns), "spec": {"rules": [rule]}}
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}
    yield {"kind": "NetworkPolicy", "metadata": meta_of("own", ns), "spec": spec}


async def _store(hand: Hand, ns: str, index: int, town: Town) -> None:
    """A stateful set of one pod, with its bound claim and volume."""
    labels = {"app": "store"}
    container = {"name": "store", "image": "registry.example/store:3", "ports": [{"containerPort": 5432}]}
    mount = [{"name": "data", "mountPath": "/data"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{**container, "volumeMounts": mount}]}}
    modes, room, name = ["ReadWriteOnce"], {"requests": {"storage": "20Gi"}}, f"{ns}-data"
    claimed = {"accessModes": modes, "resources": room}
    counts = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "currentReplicas": 1, "updatedReplicas": 1}
    revisions = {"currentRevision": "store-1", "updateRevision": "store-1", "observedGeneration": 1}
    made = await create(
        hand,
        {
            "kind": "StatefulSet",
            "metadata": meta_of("store", ns),
            "spec": {
                "replicas": 1,
                "serviceName": "store",
                "selector": {"matchLabels": labels},
                "template": template,
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claimed}],
            },
            "status": counts | revisions,
        },
    )
    claim = {"kind": "PersistentVolumeClaim", "metadata": meta_of("data-store-0", ns)}
    bound = {"phase": "Bound", "accessModes": modes, "capacity": room["requests"]}
    await create(hand, {**claim, "spec": {**claimed, "volumeName": name}, "status": bound})
    owner = {"kind": "PersistentVolumeClaim", "namespace": ns, "name": "data-store-0"}
    volume = {"capacity": room["requests"], "accessModes": modes, "claimRef": owner, "hostPath": {"path": f"/v/{ns}"}}
    kind = {"kind": "PersistentVolume", "metadata": {"name": name}}
    await create(hand, {**kind, "spec": volume, "status": {"phase": "Bound"}})
    await create(hand, _pod(made, index, town))


def _pod(owner: Object, index: int, town: Town) -> Object:
    ns, template = owner["metadata"]["namespace"], owner["spec"]["template"]
    mounted = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-store-0"}}]
    spec = {**template["spec"], "volumes": mounted, "nodeName": f"node-{index % town.nodes:04}"}
    meta = {**meta_of("store-0", ns), "labels": template["metadata"]["labels"], "ownerReferences": [owned_by(owner)]}
    return {"kind": "Pod", "metadata": meta, "spec": spec, "status": pod_status(spec, index, 0)}


async def _jobs(hand: Hand, ns: str) -> None:
    """A cron job, and two jobs of it that run."""
    container = {"name": "report", "image": "registry.example/report:1", "args": ["--all"]}
    pod = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    job = {"spec": {"template": pod, "backoffLimit": 2}}
    timed = {"schedule": "0 * * * *", "jobTemplate": job}
    cron = await create(
        hand,
        {"kind": "CronJob", "metadata": meta_of("report", ns), "spec": timed, "status": {"lastScheduleTime": ago(900)}},
    )
    for which in range(2):
        meta = {**meta_of(f"report-{which}", ns), "ownerReferences": [owned_by(cron)]}
        active = {"active": 1, "startTime": ago(900 + 3600 * which)}
        await create(hand, {"kind": "Job", "metadata": meta, "spec": job["spec"], "status": active})


async def _scaled(hand: Hand, index: int) -> None:
    """An autoscaler and a disruption budget."""
    name, ns = f"app-{index:05}", space(index // APPS)
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    aim = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {
        "scaleTargetRef": aim,
        "minReplicas": 2,
        "maxReplicas": PODS,
        "metrics": [{"type": "Resource", "resource": cpu}],
    }
    told = {"currentReplicas": PODS, "desiredReplicas": PODS}
    scaler = {"kind": "HorizontalPodAutoscaler", "metadata": meta_of(name, ns), "spec": spec, "status": told}
    await create(hand, scaler)
    allowed = {"currentHealthy": PODS, "desiredHealthy": PODS - 1, "disruptionsAllowed": 1, "expectedPods": PODS}
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}}
    kind = {"kind": "PodDisruptionBudget", "metadata": meta_of(name, ns)}
    await create(hand, {**kind, "spec": budget, "status": allowed})


def _placings(town: Town) -> Iterator[Object]:
    """The event of each pod's placing."""
    apps = town.size.deployments
    for index in range(apps + 1):
        for which in range(PODS if index < apps else town.crowd):
            ns, pod = space(index // APPS), f"app-{index:05}-2f9c8b7d5-{which:03}xk"
            yield {
                "kind": "Event",
                "metadata": {"name": f"{pod}.18b", "namespace": ns},
                "involvedObject": {"kind": "Pod", "apiVersion": "v1", "namespace": ns, "name": pod},
                "reason": "Scheduled",
                "message": f"Successfully assigned {ns}/{pod} to a node",
                "type": "Normal",
                "count": 1,
                "firstTimestamp": ago(7200),
                "lastTimestamp": ago(7200),
                "source": {"component": "default-scheduler"},
            }
