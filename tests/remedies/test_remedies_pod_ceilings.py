"""How far a memory limit may go."""

from __future__ import annotations

import pytest

from kubemend.model.finding import Diagnosis, Finding, Severity
from kubemend.model.ref import Ref
from kubemend.remedies.ceilings import Ceiling, ceilings
from kubemend.remedies.site import Site, site
from worlds import world

MI = 2**20

DEPLOYMENT = """
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  replicas: 4
  strategy: {strategy}
  template:
    spec:
      containers:
        - {{name: app, resources: {{limits: {{memory: 100Mi}}}}}}
        - {{name: proxy, resources: {{limits: {{memory: 50Mi}}}}}}
---
kind: ReplicaSet
metadata: {{name: web-1, namespace: shop, ownerReferences: [{{kind: Deployment, name: web}}]}}
---
kind: Pod
metadata: {{name: web-1-a, namespace: shop, ownerReferences: [{{kind: ReplicaSet, name: web-1}}]}}
status: {{phase: Running}}
---
{extra}
"""


def bounds(extra: str, *, strategy: str = "{}", request: int = 100 * MI) -> list[Ceiling]:
    made = world(DEPLOYMENT.format(extra=extra, strategy=strategy))
    target = Ref("Deployment", "shop", "web", "apps")
    root = Finding(
        code="KM101",
        title="",
        severity=Severity.ERROR,
        about=target,
        subject=target,
        target=target,
        message="",
        evidence=(),
        confidence=1.0,
        facts={"container": "app", "init": False},
    )
    found = site(Diagnosis(root=root), made.snapshot)
    assert isinstance(found, Site)
    assert found.container is not None
    return list(ceilings(found, found.container, made.snapshot, now=100 * MI, request=request))


def limit_range(item: str) -> str:
    return f"kind: LimitRange\nmetadata: {{name: r, namespace: shop}}\nspec: {{limits: [{item}]}}"


@pytest.mark.parametrize(
    ("item", "sizes"),
    [
        ("{type: Container, max: {memory: 1Gi}}", [1024 * MI]),
        ("{type: Pod, max: {memory: 1Gi}}", [974 * MI]),
        ('{type: Container, maxLimitRequestRatio: {memory: "1.5"}}', [150 * MI]),
        ("{type: Container, max: {cpu: 1}}", []),
        ("{type: PersistentVolumeClaim, max: {storage: 1Gi}}", []),
    ],
)
def test_a_limit_range_bounds_the_container_and_the_pod(item: str, sizes: list[int]):
    assert [c.size for c in bounds(limit_range(item))] == sizes


def test_a_limit_range_of_another_namespace_bounds_nothing():
    text = limit_range("{type: Container, max: {memory: 1Gi}}").replace("namespace: shop", "namespace: other")
    assert bounds(text) == []


@pytest.mark.parametrize(
    ("strategy", "size"),
    [
        ("{}", 140 * MI),
        ("{type: Recreate}", 175 * MI),
        ("{rollingUpdate: {maxSurge: 0}}", 175 * MI),
        ("{rollingUpdate: {maxSurge: 3}}", 100 * MI),
        ("{rollingUpdate: {maxSurge: 50%}}", 700 * MI // 6),
    ],
)
def test_a_quota_is_shared_by_all_pods_there_are_during_a_rollout(strategy: str, size: int):
    # 600Mi are left, and the one pod there is gives back its 100Mi: 700Mi for four replicas and the surge.
    quota = """
kind: ResourceQuota
metadata: {name: q, namespace: shop}
status: {hard: {limits.memory: 800Mi}, used: {limits.memory: 200Mi}}
"""
    assert [c.size for c in bounds(quota, strategy=strategy)] == [size]


def test_a_quota_without_limits_memory_bounds_nothing():
    assert bounds("kind: ResourceQuota\nmetadata: {name: q, namespace: shop}\nspec: {hard: {pods: 3}}") == []


def test_the_largest_node_that_takes_pods_is_a_bound():
    text = """
kind: Node
metadata: {name: small}
status: {allocatable: {memory: 2Gi}}
---
kind: Node
metadata: {name: large}
status: {allocatable: {memory: 4Gi}}
---
kind: Node
metadata: {name: cordoned}
spec: {unschedulable: true}
status: {allocatable: {memory: 64Gi}}
"""
    assert bounds(text) == [Ceiling(4096 * MI, "no node has more memory")]


def test_nothing_is_bounded_where_nothing_bounds():
    assert bounds("kind: Namespace\nmetadata: {name: shop}") == []
