"""Scheduling on one node: what a pod asks for, what a node has left, and why the two don't fit.

`recorded/scheduling.jsonl` holds small worlds with the verdicts that kube-scheduler v1.34.4's own filter plugins give
per node.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.quantity import QuantityError
from kubemend.kube.scheduling import Misfit, affinity_misfit, free, held, misfit, requests, tolerates
from kubemend.kube.selectors import SelectorError
from kubemend.model.objects import Node, Pod, PodSpec
from kubemend.model.objects.node import Taint
from kubemend.model.objects.pod import Toleration

RECORDED = (Path(__file__).parent / "recorded" / "scheduling.jsonl").read_text().splitlines()


def spec(**fields):
    return msgspec.convert(fields, PodSpec)


def container(name="c", *, cpu=None, memory=None, limits=None, always=False):
    wanted = {k: v for k, v in {"cpu": cpu, "memory": memory}.items() if v is not None}
    policy = {"restartPolicy": "Always"} if always else {}
    return {"name": name, "resources": {"requests": wanted, "limits": limits or {}}, **policy}


def node(*, allocatable=None, labels=None, taints=(), unschedulable=False):
    raw = {
        "metadata": {"name": "n1", "labels": labels or {}},
        "spec": {"taints": list(taints), "unschedulable": unschedulable},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110", **(allocatable or {})}},
    }
    return msgspec.convert(raw, Node)


def pod(*, on="n1", phase="Running", cpu="1", deleting=False):
    metadata = {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {"name": "p"}
    raw = {
        "metadata": metadata,
        "spec": {"nodeName": on, "containers": [container(cpu=cpu)]},
        "status": {"phase": phase},
    }
    return msgspec.json.decode(json.dumps(raw), type=Pod)


def fits(wanted, place, *others):
    return misfit(wanted, {}, place, free(place, others))


@pytest.mark.parametrize(
    ("wanted", "cpu"),
    [
        (spec(containers=[container(cpu="1"), container(cpu="500m")]), "1.5"),
        (spec(containers=[container(cpu="1")], initContainers=[container(cpu="3"), container(cpu="2")]), "3"),
        (spec(containers=[container(cpu="1")], initContainers=[container(cpu="1", always=True)]), "2"),
        # A sidecar counts against the init containers after it, not against those before.
        (
            spec(
                containers=[container(cpu="1")],
                initContainers=[container(cpu="4"), container(cpu="1", always=True), container(cpu="2")],
            ),
            "4",
        ),
        (
            spec(containers=[container(cpu="1")], initContainers=[container(cpu="1", always=True), container(cpu="4")]),
            "5",
        ),
        (spec(containers=[container(cpu="1")], overhead={"cpu": "250m"}), "1.25"),
        (spec(containers=[container(limits={"cpu": "2"})]), "2"),
        (spec(containers=[container(cpu="0", limits={"cpu": "2"})]), "0"),
    ],
)
def test_a_pod_asks_for_the_larger_of_running_and_starting(wanted, cpu):
    assert requests(wanted)["cpu"] == Decimal(cpu)


def test_a_pod_without_requests_asks_for_nothing():
    assert requests(spec(containers=[container()])) == {}


def test_a_node_has_left_what_its_living_pods_do_not_hold():
    left = free(
        node(),
        [
            pod(),
            pod(deleting=True),
            pod(on="n2"),
            pod(on=""),
            pod(phase="Succeeded"),
            pod(phase="Failed"),
            pod(phase="Pending"),
        ],
    )
    assert left == {"cpu": 1, "memory": 8 * 2**30, "pods": 107}


def test_an_overcommitted_node_has_less_than_nothing_left():
    assert free(node(), [pod(cpu="5")])["cpu"] == -1


def resized(cpu, has, *, set_aside=None, infeasible=False):
    status = {"name": "c", "resources": {"requests": {"cpu": has}}, "allocatedResources": {"cpu": set_aside or has}}
    pending = {"type": "PodResizePending", "status": "True", "reason": "Infeasible" if infeasible else "Deferred"}
    raw = {
        "spec": {"nodeName": "n1", "containers": [container(cpu=cpu)]},
        "status": {"phase": "Running", "containerStatuses": [status], "conditions": [pending]},
    }
    return msgspec.convert(raw, Pod)


@pytest.mark.parametrize(
    ("other", "cpu"),
    [
        (resized("1", "1"), "1"),
        (resized("1", "2"), "2"),
        (resized("2", "1"), "2"),
        (resized("2", "1", set_aside="3"), "3"),
        (resized("2", "1", infeasible=True), "1"),
    ],
)
def test_a_pod_that_is_being_resized_holds_the_most_of_what_it_has_and_what_it_asks_for(other, cpu):
    """What its node has refused for good it doesn't ask for."""
    assert held(other)["cpu"] == Decimal(cpu)
    assert free(node(), [other])["cpu"] == 4 - Decimal(cpu)


