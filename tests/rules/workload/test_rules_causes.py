"""One cause, however many rules see its traces: the whole catalogue over one broken world each."""

from __future__ import annotations

from kubemend.engine.catalogue import rules
from kubemend.engine.judge import judge
from worlds import world

WEB = """
kind: Node
metadata: {name: n1}
status: {allocatable: {cpu: "4", memory: 4Gi, pods: "110"}, conditions: [{type: Ready, status: "True"}]}
---
kind: Deployment
metadata: {name: web, namespace: shop, generation: 2}
spec: {replicas: 2, template: {metadata: {labels: {app: web}}}}
status:
  observedGeneration: 2
  conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded}]
---
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}}
"""
WAITING = """
---
kind: ReplicaSet
metadata: {name: web-1, namespace: shop, ownerReferences: [{kind: Deployment, name: web}]}
spec: {replicas: 1}
status: {replicas: 1}
---
kind: Pod
metadata:
  name: web-1-x
  namespace: shop
  labels: {app: web}
  creationTimestamp: 2026-01-01T11:00:00Z
  ownerReferences: [{kind: ReplicaSet, name: web-1}]
spec:
  containers: [{name: app, resources: {requests: {cpu: CPU}}}]
  volumes: [VOLUMES]
status:
  phase: Pending
  conditions: [{type: PodScheduled, status: "False", reason: Unschedulable}]
"""


def causes(text: str) -> dict[str, set[str]]:
    """Each root's code with the codes of its symptoms."""
    report = judge(world(text).snapshot, rules())
    return {d.root.code: {f.code for f in d.symptoms} for d in report.diagnoses}


def test_an_unschedulable_pod_explains_the_stuck_rollout_and_the_dead_service():
    waiting = WAITING.replace("CPU", '"40"').replace("VOLUMES", "")
    assert causes(WEB + waiting) == {"KM201": {"KM401", "KM503"}}


def test_a_missing_storage_class_explains_all_that_waits_for_its_claim():
    claim = """
---
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {storageClassName: no-such}
status: {phase: Pending}
"""
    volume = "{name: data, persistentVolumeClaim: {claimName: data}}"
    waiting = WAITING.replace("CPU", "100m").replace("VOLUMES", volume)
    assert causes(WEB + waiting + claim) == {"KM301": {"KM206", "KM401", "KM503"}}


def test_a_lost_node_explains_that_others_have_no_room():
    lost = """
---
kind: Node
metadata: {name: n2}
spec: {taints: [{key: node.kubernetes.io/unreachable, effect: NoSchedule}]}
status: {allocatable: {cpu: "64", memory: 4Gi, pods: "110"}, conditions: [{type: Ready, status: Unknown}]}
"""
    waiting = WAITING.replace("CPU", '"40"').replace("VOLUMES", "")
    # The rollout is explained by the pod, and through it by the node.
    assert causes(WEB + waiting + lost) == {"KM601": {"KM201", "KM401", "KM503"}}


def test_a_node_under_pressure_explains_the_taint_it_bears():
    pressed = (
        WEB.replace('[{type: Ready, status: "True"}]', '[{type: MemoryPressure, status: "True"}]').replace(
            "metadata: {name: n1}",
            "metadata: {name: n1}\nspec: {taints: [{key: node.kubernetes.io/memory-pressure, effect: NoSchedule}]}",
        )
        + WAITING
    )
    assert causes(pressed.replace("CPU", "100m").replace("VOLUMES", "")) == {"KM602": {"KM203", "KM401", "KM503"}}


def test_an_exceeded_quota_explains_the_stuck_rollout():
    refused = """
---
kind: ResourceQuota
metadata: {name: team, namespace: shop}
status: {hard: {pods: "1"}, used: {pods: "1"}}
---
kind: ReplicaSet
metadata: {name: web-1, namespace: shop, ownerReferences: [{kind: Deployment, name: web}]}
spec: {replicas: 2}
status:
  replicas: 1
  conditions:
    - {type: ReplicaFailure, status: "True", reason: FailedCreate, message: 'forbidden: exceeded quota: team'}
"""
    assert causes(WEB + refused) == {"KM402": {"KM401"}}


def test_a_workload_whose_pods_fail_elsewhere_too_is_not_the_lost_nodes_fault():
    text = """
kind: Node
metadata: {name: n1}
status: {conditions: [{type: Ready, status: "True"}]}
---
kind: Node
metadata: {name: n2}
status: {conditions: [{type: Ready, status: Unknown}]}
---
kind: Deployment
metadata: {name: web, namespace: shop, generation: 2}
spec: {replicas: 2}
status:
  observedGeneration: 2
  conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded}]
---
kind: ReplicaSet
metadata: {name: web-1, namespace: shop, ownerReferences: [{kind: Deployment, name: web}]}
spec: {replicas: 2}
status: {replicas: 2}
---
kind: Pod
metadata: {name: web-1-x, namespace: shop, ownerReferences: [{kind: ReplicaSet, name: web-1}]}
spec: {nodeName: n1}
status: {phase: Running, conditions: [{type: Ready, status: "False"}]}
---
kind: Pod
metadata: {name: web-1-y, namespace: shop, ownerReferences: [{kind: ReplicaSet, name: web-1}]}
spec: {nodeName: n2}
status: {phase: Running, conditions: [{type: Ready, status: "False"}]}
"""
    assert causes(text) == {"KM601": set(), "KM401": set()}
    assert causes(text.replace("nodeName: n1", "nodeName: n2")) == {"KM601": {"KM401"}}
