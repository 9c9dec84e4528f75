"""Where a repair is written, what it leaves behind to be made anew, and how long it is given."""

from __future__ import annotations

import pytest

from kubemend.model.finding import Diagnosis, Finding, Severity
from kubemend.model.objects import KINDS, Pod
from kubemend.model.plan import Declined
from kubemend.model.ref import Ref
from kubemend.remedies.site import Site, before, container_before, proposal, site, stragglers, thriving, verified
from kubemend.remedies.template import shape
from worlds import World, world


def diagnosis(kind: str, name: str, *, about: str = "web-x", container: str | None = "app") -> Diagnosis:
    target = Ref(kind, "shop", name, KINDS[kind].group)
    root = Finding(
        code="KM102",
        title="",
        severity=Severity.ERROR,
        about=Ref("Pod", "shop", about),
        subject=target,
        target=target,
        message="",
        evidence=(),
        confidence=1.0,
        facts={"container": container, "init": False},
    )
    return Diagnosis(root=root)


def found(made: World, kind: str, name: str = "web") -> Site:
    held = site(diagnosis(kind, name), made.snapshot)
    assert isinstance(held, Site), held
    return held


TEMPLATE = 'template: {spec: {containers: [{name: app, image: "a:1"}]}}'


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ("kind: Deployment\nmetadata: {name: other, namespace: shop}", "Deployment", "is no longer there"),
        ("kind: Deployment\nmetadata: {name: web, namespace: shop}", "Deployment", "no longer has a container 'app'"),
        (
            "kind: Deployment\nmetadata: {name: web, namespace: shop, deletionTimestamp: 2026-01-01T12:00:00Z}",
            "Deployment",
            "is being deleted",
        ),
        ("kind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {paused: true}", "Deployment", "is paused"),
        (
            "kind: StatefulSet\nmetadata: {name: web, namespace: shop}\n"
            "spec: {updateStrategy: {rollingUpdate: {partition: 2}}}",
            "StatefulSet",
            "in stages",
        ),
        ("kind: Job\nmetadata: {name: web, namespace: shop}", "Job", "made anew"),
        ("kind: CronJob\nmetadata: {name: web, namespace: shop}", "CronJob", "next run only"),
        ("kind: ReplicaSet\nmetadata: {name: web, namespace: shop}", "ReplicaSet", "are not replaced"),
    ],
)
def test_a_template_that_cannot_be_changed_to_any_effect_is_declined(text: str, kind: str, why: str):
    held = site(diagnosis(kind, "web"), world(text).snapshot)
    assert isinstance(held, Declined)
    assert why in held.why


def test_a_change_that_changes_nothing_is_declined():
    made = world(f"kind: DaemonSet\nmetadata: {{name: web, namespace: shop}}\nspec: {{{TEMPLATE}}}")
    held = found(made, "DaemonSet")
    terms = verified(held, diagnosis("DaemonSet", "web"), made.snapshot)
    again = proposal(held, made.snapshot, shape(held.template), "why", 0.9, terms)
    assert again == Declined("DaemonSet shop/web is already as it should be")


PODS = """
---
kind: Pod
metadata: {{name: web-0, namespace: shop, ownerReferences: [{{kind: {kind}, name: web}}]}}
status: {{phase: Running, conditions: [{{type: Ready, status: "True"}}]}}
---
kind: Pod
metadata: {{name: web-1, namespace: shop, ownerReferences: [{{kind: {kind}, name: web}}]}}
status: {{phase: Running}}
---
kind: Pod
metadata:
  name: web-2
  namespace: shop
  deletionTimestamp: 2026-01-01T12:00:00Z
  ownerReferences: [{{kind: {kind}, name: web}}]
status: {{phase: Running}}
"""


@pytest.mark.parametrize(
    ("kind", "spec", "evicted"),
    [
        ("StatefulSet", "", ["web-1"]),
        ("StatefulSet", "podManagementPolicy: Parallel,", []),
        ("StatefulSet", "podManagementPolicy: Parallel, updateStrategy: {type: OnDelete},", ["web-1"]),
        ("DaemonSet", "", []),
        ("DaemonSet", "updateStrategy: {type: OnDelete},", ["web-1"]),
        ("Deployment", "", []),
    ],
)
def test_pods_that_the_controller_would_leave_broken_are_evicted(kind: str, spec: str, evicted: list[str]):
    text = f"kind: {kind}\nmetadata: {{name: web, namespace: shop}}\nspec: {{{spec} {TEMPLATE}}}"
    made = world(text + PODS.format(kind=kind))
    assert [e.target.name for e in stragglers(found(made, kind).obj, made.snapshot)] == evicted