def test_the_scheduler_counts_thousandths_of_a_core_rounded_up_pod_by_pod():
    others = [pod(cpu="100500u"), pod(cpu="100500u")]
    assert free(node(), others)["cpu"] == Decimal("3.798")
    assert fits(spec(containers=[container(cpu="3798m")]), node(), *others) == ()
    assert fits(spec(containers=[container(cpu="3797500u")]), node(), *others) == ()
    assert fits(spec(containers=[container(cpu="3798001u")]), node(), *others) != ()


def test_a_broken_quantity_is_an_error_and_no_fit():
    with pytest.raises(QuantityError):
        fits(spec(containers=[container(cpu="lots")]), node())


@pytest.mark.parametrize(
    ("wanted", "place", "found"),
    [
        (spec(), node(), ()),
        (
            spec(containers=[container(cpu="5", memory="9Gi")]),
            node(),
            (Misfit("cpu", "cpu: 5 requested, 4 free"), Misfit("memory", "memory: 9Gi requested, 8Gi free")),
        ),
        (spec(), node(allocatable={"pods": "0"}), (Misfit("pods", "the node holds as many pods as it may"),)),
        (
            spec(containers=[container(limits={"example.com/gpu": 1})]),
            node(),
            (Misfit("resource", "example.com/gpu: 1 requested, 0 free"),),
        ),
        (
            spec(containers=[container(limits={"ephemeral-storage": "2Gi"})]),
            node(allocatable={"ephemeral-storage": "1Gi"}),
            (Misfit("resource", "ephemeral-storage: 2Gi requested, 1Gi free"),),
        ),
        (spec(nodeName="n2"), node(), (Misfit("node-name", "the pod is bound to node n2"),)),
        (spec(nodeName="n1"), node(), ()),
        (spec(), node(unschedulable=True), (Misfit("unschedulable", "the node is cordoned"),)),
        (
            spec(tolerations=[{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]),
            node(unschedulable=True),
            (),
        ),
        (
            spec(nodeSelector={"zone": "a", "disk": "ssd"}),
            node(labels={"disk": "ssd"}),
            (Misfit("node-selector", "the node lacks the label zone=a"),),
        ),
        (
            spec(),
            node(taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]),
            (Misfit("taint", "the taint gpu=yes:NoSchedule isn't tolerated"),),
        ),
        (
            spec(),
            node(taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]),
            (Misfit("taint", "the taint node.kubernetes.io/not-ready:NoExecute isn't tolerated"),),
        ),
        (spec(), node(taints=[{"key": "gpu", "effect": "PreferNoSchedule"}]), ()),
    ],
)
def test_a_misfit_says_what_and_how_much(wanted, place, found):
    assert fits(wanted, place) == found


def test_a_request_of_zero_fits_even_an_overcommitted_node():
    assert fits(spec(containers=[container(cpu="0")]), node(), pod(cpu="5")) == ()


def affinity(*terms):
    required = {"nodeSelectorTerms": list(terms)}
    return spec(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}})


def rule(key, operator, *values):
    return {"key": key, "operator": operator, "values": list(values)}


PLACE = node(labels={"zone": "a", "cores": "8"})


@pytest.mark.parametrize(
    ("wanted", "ok"),
    [
        (affinity(), False),
        (affinity({}), False),
        (affinity({"matchExpressions": [rule("zone", "In", "a", "b")]}), True),
        (affinity({"matchExpressions": [rule("zone", "In", "b")]}), False),
        (
            affinity({"matchExpressions": [rule("zone", "In", "b")]}, {"matchExpressions": [rule("zone", "Exists")]}),
            True,
        ),
        (affinity({"matchExpressions": [rule("zone", "In", "a"), rule("gone", "Exists")]}), False),
        (affinity({"matchExpressions": [rule("gone", "NotIn", "a")]}), True),
        (affinity({"matchExpressions": [rule("gone", "DoesNotExist")]}), True),
        (affinity({"matchExpressions": [rule("cores", "Gt", "4")]}), True),
        (affinity({"matchExpressions": [rule("cores", "Lt", "8")]}), False),
        (affinity({"matchExpressions": [rule("zone", "Gt", "4")]}), False),
        (affinity({"matchFields": [rule("metadata.name", "In", "n1")]}), True),
        (affinity({"matchFields": [rule("metadata.name", "NotIn", "n1")]}), False),
    ],
)
def test_required_node_affinity_takes_one_whole_term(wanted, ok):
    assert fits(wanted, PLACE) == (
        () if ok else (Misfit("node-affinity", "no term of the required node affinity matches the node"),)
    )


