"""Which pods count, and when a restart is history."""

from __future__ import annotations

import pytest

from kubemend.model.objects import Deployment
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.events import Events
from kubemend.rules.pod.seen import Seen, containers, judged, of, ongoing, outlived, previous
from worlds import NOW, World, world

AT_NOON = Snapshot.of((), taken_at=NOW)

ROLLOUT = """
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec: {{paused: {paused}}}
---
kind: ReplicaSet
metadata:
  name: web-1
  namespace: shop
  annotations: {{deployment.kubernetes.io/revision: "1"}}
  ownerReferences: [{{kind: Deployment, name: web}}]
spec: {{template: {{spec: {{containers: [{{name: app, image: "a:1"}}]}}}}}}
---
kind: ReplicaSet
metadata:
  name: web-2
  namespace: shop
  annotations: {{deployment.kubernetes.io/revision: "2"}}
  ownerReferences: [{{kind: Deployment, name: web}}]
spec: {{replicas: {replicas}, template: {{spec: {{containers: [{{name: app, image: "a:2"}}]}}}}}}
---
kind: Pod
metadata: {{name: old, namespace: shop, ownerReferences: [{{kind: ReplicaSet, name: web-1}}]}}
status: {{phase: Running, containerStatuses: [{{name: app}}]}}
---
kind: Pod
metadata: {{name: new, namespace: shop, ownerReferences: [{{kind: ReplicaSet, name: web-2}}]}}
status: {{phase: Running, containerStatuses: [{{name: app}}]}}
"""


def rollout(*, paused: str = "false", replicas: int = 1) -> World:
    return world(ROLLOUT.format(paused=paused, replicas=replicas))


def names(made: World) -> list[str]:
    return [p.name for p in judged(made.snapshot)]


def seen(state: str, *, ready: str = "false") -> Seen:
    made = world(f"""
kind: Pod
metadata: {{name: web, namespace: shop}}
status: {{phase: Running, containerStatuses: [{{name: app, restartCount: 3, ready: {ready}, {state}}}]}}
""")
    return next(containers(made.snapshot))


def test_a_pod_of_an_old_revision_is_not_judged_while_it_is_replaced():
    assert names(rollout()) == ["new"]


@pytest.mark.parametrize("change", [{"paused": "true"}, {"replicas": 0}])
def test_a_pod_of_an_old_revision_counts_while_nothing_replaces_it(change: dict):
    assert names(rollout(**change)) == ["new", "old"]


def test_a_pod_counts_when_its_owner_was_not_read():
    assert names(
        world("kind: Pod\nmetadata: {name: a, namespace: b, ownerReferences: [{kind: ReplicaSet, name: r}]}")
    ) == ["a"]


@pytest.mark.parametrize(
    ("status", "owner", "counts"),
    [
        ("{phase: Failed}", "", True),
        ("{phase: Failed, reason: Evicted}", "", False),
        ("{phase: Failed}", "ownerReferences: [{kind: ReplicaSet, name: rs}]", False),
        ("{phase: Failed}", "ownerReferences: [{kind: Job, name: running}]", True),
        ("{phase: Failed}", "ownerReferences: [{kind: Job, name: done}]", False),
        ("{phase: Succeeded}", "", False),
        ("{phase: Running}", "deletionTimestamp: 2026-01-01T12:00:00Z", False),
    ],
)
def test_a_pod_that_is_over_does_not_count(status: str, owner: str, counts: bool):
    made = world(f"""
kind: Pod
metadata: {{name: web, namespace: shop, {owner}}}
status: {status}
---
kind: ReplicaSet
metadata: {{name: rs, namespace: shop}}
---
kind: Job
metadata: {{name: running, namespace: shop}}
---
kind: Job
metadata: {{name: done, namespace: shop}}
status: {{conditions: [{{type: Complete, status: "True"}}]}}
""")
    assert names(made) == (["web"] if counts else [])


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            "state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {finishedAt: 2025-01-01T00:00:00Z}}",
            True,
        ),
        ("state: {terminated: {finishedAt: 2025-01-01T00:00:00Z}}", True),
        ("state: {running: {}}, lastState: {terminated: {finishedAt: 2026-01-01T11:51:00Z}}", True),
        ("state: {running: {}}, lastState: {terminated: {finishedAt: 2026-01-01T11:49:00Z}}", False),
        ("state: {running: {}}", False),
    ],
)
def test_an_end_is_trouble_while_the_container_is_down_or_up_for_less_than_ten_minutes(state: str, expected: bool):
    assert ongoing(seen(state), AT_NOON) is expected


@pytest.mark.parametrize(
    ("started", "ready", "expected"),
    [("11:59:00", "true", True), ("11:59:00", "false", False), ("11:59:40", "true", False)],
)
def test_a_container_outlives_its_last_life_of_twenty_seconds_after_forty(started: str, ready: str, expected: bool):
    last = "{terminated: {startedAt: 2026-01-01T11:58:00Z, finishedAt: 2026-01-01T11:58:20Z}}"
    state = f"state: {{running: {{startedAt: 2026-01-01T{started}Z}}}}, lastState: {last}"
    assert outlived(seen(state, ready=ready), AT_NOON) is expected


def test_the_earlier_revision_is_asked_only_for_a_pod_of_the_newest():
    made = rollout(paused="true")
    by_name = {s.pod.name: s for s in containers(made.snapshot)}
    found = previous(made.snapshot, by_name["new"])
    assert found is not None
    assert (found[0].name, found[1].image) == ("web-1", "a:1")
    assert previous(made.snapshot, by_name["old"]) is None
    assert len(made.snapshot.all(Deployment)) == 1


def test_events_are_of_this_very_pod_and_container_newest_first():
    made = world("""
kind: Pod
metadata: {name: db-0, namespace: shop, uid: second}
status: {containerStatuses: [{name: app}]}
---
kind: Event
metadata: {name: e1, namespace: shop}
involvedObject: {kind: Pod, name: db-0, uid: second, fieldPath: "spec.containers{app}"}
reason: Unhealthy
message: Liveness probe failed
lastTimestamp: 2026-01-01T11:00:00Z
---
kind: Event
metadata: {name: e2, namespace: shop}
involvedObject: {kind: Pod, name: db-0, uid: second}
reason: Unhealthy
message: Liveness probe failed
eventTime: 2026-01-01T11:30:00Z
---
kind: Event
metadata: {name: e3, namespace: shop}
involvedObject: {kind: Pod, name: db-0, uid: second, fieldPath: "spec.containers{proxy}"}
reason: Unhealthy
message: Liveness probe failed
---
kind: Event
metadata: {name: e4, namespace: shop}
involvedObject: {kind: Pod, name: db-0, uid: first}
reason: Unhealthy
message: Liveness probe failed
---
kind: Event
metadata: {name: e5, namespace: shop}
involvedObject: {kind: Node, name: db-0, uid: second}
reason: Unhealthy
message: Liveness probe failed
""")
    pod = next(judged(made.snapshot))
    events = Events(made.snapshot)
    assert [e.name for e in events.of(pod, "Unhealthy", container="app", says="liveness")] == ["e2", "e1"]
    assert events.of(pod, "Killing") == []
    assert [s.name for s in of(pod)] == ["app"]