REVISIONS = """
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  replicas: {replicas}
  template: {{spec: {{containers: [{{name: app, readinessProbe: {{initialDelaySeconds: {delay}}}}}]}}}}
---
kind: ReplicaSet
metadata:
  name: web-1
  namespace: shop
  annotations: {{deployment.kubernetes.io/revision: "1"}}
  ownerReferences: [{{kind: Deployment, name: web}}]
spec: {{template: {{spec: {{containers: [{{name: app, image: "a:1"}}]}}}}}}
status: {{readyReplicas: {ready}}}
---
kind: ReplicaSet
metadata:
  name: web-2
  namespace: shop
  annotations: {{deployment.kubernetes.io/revision: "2"}}
  ownerReferences: [{{kind: Deployment, name: web}}]
"""


def revisions(*, replicas: int = 1, ready: int = 0, delay: int = 0) -> World:
    return world(REVISIONS.format(replicas=replicas, ready=ready, delay=delay))


@pytest.mark.parametrize(("ready", "confidence"), [(1, 0.92), (0, 0.75)])
def test_an_earlier_revision_is_trusted_more_when_it_has_ready_replicas(ready: int, confidence: float):
    made = revisions(ready=ready)
    held = before(found(made, "Deployment"), made.snapshot)
    assert held is not None
    assert (held.title, held.confidence) == ("revision 1", confidence)
    old = container_before(found(made, "Deployment"), made.snapshot)
    assert old is not None
    assert old[0].image == "a:1"


@pytest.mark.parametrize(
    ("replicas", "delay", "seconds"), [(1, 0, 120), (1, 100, 205), (4, 100, 640), (50, 100, 640), (50, 400, 900)]
)
def test_a_rollout_is_given_time_for_its_waves(replicas: int, delay: int, seconds: float):
    made = revisions(replicas=replicas, delay=delay)
    assert verified(found(made, "Deployment"), diagnosis("Deployment", "web"), made.snapshot).within_s == seconds


@pytest.mark.parametrize(("ended", "steady"), [("11:50:00", 3), ("11:50:20", 24), ("11:59:00", 60)])
def test_a_repair_must_hold_for_longer_than_the_last_life(ended: str, steady: float):
    text = f"""
kind: DaemonSet
metadata: {{name: web, namespace: shop}}
spec: {{{TEMPLATE}}}
---
kind: Pod
metadata: {{name: web-x, namespace: shop}}
status:
  containerStatuses:
    - name: app
      lastState: {{terminated: {{startedAt: 2026-01-01T11:50:00Z, finishedAt: 2026-01-01T{ended}Z}}}}
"""
    made = world(text)
    assert verified(found(made, "DaemonSet"), diagnosis("DaemonSet", "web"), made.snapshot).steady_s == steady


@pytest.mark.parametrize(
    ("change", "well"),
    [
        ("", ["web-b"]),
        ("restartCount: 1", []),
        ("startTime: 2026-01-01T11:59:50Z", []),
        ("controller-revision-hash: other", []),
    ],
)
def test_only_a_settled_pod_of_the_same_revision_shows_that_the_template_works(change: str, well: list[str]):
    status = "startTime: 2026-01-01T11:00:00Z" if "startTime" not in change else change
    count = change if "restartCount" in change else "restartCount: 0"
    labels = change if "hash" in change else "controller-revision-hash: same"
    made = world(f"""
kind: DaemonSet
metadata: {{name: web, namespace: shop}}
---
kind: Pod
metadata:
  name: web-a
  namespace: shop
  labels: {{controller-revision-hash: same}}
  ownerReferences: [{{kind: DaemonSet, name: web}}]
---
kind: Pod
metadata: {{name: web-b, namespace: shop, labels: {{{labels}}}, ownerReferences: [{{kind: DaemonSet, name: web}}]}}
status:
  phase: Running
  {status}
  conditions: [{{type: Ready, status: "True"}}]
  containerStatuses: [{{name: app, {count}}}]
""")
    pod = made.snapshot.get(Pod, "shop", "web-a")
    assert pod is not None
    assert [p.name for p in thriving(pod, made.snapshot)] == well