def test_a_node_affinity_with_an_unknown_operator_is_an_error_and_no_fit():
    with pytest.raises(SelectorError, match="'Like' is no selector operator"):
        fits(affinity({"matchExpressions": [rule("zone", "Like", "a")]}), PLACE)


@pytest.mark.parametrize(
    ("toleration", "ok"),
    [
        (Toleration(operator="Exists"), True),
        (Toleration(key="gpu", operator="Exists"), True),
        (Toleration(key="gpu", value="yes"), True),
        (Toleration(key="gpu", operator="", value="yes"), True),
        (Toleration(key="gpu", value="no"), False),
        (Toleration(key="cpu", operator="Exists"), False),
        (Toleration(key="gpu", operator="Exists", effect="NoExecute"), False),
        (Toleration(key="gpu", operator="Exists", effect="NoSchedule"), True),
        (Toleration(key="gpu", operator="Like", value="yes"), False),
    ],
)
def test_a_toleration_must_agree_in_key_value_and_effect(toleration, ok):
    assert tolerates([toleration], Taint(key="gpu", value="yes", effect="NoSchedule")) is ok


def test_no_toleration_tolerates_nothing():
    assert not tolerates([], Taint(key="gpu", effect="NoSchedule"))


AMOUNT = st.integers(0, 4000).map("{}m".format)


@given(st.lists(AMOUNT, max_size=3), st.lists(st.tuples(AMOUNT, st.booleans()), max_size=4))
def test_a_pod_never_asks_for_less_than_it_needs_at_any_moment(apps, starts):
    inits = [container(cpu=cpu, always=sidecar) for cpu, sidecar in starts]
    asked = requests(spec(containers=[container(cpu=c) for c in apps], initContainers=inits)).get("cpu", Decimal())
    sidecars, moments = 0, []
    for cpu, sidecar in starts:
        moments.append(sidecars + int(cpu[:-1]))
        sidecars += int(cpu[:-1]) if sidecar else 0
    moments.append(sidecars + sum(int(c[:-1]) for c in apps))
    assert asked * 1000 == max(moments)


@given(AMOUNT, st.lists(AMOUNT, max_size=4))
def test_a_pod_that_fits_leaves_no_deficit_behind(cpu, held):
    place = node()
    others = [pod(cpu=c) for c in held]
    if not fits(spec(containers=[container(cpu=cpu)]), place, *others):
        assert int(cpu[:-1]) == 0 or free(place, [*others, pod(cpu=cpu)])["cpu"] >= 0


PLUGINS = {
    "fit": {"cpu", "memory", "pods", "resource"},
    "taint": {"taint"},
    "unschedulable": {"unschedulable"},
    "node-affinity": {"node-selector", "node-affinity"},
    "affinity": {"pod-affinity", "pod-anti-affinity"},
    "spread": {"topology-spread"},
}


class World(msgspec.Struct):
    pod: Pod
    nodes: list[Node]
    pods: list[Pod]
    namespaces: dict[str, dict[str, str]]
    verdicts: dict[str, dict[str, bool]]


@pytest.mark.parametrize("line", RECORDED, ids=range(len(RECORDED)))
def test_the_verdicts_are_those_of_the_scheduler(line):
    world = msgspec.json.decode(line, type=World)
    incoming = world.pod
    for place in world.nodes:
        found = (
            *misfit(incoming.spec, incoming.metadata.labels, place, free(place, world.pods)),
            *affinity_misfit(
                incoming.spec,
                incoming.namespace,
                incoming.metadata.labels,
                place,
                world.nodes,
                world.pods,
                namespaces=world.namespaces,
            ),
        )
        kinds = {m.kind for m in found}
        assert {plugin: not kinds & own for plugin, own in PLUGINS.items()} == world.verdicts[place.name]
