"""Rollouts: complete when `kubectl rollout status` says so, and the revision to go back to."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from kubemend.kube.rollout import active, last_stable, progress, ready, restarts, template_equal
from kubemend.model.objects import DaemonSet, Deployment, Event, Job, Pod, PodTemplate, ReplicaSet, StatefulSet

GENERATION = 2


def workload(kind, spec=None, **status):
    raw = {
        "metadata": {"name": "web", "generation": GENERATION},
        "spec": spec or {},
        "status": {"observedGeneration": GENERATION, **status},
    }
    return msgspec.convert(raw, kind)


def condition(type_, status="True", reason=""):
    return {"type": type_, "status": status, "reason": reason}


ROLLING = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}, "replicas": 3}
PLAIN = {"updateStrategy": {"type": "RollingUpdate"}, "replicas": 3}
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}, "replicas": 3}


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (workload(Deployment, {"replicas": 0}), "all 0 replicas are updated and available"),
        (
            workload(Deployment, {"replicas": 2}, replicas=2, updatedReplicas=2, availableReplicas=2),
            "all 2 replicas are updated and available",
        ),
        (
            workload(StatefulSet, ROLLING, readyReplicas=3, updatedReplicas=2),
            "all 3 replicas are ready and 2 are updated",
        ),
        (
            workload(StatefulSet, PLAIN, readyReplicas=3, updatedReplicas=3, currentRevision="b", updateRevision="b"),
            "all 3 replicas are ready and 3 are updated",
        ),
        (
            workload(StatefulSet, ON_DELETE, readyReplicas=3),
            "all 3 replicas are ready; updates wait for pods to be deleted",
        ),
        (
            workload(DaemonSet, desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=2),
            "all 2 pods are available",
        ),
        (
            workload(DaemonSet, {"updateStrategy": {"type": "OnDelete"}}, desiredNumberScheduled=2, numberAvailable=2),
            "all 2 pods are available",
        ),
        (workload(ReplicaSet, {"replicas": 2}, replicas=2, availableReplicas=2), "all 2 replicas are available"),
        (workload(Job, succeeded=3, conditions=[condition("Complete")]), "complete with 3 succeeded pods"),
        (workload(Pod, phase="Running", conditions=[condition("Ready")]), "the pod is ready"),
        (workload(Pod, phase="Succeeded"), "the pod has succeeded"),
    ],
)
def test_a_finished_rollout_is_complete(obj, why):
    found = progress(obj)
    assert (found.complete, found.failed, found.why) == (True, False, why)


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (workload(Deployment, {"replicas": 3}, replicas=3, updatedReplicas=1), "1 of 3 new replicas are updated"),
        (
            workload(Deployment, {"replicas": 3}, replicas=4, updatedReplicas=3, availableReplicas=3),
            "1 old replicas are pending termination",
        ),
        (
            workload(Deployment, {"replicas": 3}, replicas=3, updatedReplicas=3, availableReplicas=2),
            "2 of 3 replicas are available",
        ),
        (workload(StatefulSet, PLAIN, readyReplicas=2), "2 of 3 replicas are ready"),
        (workload(StatefulSet, ON_DELETE, readyReplicas=2), "2 of 3 replicas are ready"),
        (
            workload(StatefulSet, ROLLING, readyReplicas=3, updatedReplicas=1),
            "1 of 2 replicas above the partition are updated",
        ),
        (
            workload(StatefulSet, PLAIN, readyReplicas=3, updatedReplicas=1, currentRevision="a", updateRevision="b"),
            "1 of 3 replicas are at b",
        ),
        (
            workload(DaemonSet, desiredNumberScheduled=2, updatedNumberScheduled=1, numberAvailable=2),
            "1 of 2 pods are updated",
        ),
        (
            workload(DaemonSet, desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=1),
            "1 of 2 pods are available",
        ),
        (workload(ReplicaSet, {"replicas": 2}, replicas=3, availableReplicas=3), "3 of 2 replicas exist"),
        (workload(ReplicaSet, {"replicas": 2}, replicas=2, availableReplicas=1), "1 of 2 replicas are available"),
        (workload(Job, {"completions": 4}, succeeded=3), "3 of 4 pods have succeeded"),
        (workload(Job, {"suspend": True}), "the job is suspended"),
        (workload(Pod, phase="Running", conditions=[condition("Ready", "False")]), "the pod is Running and not ready"),
        (workload(Pod), "the pod is without a phase and not ready"),
    ],
)
def test_an_unfinished_rollout_says_what_it_waits_for(obj, why):
    found = progress(obj)
    assert (found.complete, found.failed, found.why) == (False, False, why)


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (
            workload(Deployment, conditions=[condition("Progressing", "False", "ProgressDeadlineExceeded")]),
            "the progress deadline is exceeded",
        ),
        (
            workload(Job, conditions=[condition("Failed", reason="BackoffLimitExceeded")]),
            "failed: BackoffLimitExceeded",
        ),
        (workload(Pod, phase="Failed", reason="Evicted"), "the pod has failed: Evicted"),
    ],
)
def test_a_rollout_that_cannot_come_right_by_waiting_has_failed(obj, why):
    found = progress(obj)
    assert (found.complete, found.failed, found.why) == (False, True, why)


@pytest.mark.parametrize("kind", [Deployment, StatefulSet, DaemonSet, ReplicaSet])
def test_a_change_that_its_controller_has_not_seen_is_not_complete(kind):
    obj = workload(kind, {"replicas": 0} if kind is not DaemonSet else {}, observedGeneration=GENERATION - 1)
    found = progress(obj)
    assert (found.complete, found.why) == (False, "generation 2 isn't observed by its controller yet")


def test_an_old_deadline_does_not_fail_a_rollout_that_is_not_observed_yet():
    late = [condition("Progressing", "False", "ProgressDeadlineExceeded")]
    assert not progress(workload(Deployment, observedGeneration=1, conditions=late)).failed


def test_a_kind_without_a_rollout_is_refused():
    with pytest.raises(TypeError, match="Event has no rollout"):
        progress(Event())


def deleting(pod):
    metadata = msgspec.structs.replace(pod.metadata, deletion_timestamp=datetime(2026, 1, 1, tzinfo=UTC))
    return msgspec.structs.replace(pod, metadata=metadata)


def test_a_pod_counts_until_it_is_finished_or_being_deleted():
    running = workload(Pod, phase="Running", conditions=[condition("Ready")])
    assert active(running)
    assert not active(deleting(running))
    assert not active(workload(Pod, phase="Succeeded"))
    assert not active(workload(Pod, phase="Failed"))


def test_a_pod_being_deleted_is_not_complete_even_if_ready():
    pod = deleting(workload(Pod, phase="Running", conditions=[condition("Ready")]))
    assert ready(pod)
    assert progress(pod).failed


def test_restarts_of_init_containers_count_too():
    pod = workload(
        Pod,
        containerStatuses=[{"name": "a", "restartCount": 2}, {"name": "b", "restartCount": 1}],
        initContainerStatuses=[{"name": "i", "restartCount": 4}],
    )
    assert restarts(pod) == 7


def revision(number, *, available=0, ready_replicas=0):
    raw = {
        "metadata": {"name": f"web-{number}", "annotations": {"deployment.kubernetes.io/revision": str(number)}},
        "status": {"availableReplicas": available, "readyReplicas": ready_replicas},
    }
    return msgspec.convert(raw, ReplicaSet)


@pytest.mark.parametrize(
    ("revisions", "current", "back_to"),
    [
        ([revision(3), revision(2), revision(1, available=2)], 3, "web-1"),
        ([revision(3), revision(2, ready_replicas=1), revision(1, available=2)], 3, "web-1"),
        ([revision(3), revision(2, ready_replicas=1), revision(1)], 3, "web-2"),
        ([revision(1), revision(2), revision(3)], 3, "web-2"),
        ([revision(10), revision(9)], 10, "web-9"),
        ([revision(3), revision(2)], 2, None),
        ([revision(3)], 3, None),
        ([], None, None),
        ([revision(2), revision(1)], None, "web-2"),
    ],
)
def test_the_revision_to_go_back_to_is_proven_or_else_the_one_before(revisions, current, back_to):
    held = next((r for r in revisions if r.name == f"web-{current}"), None)
    found = last_stable(revisions, held)
    assert (found and found.name) == back_to


def test_templates_are_equal_but_for_the_hash_label():
    one = {"metadata": {"labels": {"app": "web", "pod-template-hash": "1"}}, "spec": {"nodeName": "n"}}
    two = {"metadata": {"labels": {"app": "web", "pod-template-hash": "2"}}, "spec": {"nodeName": "n"}}
    other = {"metadata": {"labels": {"app": "web"}}, "spec": {"nodeName": "m"}}
    a, b, c = (msgspec.convert(t, PodTemplate) for t in (one, two, other))
    assert template_equal(a, b)
    assert not template_equal(a, c)
