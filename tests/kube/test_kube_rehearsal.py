"""Rehearsed rollouts go where the scheduler would let them, and say why they would not come through."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.rollout import margins
from kubemend.kube.scheduling import rehearse
from kubemend.model.objects import Container, DaemonSet, Deployment, Node, Pod, PodSpec, PodTemplate, StatefulSet
from kubemend.model.objects.meta import Condition, LabelSelector, Meta
from kubemend.model.objects.node import NodeStatus
from kubemend.model.objects.pod import PodStatus, Resources, TopologySpreadConstraint
from kubemend.model.objects.workload import (
    DaemonSetSpec,
    DeploymentSpec,
    RollingUpdate,
    StatefulSetSpec,
    UpdateStrategy,
)

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
WEB = {"app": "web"}


def node(name: str, zone: str = "a", cpu: str = "4", ready: str = "True") -> Node:
    labels = {HOST: name, ZONE: zone}
    status = NodeStatus(
        allocatable={"cpu": cpu, "memory": "8Gi", "pods": "110"}, conditions=(Condition("Ready", ready),)
    )
    return Node(metadata=Meta(name=name, labels=labels), status=status)


def template(*keys: str, cpu: str = "1", hard: bool = True) -> PodTemplate:
    when = "DoNotSchedule" if hard else "ScheduleAnyway"
    spread = tuple(TopologySpreadConstraint(k, 1, when, LabelSelector(WEB)) for k in keys)
    containers = (Container("web", resources=Resources(requests={"cpu": cpu})),)
    return PodTemplate(Meta(labels=WEB), PodSpec(containers, topology_spread_constraints=spread))


def pod(name: str, on: str, cpu: str = "1", labels: dict[str, str] | None = None) -> Pod:
    containers = (Container("web", resources=Resources(requests={"cpu": cpu})),)
    meta = Meta(name=name, namespace="shop", labels=WEB if labels is None else labels)
    return Pod(metadata=meta, spec=PodSpec(containers, node_name=on), status=PodStatus(phase="Running"))


def test_pods_are_spread_over_zones_before_nodes_of_one_zone_are_filled() -> None:
    nodes = [node("n1", "a"), node("n2", "a"), node("n3", "b")]
    end = rehearse(template(ZONE), "shop", 4, nodes=nodes, pods=[])
    assert end.complete
    assert Counter(end.nodes) == {"n1": 1, "n2": 1, "n3": 2}


def test_a_hard_spread_that_the_room_does_not_allow_is_stuck_and_says_why() -> None:
    nodes = [node("n1", "a"), node("n2", "b", cpu="1")]
    end = rehearse(template(ZONE, cpu="1"), "shop", 4, nodes=nodes, pods=[pod("other", "n2", labels={"app": "db"})])
    assert not end.complete
    assert end.nodes == ("n1",)
    assert dict(end.why) == {"topology-spread": 1, "cpu": 1}


def test_the_same_as_a_wish_comes_through() -> None:
    nodes = [node("n1", "a"), node("n2", "b", cpu="1")]
    pods = [pod("other", "n2", labels={"app": "db"})]
    assert rehearse(template(ZONE, hard=False), "shop", 4, nodes=nodes, pods=pods).complete


def test_a_full_cluster_takes_the_new_pods_only_where_old_ones_may_go_first() -> None:
    nodes = [node("n1", cpu="1"), node("n2", cpu="1")]
    old = [pod("a", "n1"), pod("b", "n2")]
    surging = rehearse(template(), "shop", 2, nodes=nodes, pods=old, old=old, surge=1, unavailable=0)
    yielding = rehearse(template(), "shop", 2, nodes=nodes, pods=old, old=old, surge=0, unavailable=1)
    assert not surging.complete
    assert dict(surging.why) == {"cpu": 2}
    assert yielding.complete
    assert sorted(yielding.nodes) == ["n1", "n2"]


def test_nodes_that_are_not_ready_take_nothing() -> None:
    end = rehearse(template(), "shop", 1, nodes=[node("n1", ready="False")], pods=[])
    assert (end.complete, end.nodes, end.why) == (False, (), ())


@given(
    replicas=st.integers(1, 8),
    zones=st.lists(st.sampled_from("abc"), min_size=1, max_size=5),
    surge=st.integers(0, 3),
    unavailable=st.integers(0, 3),
)
def test_what_comes_through_keeps_the_skew_that_the_constraint_demands(
    replicas: int, zones: list[str], surge: int, unavailable: int
) -> None:
    nodes = [node(f"n{i}", z, cpu="100") for i, z in enumerate(zones)]
    end = rehearse(
        template(ZONE), "shop", replicas, nodes=nodes, pods=[], surge=surge, unavailable=max(unavailable, not surge)
    )
    assert end.complete
    by_zone = Counter(dict.fromkeys(zones, 0))
    by_zone.update(n.metadata.labels[ZONE] for name in end.nodes for n in nodes if n.name == name)
    assert max(by_zone.values()) - min(by_zone.values()) <= 1


def deployment(surge: int | str | None, missing: int | str | None) -> Deployment:
    strategy = UpdateStrategy(rolling_update=RollingUpdate(max_unavailable=missing, max_surge=surge))
    return Deployment(spec=DeploymentSpec(strategy=strategy))


def test_margins_are_rounded_as_the_deployment_controller_rounds_them() -> None:
    cases = {
        (None, None, 10): (3, 2),
        (None, None, 1): (1, 0),
        ("25%", "25%", 4): (1, 1),
        (0, 0, 5): (0, 1),
        ("10%", 0, 5): (1, 0),
        (0, "10%", 5): (0, 1),
        (2, 1, 5): (2, 1),
    }
    assert {c: margins(deployment(c[0], c[1]), c[2]) for c in cases} == cases


def test_margins_of_other_strategies_and_kinds() -> None:
    recreate = Deployment(spec=DeploymentSpec(strategy=UpdateStrategy(type="Recreate")))
    assert margins(recreate, 4) == (0, 4)
    assert margins(StatefulSet(spec=StatefulSetSpec()), 4) == (0, 1)
    rolling = UpdateStrategy(rolling_update=RollingUpdate(max_unavailable="50%"))
    assert margins(StatefulSet(spec=StatefulSetSpec(update_strategy=rolling)), 4) == (0, 2)
    assert margins(DaemonSet(spec=DaemonSetSpec()), 4) == (0, 1)
