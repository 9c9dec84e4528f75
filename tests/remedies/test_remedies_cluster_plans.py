"""What cases can't say of the strategies for scheduling, storage, services, workloads and nodes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kubemend.engine.catalogue import rules, strategies
from kubemend.model.finding import Cite, Diagnosis
from kubemend.model.plan import Create, Declined, Plan, Scale
from kubemend.remedies.room import places
from worlds import load, world

CASES = Path(__file__).parent / "cases"
RULES = {r.code: r for r in rules()}
STRATEGIES = {s.id: s for s in strategies()}
MINE = (
    "add-toleration",
    "fix-ingress-backend",
    "fix-node-selector",
    "fix-service-selector",
    "fix-service-target-port",
    "lower-resource-request",
    "restore-affinity",
    "restore-claim-name",
    "restore-resources-to-quota",
    "restore-service-account",
    "restore-toleration",
    "scale-down-to-quota",
    "scale-to-history",
    "set-storage-class",
    "uncordon-node",
)


def planned(case: str) -> Plan:
    strategy = STRATEGIES[case.partition("/")[0]]
    held = load(CASES / f"{case}.yaml")
    codes = [held.expect["code"]] if "code" in held.expect else strategy.cures
    root = next(f for code in codes for f in RULES[code].findings(held.snapshot))
    plan = strategy.plan(Diagnosis(root=root), held.snapshot)
    assert not isinstance(plan, Declined), plan
    return plan


@pytest.mark.parametrize(
    "case", [f"{p.parent.name}/{p.stem}" for s in MINE for p in sorted((CASES / s).glob("plans-*.yaml"))]
)
def test_a_plan_read_back_from_the_ledger_is_the_same(case):
    plan = planned(case)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


@pytest.mark.parametrize(
    ("case", "was", "replicas"),
    [
        ("scale-to-history/plans-the-autoscalers-minimum", 0, 2),
        ("scale-to-history/plans-what-was-applied", 0, 2),
        ("scale-down-to-quota/plans-what-the-quota-holds", 8, 3),
    ],
)
def test_replicas_are_set_to_what_there_was_or_can_be(case, was, replicas):
    (change,) = planned(case).changes
    assert isinstance(change, Scale)
    assert (change.was, change.replicas) == (was, replicas)


def test_a_claim_made_anew_keeps_all_but_its_class():
    create = planned("set-storage-class/plans-near-match").changes[1]
    assert isinstance(create, Create)
    assert create.manifest == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop", "labels": {"app": "db"}, "annotations": {"team": "data"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "volumeMode": "Filesystem",
            "storageClassName": "standard",
        },
    }


@pytest.mark.parametrize("field", ["selector", "dataSource", "dataSourceRef", "volumeAttributesClassName"])
def test_a_claim_with_a_field_that_is_not_read_is_refused_on_the_fresh_read(field):
    plan = planned("set-storage-class/plans-near-match")
    assert Cite(plan.target, f"/spec/{field}", None) in plan.requires


ROOM = """
kind: Node
metadata: {name: n1, labels: {zone: a}}
status: {allocatable: {cpu: "2", pods: "110"}, conditions: [{type: Ready, status: "True"}]}
---
kind: Node
metadata: {name: n2, labels: {zone: b}}
status: {allocatable: {cpu: "1", pods: "110"}, conditions: [{type: Ready, status: "True"}]}
---
kind: Pod
metadata: {name: there, namespace: shop, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: app, resources: {requests: {cpu: 500m}}}]}
status: {phase: Running}
---
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: TEMPLATE}
"""


@pytest.mark.parametrize(
    ("spec", "fits"),
    [
        ("{containers: [{name: app, resources: {requests: {cpu: 500m}}}]}", 5),
        ("{containers: [{name: app, resources: {requests: {cpu: 600m}}}]}", 3),
        ("{nodeSelector: {zone: b}, containers: [{name: app, resources: {requests: {cpu: 500m}}}]}", 2),
        (
            "{containers: [{name: app, resources: {requests: {cpu: 500m}}}], affinity: {podAntiAffinity: "
            "{requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone, "
            "labelSelector: {matchLabels: {app: web}}}]}}}",
            2,
        ),
    ],
)
def test_pods_are_placed_one_after_the_other_on_what_is_left(spec, fits):
    from kubemend.model.objects import Deployment

    snapshot = world(ROOM.replace("TEMPLATE", f"{{metadata: {{labels: {{app: web}}}}, spec: {spec}}}")).snapshot
    (deployment,) = snapshot.all(Deployment)
    assert places(deployment.spec.template, "shop", snapshot, wanted=10) == fits
