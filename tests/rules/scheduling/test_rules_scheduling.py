"""Exactly one rule speaks of a waiting pod, and none of one that some node would take."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubemend.kube.scheduling import free, misfit
from kubemend.model.objects import KINDS, Node, Obj, Pod
from kubemend.model.snapshot import Snapshot, Unread
from kubemend.rules.scheduling.affinity_unsatisfiable import affinity_unsatisfiable
from kubemend.rules.scheduling.node_selector_unmatched import node_selector_unmatched
from kubemend.rules.scheduling.nodes_cordoned import nodes_cordoned
from kubemend.rules.scheduling.pod_lacks_node_resources import pod_lacks_node_resources
from kubemend.rules.scheduling.pod_waits_for_claim import pod_waits_for_claim
from kubemend.rules.scheduling.taint_not_tolerated import taint_not_tolerated
from worlds import NOW, decode, world

RULES = (
    affinity_unsatisfiable,
    node_selector_unmatched,
    nodes_cordoned,
    pod_lacks_node_resources,
    pod_waits_for_claim,
    taint_not_tolerated,
)
ZONE = st.sampled_from(["a", "b"])
TAINTS = st.lists(st.sampled_from(["team", "gpu", "node.kubernetes.io/memory-pressure"]), max_size=2, unique=True)


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    return [
        decode(
            {
                "kind": "Node",
                "metadata": {"name": f"n{i}", "labels": {"zone": draw(ZONE)}},
                "spec": {
                    "unschedulable": draw(st.booleans()),
                    "taints": [{"key": k, "effect": "NoSchedule"} for k in draw(TAINTS)],
                },
                "status": {
                    "allocatable": {"cpu": draw(st.sampled_from(["1", "4"])), "pods": "10"},
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            }
        )
        for i in range(draw(st.integers(1, 4)))
    ]


@st.composite
def waiting(draw: st.DrawFn) -> Pod:
    zones = draw(st.lists(ZONE, max_size=1))
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": zones}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return decode(
        {
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "shop", "uid": "p", "creationTimestamp": "2026-01-01T11:00:00Z"},
            "spec": {
                "nodeSelector": {"zone": draw(ZONE)} if draw(st.booleans()) else {},
                "affinity": {"nodeAffinity": required} if zones else None,
                "tolerations": [{"key": k, "operator": "Exists"} for k in draw(TAINTS)],
                "containers": [
                    {"name": "app", "resources": {"requests": {"cpu": draw(st.sampled_from(["500m", "2"]))}}}
                ],
            },
            "status": {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
            },
        }
    )


def seen(objects: list[Obj]) -> list[str]:
    snapshot = Snapshot.of(objects, taken_at=NOW, kinds=KINDS.values())
    return [r.__name__ for r in RULES for _ in r(snapshot)]


@settings(max_examples=150, deadline=None)
@given(nodes(), waiting())
def test_one_rule_speaks_if_and_only_if_no_node_would_take_the_pod(held: list[Node], pod: Pod):
    fits = [n for n in held if not misfit(pod.spec, {}, n, free(n, ()))]
    assert len(seen([*held, pod])) == (0 if fits else 1)


NODE = """
kind: Node
metadata: {name: n1}
spec: {unschedulable: true}
status: {allocatable: {cpu: "4", pods: "110"}, conditions: [{type: Ready, status: "True"}]}
---
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: app}]}
status:
  phase: Pending
  conditions: [{type: PodScheduled, status: "False", reason: Unschedulable}]
"""


@pytest.mark.parametrize(
    ("given_", "confidence"),
    [({}, 0.9), ({"namespace": "shop"}, 0.6), ({"unread": (Unread("Pod", "forbidden", "other"),)}, 0.6)],
)
def test_room_on_a_node_is_trusted_less_when_not_all_pods_were_read(given_, confidence):
    objects = [o for held in world(NODE).snapshot.objects.values() for o in held.values()]
    snapshot = Snapshot.of(objects, taken_at=NOW, kinds=KINDS.values(), **given_)
    assert [o.confidence for o in nodes_cordoned(snapshot)] == [confidence]


def test_a_thousand_waiting_pods_of_one_workload_are_judged_as_one():
    owner = [{"kind": "ReplicaSet", "name": "web", "uid": "rs", "controller": True, "apiVersion": "apps/v1"}]
    text = world(NODE).raw
    pod = next(o for r, o in text.items() if r.kind == "Pod")
    many = [
        decode({**pod, "metadata": {"name": f"w{i}", "namespace": "shop", "uid": f"w{i}", "ownerReferences": owner}})
        for i in range(1000)
    ]
    plain_nodes = [
        decode(
            {"kind": "Node", "metadata": {"name": f"n{i}"}, "spec": {"taints": [{"key": "t", "effect": "NoSchedule"}]}}
        )
        for i in range(500)
    ]
    assert seen([*many, *plain_nodes]) == ["taint_not_tolerated"] * 1000
