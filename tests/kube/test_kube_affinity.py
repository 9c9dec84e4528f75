"""Scheduling among other pods: required affinity and anti-affinity, and topology spread."""

from __future__ import annotations

import json

import msgspec
import pytest

from kubemend.kube.scheduling import Misfit, affinity_misfit
from kubemend.model.objects import Node, Pod, PodSpec

WEB = {"matchLabels": {"app": "web"}}
NODES = [
    msgspec.convert({"metadata": {"name": name, "labels": labels}}, Node)
    for name, labels in [
        ("a1", {"zone": "a", "host": "a1"}),
        ("a2", {"zone": "a", "host": "a2"}),
        ("b1", {"zone": "b", "host": "b1"}),
        ("bare", {}),
    ]
]
A1, A2, B1, BARE = NODES


def pod(name, on, *, app="web", namespace="shop", phase="Running", deleting=False, **spec):
    metadata = {"name": name, "namespace": namespace, "labels": {"app": app}}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    raw = {"metadata": metadata, "spec": {"nodeName": on, **spec}, "status": {"phase": phase}}
    return msgspec.json.decode(json.dumps(raw), type=Pod)


def wants(*terms, anti=False):
    name = "podAntiAffinity" if anti else "podAffinity"
    return {"affinity": {name: {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}}


def spread(skew=1, key="zone", selector=WEB, when="DoNotSchedule"):
    return {"topologyKey": key, "maxSkew": skew, "whenUnsatisfiable": when, "labelSelector": selector}


def judge(spec, place, pods, *, app="web", namespaces=None):
    wanted = msgspec.convert(spec, PodSpec)
    return affinity_misfit(wanted, "shop", {"app": app}, place, NODES, pods, namespaces=namespaces)


ZONE = {"topologyKey": "zone", "labelSelector": WEB}


def test_a_pod_that_wants_nothing_goes_anywhere():
    assert judge({}, BARE, [pod("p", "a1")]) == ()


def test_affinity_wants_a_matching_pod_in_the_same_domain():
    pods = [pod("p", "a1")]
    assert judge(wants(ZONE), A2, pods, app="db") == ()
    assert judge(wants(ZONE), B1, pods, app="db") == (
        Misfit("pod-affinity", "no pod that the pod wants to be with runs in zone=b"),
    )
    assert judge(wants(ZONE), BARE, pods, app="db") == (Misfit("pod-affinity", "the node lacks the label zone"),)


def test_the_first_pod_that_wants_its_like_may_go_anywhere():
    assert judge(wants(ZONE), B1, []) == ()
    assert judge(wants(ZONE), B1, [], app="db") != ()
    assert judge(wants(ZONE), B1, [pod("p", "a1")]) != ()


@pytest.mark.parametrize("gone", [pod("p", "a1", phase="Succeeded"), pod("p", "a1", phase="Failed"), pod("p", "lost")])
def test_a_pod_that_holds_no_place_is_no_company(gone):
    assert judge(wants(ZONE), A1, [gone], app="db") != ()


def test_one_pod_must_match_all_terms():
    both = wants(ZONE, {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "db"}}})
    assert len(judge(both, A1, [pod("p", "a1"), pod("q", "a1", app="db")], app="x")) == 2


@pytest.mark.parametrize(
    ("term", "ok"),
    [
        ({}, False),
        ({"namespaces": ["other"]}, True),
        ({"namespaces": ["shop"]}, False),
        ({"namespaceSelector": {}}, True),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "red"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "blue"}}}, False),
    ],
)
def test_a_term_means_its_own_namespace_unless_it_names_others(term, ok):
    pods = [pod("p", "a1", namespace="other")]
    found = judge(wants({**ZONE, **term}), A1, pods, app="db", namespaces={"other": {"team": "red"}})
    assert (found == ()) is ok


def test_anti_affinity_keeps_away_from_matching_pods():
    apart = wants(ZONE, anti=True)
    pods = [pod("p", "a1")]
    assert judge(apart, A2, pods) == (Misfit("pod-anti-affinity", "the pod keeps away from shop/p in zone=a"),)
    assert judge(apart, B1, pods) == ()
    assert judge(apart, BARE, pods) == ()


def test_a_pod_already_there_can_keep_others_away():
    pods = [pod("p", "a1", app="db", **wants(ZONE, anti=True))]
    assert judge({}, A2, pods) == (Misfit("pod-anti-affinity", "shop/p keeps such pods away from zone=a"),)
    assert judge({}, A2, pods, app="other") == ()
    assert judge({}, B1, pods) == ()


def test_what_the_api_server_merged_into_a_selector_counts_even_once_the_labels_have_changed():
    merged = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}
    term = {"topologyKey": "zone", "labelSelector": merged, "matchLabelKeys": ["app"]}
    assert judge({}, A2, [pod("p", "a1", app="renamed", **wants(term, anti=True))]) != ()
    unmerged = {**term, "labelSelector": {}}
    assert judge({}, A2, [pod("p", "a1", app="renamed", **wants(unmerged, anti=True))]) == ()
    assert judge({}, A2, [pod("p", "a1", app="web", **wants(unmerged, anti=True))]) != ()


def test_spread_allows_no_domain_to_run_ahead():
    even = {"topologySpreadConstraints": [spread()]}
    pods = [pod("p", "a1")]
    assert judge(even, B1, pods) == ()
    assert judge(even, A2, pods) == (Misfit("topology-spread", "zone=a would be 2 pods ahead, 1 allowed"),)
    assert judge(even, BARE, pods) == (Misfit("topology-spread", "the node lacks the label zone"),)
    assert judge({"topologySpreadConstraints": [spread(skew=2)]}, A2, pods) == ()
    assert judge({"topologySpreadConstraints": [spread(when="ScheduleAnyway")]}, A2, pods) == ()


def test_spread_counts_only_living_pods_of_its_namespace_that_match():
    even = {"topologySpreadConstraints": [spread()]}
    pods = [pod("p", "a1", deleting=True), pod("q", "a1", namespace="other"), pod("r", "a1", app="db")]
    assert judge(even, A2, pods) == ()


def test_spread_does_not_count_domains_that_the_pod_cannot_choose():
    pods = [pod("p", "a1")]
    even = {"topologySpreadConstraints": [spread()], "nodeSelector": {"zone": "a"}}
    assert judge(even, A2, pods) == ()


def test_spread_with_an_empty_selector_counts_no_pod_there():
    pods = [pod(f"p{i}", "a1") for i in range(3)]
    assert judge({"topologySpreadConstraints": [spread(selector={})]}, A1, pods) == ()
