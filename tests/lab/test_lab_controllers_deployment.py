"""Deployments: rolled out, stuck, rolled back, scaled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import SPACE, Lab, container, counted, gone, names, plain, running, told, workload

from kubemend.lab.controllers.rolling import Limits, Size, grown, limits, proportional, shrunk
from kubemend.lab.fields import annotated, deleting, labels, name, spec, status

REVISION = "deployment.kubernetes.io/revision"


def image(to: str) -> dict:
    return {"spec": {"template": {"spec": {"containers": [container(to)]}}}}


def revisions(lab: Lab) -> dict[str, tuple[str, int]]:
    """Image → (revision, replicas) of each ReplicaSet."""
    return {
        spec(s)["template"]["spec"]["containers"][0]["image"]: (annotated(s)[REVISION], spec(s)["replicas"])
        for s in lab.store.all("ReplicaSet", SPACE)
    }


def rolled_out(replicas: int):
    return counted("Deployment", "web", replicas=replicas, updatedReplicas=replicas, availableReplicas=replicas)


async def test_a_deployment_becomes_available_with_its_first_revision():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=3))
        found = await lab.until(rolled_out(3))
        assert annotated(found)[REVISION] == "1"
        assert {c["type"]: (c["status"], c["reason"]) for c in status(found)["conditions"]} == {
            "Available": ("True", "MinimumReplicasAvailable"),
            "Progressing": ("True", "NewReplicaSetAvailable"),
        }
        only = lab.store.all("ReplicaSet", SPACE)[0]
        assert labels(only)["pod-template-hash"] == name(only).removeprefix("web-")
        assert all(labels(p)["pod-template-hash"] == labels(only)["pod-template-hash"] for p in lab.pods())
        assert lab.events("web", "ScalingReplicaSet") == [f"Scaled up replica set {name(only)} from 0 to 3"]


async def test_a_new_template_rolls_to_a_new_revision():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=2))
        await lab.until(rolled_out(2))
        await lab.patch("Deployment", "web", image("registry.lab/web:1.1"))
        await lab.until(lambda seen: rolled_out(2)(seen) and revisions(lab)["registry.lab/web:1.0"][1] == 0)
        assert revisions(lab) == {"registry.lab/web:1.0": ("1", 0), "registry.lab/web:1.1": ("2", 2)}
        assert annotated(lab.get("Deployment", "web"))[REVISION] == "2"


async def test_going_back_to_an_old_template_reuses_its_replica_set_with_a_new_revision():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=2))
        await lab.until(rolled_out(2))
        before = names(lab.store.all("ReplicaSet", SPACE))
        await lab.patch("Deployment", "web", image("registry.lab/web:1.1"))
        await lab.until(lambda seen: rolled_out(2)(seen) and annotated(lab.get("Deployment", "web"))[REVISION] == "2")
        await lab.patch("Deployment", "web", image("registry.lab/web:1.0"))
        await lab.until(lambda seen: rolled_out(2)(seen) and annotated(lab.get("Deployment", "web"))[REVISION] == "3")
        old = lab.get("ReplicaSet", before[0])
        assert annotated(old)[REVISION] == "3"
        assert annotated(old)["deployment.kubernetes.io/revision-history"] == "1"
        assert len(lab.store.all("ReplicaSet", SPACE)) == 2


async def test_a_bad_image_gets_stuck_with_the_old_pods_left_available():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=4, progressDeadlineSeconds=10))
        await lab.until(rolled_out(4))
        await lab.patch("Deployment", "web", image("registry.lab/web:9.9"))
        said = await lab.until(told("Deployment", "web", "Progressing", "ProgressDeadlineExceeded"))
        assert said["status"] == "False"
        assert said["message"].endswith("has timed out progressing.")
        found = lab.get("Deployment", "web")
        # 25 % of 4: one more and one fewer are allowed.
        assert (status(found)["replicas"], status(found)["updatedReplicas"]) == (5, 2)
        assert (status(found)["availableReplicas"], status(found)["unavailableReplicas"]) == (3, 2)
        await lab.patch("Deployment", "web", image("registry.lab/web:1.0"))
        await lab.until(rolled_out(4))
        await lab.until(told("Deployment", "web", "Progressing", "NewReplicaSetAvailable"))


async def test_a_revision_that_dies_at_once_never_replaces_an_available_pod():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=1))
        before = names((await lab.until(rolled_out(1)), *lab.pods()))
        dying = {**container("busybox:1.36"), "command": ["sh", "-c", "exit 3"]}
        await lab.patch("Deployment", "web", {"spec": {"template": {"spec": {"containers": [dying]}}}})
        crashed = await lab.until(lambda seen: [p for p in seen.all("Pod", SPACE) if "CrashLoopBackOff" in str(p)])
        assert not any(s["ready"] for p in crashed for s in status(p)["containerStatuses"])
        assert set(before[1:]) < set(names(lab.pods()))


async def test_recreate_ends_all_old_pods_before_it_makes_new_ones():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=2, strategy={"type": "Recreate"}))
        await lab.until(rolled_out(2))
        old = set(names(lab.pods()))
        seen_together = []

        def watch(_change, obj, _before):
            if obj["kind"] == "Pod":
                now = {name(p) for p in lab.pods()}
                seen_together.append(bool(now & old) and bool(now - old))

        lab.machinery.seen.listen(watch)
        await lab.patch("Deployment", "web", image("registry.lab/web:1.1"))
        await lab.until(lambda seen: rolled_out(2)(seen) and not old & set(names(lab.pods())))
        assert not any(seen_together)


async def test_replicas_are_followed_up_and_down():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=1))
        await lab.until(rolled_out(1))
        await lab.patch("Deployment", "web", {"spec": {"replicas": 4}})
        await lab.until(rolled_out(4))
        await lab.patch("Deployment", "web", {"spec": {"replicas": 0}})
        await lab.until(lambda seen: rolled_out(0)(seen) and not lab.pods())
        assert annotated(lab.get("Deployment", "web"))[REVISION] == "1"


async def test_a_paused_deployment_doesn_t_roll_until_it_is_resumed():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=1, paused=False))
        await lab.until(rolled_out(1))
        await lab.patch("Deployment", "web", {"spec": {"paused": True, **image("registry.lab/web:1.1")["spec"]}})
        await lab.until(told("Deployment", "web", "Progressing", "DeploymentPaused"))
        assert set(revisions(lab)) == {"registry.lab/web:1.0"}
        await lab.patch("Deployment", "web", {"spec": {"paused": False}})
        await lab.until(rolled_out(1))
        await lab.until(lambda seen: revisions(lab).get("registry.lab/web:1.1") == ("2", 1))


async def test_pods_refused_by_a_quota_are_told_on_the_deployment_and_made_once_there_is_room():
    async with running() as lab:
        await lab.create(plain("ResourceQuota", "small", spec={"hard": {"pods": "1"}}))
        await lab.create(workload("Deployment", replicas=2))
        said = await lab.until(told("Deployment", "web", "ReplicaFailure", "FailedCreate"))
        assert (
            "is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1" in said["message"]
        )
        assert lab.events("web-", "FailedCreate")[0].startswith('Error creating: pods "web-')
        await lab.patch("ResourceQuota", "small", {"spec": {"hard": {"pods": "5"}}})
        await lab.until(rolled_out(2))
        await lab.until(lambda seen: "ReplicaFailure" not in str(seen.find("Deployment", SPACE, "web")["status"]))


async def test_old_replica_sets_beyond_the_history_limit_are_deleted():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=1, revisionHistoryLimit=1))
        for tag in ("1.0", "1.1", "1.2"):
            await lab.patch("Deployment", "web", image(f"registry.lab/web:{tag}"))
            await lab.until(
                lambda seen, tag=tag: rolled_out(1)(seen) and revisions(lab).get(f"registry.lab/web:{tag}", ("", 0))[1]
            )
        await lab.until(lambda seen: set(revisions(lab)) == {"registry.lab/web:1.1", "registry.lab/web:1.2"})


async def test_an_orphaned_replica_set_is_adopted_by_a_deployment_made_anew():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=2))
        await lab.until(rolled_out(2))
        pods, sets = names(lab.pods()), names(lab.store.all("ReplicaSet", SPACE))
        await lab.delete("Deployment", "web", propagation="Orphan")
        await lab.until(gone("Deployment", "web"))
        assert lab.get("ReplicaSet", sets[0])["metadata"].get("ownerReferences") in (None, [])
        await lab.create(workload("Deployment", replicas=2))
        await lab.until(rolled_out(2))
        assert (names(lab.pods()), names(lab.store.all("ReplicaSet", SPACE))) == (pods, sets)


async def test_a_deployment_made_anew_at_once_gets_pods_of_its_own():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=2))
        await lab.until(rolled_out(2))
        old = set(names(lab.pods()))
        await lab.delete("Deployment", "web")
        await lab.create(workload("Deployment", replicas=2))
        await lab.until(lambda seen: rolled_out(2)(seen) and not old & set(names(lab.pods())))


async def test_a_pod_whose_labels_no_longer_match_is_let_go_and_replaced():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=1))
        await lab.until(rolled_out(1))
        away = lab.pods()[0]
        await lab.patch("Pod", name(away), {"metadata": {"labels": {"app": "quarantined"}}})
        await lab.until(lambda seen: rolled_out(1)(seen) and len(lab.pods(app="web")) == 1)
        assert not lab.get("Pod", name(away))["metadata"].get("ownerReferences")
        assert not deleting(lab.get("Pod", name(away)))


async def test_min_ready_seconds_delay_availability():
    async with running() as lab:
        await lab.create(workload("Deployment", replicas=1, minReadySeconds=5))
        await lab.until(counted("Deployment", "web", readyReplicas=1, availableReplicas=0))
        await lab.until(rolled_out(1))


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        ({}, Limits(10, surge=3, unavailable=2)),
        ({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}, Limits(10, surge=0, unavailable=1)),
        ({"rollingUpdate": {"maxSurge": "1%", "maxUnavailable": "1%"}}, Limits(10, surge=1, unavailable=0)),
        ({"rollingUpdate": {"maxSurge": 2, "maxUnavailable": "50%"}}, Limits(10, surge=2, unavailable=5)),
        ({"type": "Recreate"}, Limits(10)),
    ],
)
def test_surge_is_rounded_up_and_unavailability_down(strategy, wanted):
    assert limits({"spec": {"replicas": 10, "strategy": strategy}}) == wanted


sizes = st.integers(min_value=0, max_value=20)
some_limits = st.builds(Limits, sizes, sizes, sizes).filter(lambda x: x.unavailable <= x.replicas)


@given(some_limits, sizes, sizes)
def test_growing_never_exceeds_the_surge_or_the_replicas(limit, new, old):
    size = grown(limit, new, new + old)
    assert size <= limit.replicas
    assert size <= new or size + old <= limit.most


@given(some_limits, st.lists(st.tuples(sizes, sizes), max_size=3), st.tuples(sizes, sizes))
def test_shrinking_never_takes_more_available_pods_than_allowed(limit, old, new):
    olds = [Size(f"old-{i}", max(pair), min(pair)) for i, pair in enumerate(old)]
    current = Size("new", max(new), min(new))
    after = {s.name: shrunk(limit, olds, current).get(s.name, s.asked) for s in olds}
    before = sum(s.available for s in olds) + current.available
    left = sum(min(s.available, after[s.name]) for s in olds) + current.available
    assert all(0 <= after[s.name] <= s.asked for s in olds)
    assert left >= min(before, limit.fewest_available)


@given(some_limits, st.lists(st.integers(min_value=1, max_value=20), min_size=1, max_size=4))
def test_scaling_in_proportion_reaches_the_allowed_total(limit, asked):
    sets = [Size(f"rs-{i}", n, n, most=sum(asked)) for i, n in enumerate(asked)]
    after = {s.name: proportional(limit, sets).get(s.name, s.asked) for s in sets}
    assert all(n >= 0 for n in after.values())
    assert sum(after.values()) == (limit.most if limit.replicas else 0)
