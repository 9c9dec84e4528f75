"""Whose lack of room a repair answers for: that of pods its own could crowd out, and of no others."""

from __future__ import annotations

import pytest

from kubemend.engine.catalogue import rules
from kubemend.engine.guard.verification import Seen, look
from kubemend.model.access import Risk
from kubemend.model.plan import Plan, Scale, Verify
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State, Step
from worlds import NOW, world

WEB = Ref("Deployment", "shop", "web", "apps")
WORLD = """
kind: Node
metadata: {name: n1}
status: {allocatable: {cpu: "4", memory: 8Gi, pods: "110"}, conditions: [{type: Ready, status: "True"}]}
---
kind: Deployment
metadata: {name: web, namespace: shop, generation: 2}
spec: {replicas: 1, selector: {matchLabels: {app: web}}}
status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1}
---
kind: ReplicaSet
metadata: {name: web-1, namespace: shop, ownerReferences: [{kind: Deployment, name: web}]}
spec: {replicas: 1}
status: {replicas: 1, readyReplicas: 1, availableReplicas: 1}
---
kind: Pod
metadata: {name: web-1-x, namespace: shop, labels: {app: web}, ownerReferences: [{kind: ReplicaSet, name: web-1}]}
spec: {nodeName: n1, containers: [{name: app, image: a:1, resources: {requests: {memory: 6Gi}}}]}
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
---
kind: Deployment
metadata: {name: report, namespace: other}
spec: {replicas: 2}
---
kind: ReplicaSet
metadata: {name: report-1, namespace: other, ownerReferences: [{kind: Deployment, name: report}]}
spec: {replicas: 2}
status: {replicas: 2}
---
kind: Pod
metadata: {name: report-1-x, namespace: other, ownerReferences: [{kind: ReplicaSet, name: report-1}]}
spec: {nodeName: n1, containers: [{name: app, image: a:1}]}
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
---
kind: Pod
metadata:
  name: report-1-y
  namespace: other
  creationTimestamp: 2026-01-01T11:50:00Z
  ownerReferences: [{kind: ReplicaSet, name: report-1}]
spec: {containers: [{name: app, image: a:1, resources: {requests: {memory: ASKED}}}]}
status: {phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable}]}
"""


def repair() -> Repair:
    plan = Plan(
        strategy="scale-to-history", code="KM404", fingerprint="f", target=WEB, risk=Risk.LOW, confidence=0.9,
        reason="", changes=(Scale(target=WEB, uid="u", was=0, replicas=1),), verify=Verify(healthy=(WEB,)),
    )  # fmt: skip
    return Repair(
        id="r1", cluster="c", incident="i1", plan=plan, state=State.VERIFYING, created_at=NOW, updated_at=NOW,
        steps=(Step(),),
    )  # fmt: skip


@pytest.mark.parametrize(("asked", "seen"), [("4Gi", Seen.BAD), ("640Gi", Seen.WELL)])
def test_a_pod_that_no_empty_node_would_take_was_not_crowded_out_by_the_repair(asked: str, seen: Seen):
    found = look(repair(), world(WORLD.replace("ASKED", asked)).snapshot, rules())
    assert found.seen is seen, found.why
    assert ("neighbour Deployment other/report now shows KM201" in found.why) is (seen is Seen.BAD)
