"""Room for pods: host ports, volumes, spread with its finer points, and how many of a kind go where."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.scheduling import Neighbours, Room, Storage, misfit, port_misfits, requests, volume_misfits
from kubemend.model.objects import Node, PersistentVolume, PersistentVolumeClaim, Pod, PodSpec, StorageClass

WEB = {"matchLabels": {"app": "web"}}
LOST = "node.kubernetes.io/unreachable"
ZONES = {"a1": "a", "a2": "a", "b1": "b"}


def spec_of(**fields: Any) -> PodSpec:
    fields.setdefault("containers", [{"name": "app", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}])
    return msgspec.convert(fields, PodSpec)


def node(name: str, *, cpu: str = "4", memory: str = "8Gi", pods: str = "110", taints: Any = (), **labels: str) -> Node:
    labels = {"kubernetes.io/hostname": name, "zone": ZONES.get(name, "a"), **labels}
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods}
    raw = {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": allocatable},
    }
    return msgspec.convert(raw, Node)


def pod(name: str, on: str, *, app: str = "web", **spec: Any) -> Pod:
    raw = {
        "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": {"app": app}},
        "spec": {"nodeName": on, **spec},
        "status": {"phase": "Running"},
    }
    return msgspec.convert(raw, Pod)


def ported(number: int, protocol: str = "TCP", address: str = "", **more: Any) -> dict[str, Any]:
    port = {"containerPort": 80, "hostPort": number, "protocol": protocol, "hostIP": address}
    return {"containers": [{"name": "app", "ports": [port]}], **more}


@pytest.mark.parametrize(
    ("wanted", "taken", "fits"),
    [
        ((80, "TCP", ""), (80, "TCP", ""), False),
        ((80, "TCP", ""), (80, "UDP", ""), True),
        ((80, "TCP", ""), (81, "TCP", ""), True),
        ((80, "TCP", "10.0.0.1"), (80, "TCP", "10.0.0.2"), True),
        ((80, "TCP", "10.0.0.1"), (80, "TCP", "0.0.0.0"), False),
        ((80, "TCP", "0.0.0.0"), (80, "TCP", "10.0.0.2"), False),
    ],
)
def test_host_ports_collide_by_number_protocol_and_address(wanted: Any, taken: Any, fits: bool) -> None:
    found = port_misfits(spec_of(**ported(*wanted)), [pod("p", "a1", **ported(*taken))])
    assert (found == ()) is fits


def test_on_the_hosts_network_every_port_is_a_host_port() -> None:
    mine = spec_of(containers=[{"name": "app", "ports": [{"containerPort": 9100}]}], hostNetwork=True)
    assert port_misfits(mine, [pod("p", "a1", **ported(9100))])
    assert not port_misfits(mine, [pod("p", "a1", **ported(9101))])


def test_a_node_takes_one_pod_with_a_host_port() -> None:
    room = Room(spec_of(**ported(80)), "shop", {}, [node("a1"), node("a2"), node("b1")], [])
    assert room.fill(10) == 3
    assert {m.kind for n in room.nodes for m in room.misfits(n)} == {"port"}


def claim(name: str = "data", **spec: Any) -> PersistentVolumeClaim:
    return msgspec.convert({"metadata": {"name": name, "namespace": "shop"}, "spec": spec}, PersistentVolumeClaim)


def volume(name: str, *, zone: str = "", **spec: Any) -> PersistentVolume:
    if zone:
        term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    raw = {"metadata": {"name": name}, "spec": spec, "status": {"phase": "Available"}}
    return msgspec.convert(raw, PersistentVolume)


def storage_class(name: str = "late", mode: str = "WaitForFirstConsumer", **fields: Any) -> StorageClass:
    raw = {"metadata": {"name": name}, "provisioner": "lab", "volumeBindingMode": mode, **fields}
    return msgspec.convert(raw, StorageClass)


CLAIMING = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}


def fits(storage: Storage, name: str, pods: Any = ()) -> bool:
    return not volume_misfits(spec_of(**CLAIMING), "shop", node(name), storage, pods)


def test_a_pod_goes_where_its_volume_can_be_reached() -> None:
    held = Storage.of([claim(volumeName="pv")], [volume("pv", zone="b")], [])
    assert (fits(held, "a1"), fits(held, "b1")) == (False, True)


def test_a_claim_that_is_not_there_or_not_bound_keeps_the_pod_off_every_node() -> None:
    at_once = storage_class("now", "Immediate")
    assert not fits(Storage.of([], [], []), "a1")
    assert not fits(Storage.of([claim(storageClassName="now")], [], [at_once]), "a1")
    assert not fits(Storage.of([claim(storageClassName="gone")], [], []), "a1")


def test_a_claim_that_waits_for_its_pod_goes_where_its_class_makes_volumes() -> None:
    term = {"matchLabelExpressions": [{"key": "zone", "values": ["b"]}]}
    narrow = storage_class(allowedTopologies=[term])
    held = Storage.of([claim(storageClassName="late")], [], [narrow])
    assert (fits(held, "a1"), fits(held, "b1")) == (False, True)
    assert fits(Storage.of([claim(storageClassName="late")], [], [storage_class()]), "a1")


def test_without_a_provisioner_a_free_volume_must_be_in_reach_and_large_enough() -> None:
    by_hand = storage_class(provisioner="kubernetes.io/no-provisioner")
    asked = claim(storageClassName="late", accessModes=["ReadWriteOnce"], resources={"requests": {"storage": "10Gi"}})
    fields: dict[str, Any] = {"storageClassName": "late", "accessModes": ["ReadWriteOnce"]}
    large = volume("pv", zone="b", capacity={"storage": "10Gi"}, **fields)
    small = volume("pv", zone="b", capacity={"storage": "9Gi"}, **fields)
    kept = volume(
        "pv", zone="b", capacity={"storage": "10Gi"}, claimRef={"namespace": "shop", "name": "other"}, **fields
    )
    assert fits(Storage.of([asked], [large], [by_hand]), "b1")
    assert not fits(Storage.of([asked], [large], [by_hand]), "a1")
    assert not fits(Storage.of([asked], [small], [by_hand]), "b1")
    assert not fits(Storage.of([asked], [kept], [by_hand]), "b1")


def test_a_claim_for_one_pod_is_for_one_pod() -> None:
    held = Storage.of([claim(volumeName="pv", accessModes=["ReadWriteOncePod"])], [volume("pv")], [])
    assert fits(held, "a1")
    assert not fits(held, "a1", [pod("p", "b1", **CLAIMING)])


def spread(**more: Any) -> dict[str, Any]:
    constraint = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": WEB}
    return {"topologySpreadConstraints": [{**constraint, **more}]}


def room(spec: PodSpec, pods: Any = (), labels: Any = None, nodes: Any = None) -> Room:
    held = nodes or [node("a1"), node("a2"), node("b1")]
    return Room(spec, "shop", {"app": "web"} if labels is None else labels, held, pods)


def test_pods_that_spread_over_zones_stop_where_the_smaller_zone_is_full() -> None:
    """Zone b holds 4 of 1 CPU, so zone a may hold 5."""
    found = room(spec_of(**spread()))
    assert found.fill(100) == 9
    assert found.placed["b1"] == 4


def test_with_too_few_domains_the_least_counts_as_none() -> None:
    found = room(spec_of(**spread(minDomains=3)))
    assert found.fill(100) == 2


@pytest.mark.parametrize(
    ("tolerations", "fits"),
    [
        ([], True),
        ([{"key": "other", "operator": "Exists"}], True),
        ([{"key": LOST, "operator": "Exists", "effect": "NoSchedule"}], True),
        ([{"key": LOST, "value": "x", "effect": "NoExecute"}], False),
    ],
)
def test_a_new_pod_bears_a_node_that_is_lost_as_admission_lets_it(tolerations: Any, fits: bool) -> None:
    """What keeps pods off such a node is its other taint, with the effect NoSchedule."""
    lost = node("a1", taints=[{"key": LOST, "effect": "NoExecute"}])
    assert (room(spec_of(tolerations=tolerations), nodes=[lost]).fill(1) == 1) is fits
    both = node("a1", taints=[{"key": LOST, "effect": effect} for effect in ("NoExecute", "NoSchedule")])
    assert room(spec_of(), nodes=[both]).fill(1) == 0


def test_tainted_nodes_are_domains_unless_the_policy_says_otherwise() -> None:
    taint = {"key": "gpu", "effect": "NoSchedule"}
    nodes = [node("a1"), node("b1", taints=[taint])]
    assert room(spec_of(**spread()), nodes=nodes).fill(100) == 1
    assert room(spec_of(**spread(nodeTaintsPolicy="Honor")), nodes=nodes).fill(100) == 4


def test_nodes_that_the_pod_does_not_select_are_no_domains_unless_ignored() -> None:
    nodes = [node("a1", disk="ssd"), node("b1", disk="hdd")]
    chosen = {"nodeSelector": {"disk": "ssd"}}
    assert room(spec_of(**spread(), **chosen), nodes=nodes).fill(100) == 4
    assert room(spec_of(**spread(nodeAffinityPolicy="Ignore"), **chosen), nodes=nodes).fill(100) == 1


def test_label_keys_count_a_revision_by_itself() -> None:
    old = [pod("o1", "a1"), pod("o2", "a2")]
    constraint = spread(matchLabelKeys=["revision"])
    assert room(spec_of(**constraint), old, {"app": "web", "revision": "2"}).fill(1) == 1
    both = room(spec_of(**constraint), old, {"app": "web", "revision": "2"})
    plain = room(spec_of(**spread()), old, {"app": "web", "revision": "2"})
    assert not both.misfits(both.nodes[0])
    assert [m.kind for m in plain.misfits(plain.nodes[0])] == ["topology-spread"]


def test_pods_that_keep_away_from_their_like_go_one_to_a_node() -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": WEB}
    away = {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}
    found = room(spec_of(**away), [pod("p", "a1")])
    assert found.fill(10) == 2
    assert found.placed == {"a2": 1, "b1": 1}


def test_what_a_pod_asks_for_as_a_whole_goes_before_its_containers() -> None:
    containers = [{"name": "app", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]
    spec = spec_of(containers=containers, resources={"requests": {"cpu": "3"}, "limits": {"memory": "9Gi"}})
    assert requests(spec) == {"cpu": Decimal(3), "memory": Decimal(2**30)}


@given(
    sizes=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=5),
    each=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    most=st.integers(1, 40),
)
def test_reckoning_and_trying_come_to_the_same_number(
    sizes: list[tuple[int, int]], each: tuple[int, int], most: int
) -> None:
    """Pods that don't mind one another are reckoned; the same pods placed one by one are as many."""
    nodes = [node(f"n{i}", cpu=str(c), memory=f"{m}Gi") for i, (c, m) in enumerate(sizes)]
    asked = {"cpu": str(each[0]), "memory": f"{each[1]}Gi"}
    spec = spec_of(containers=[{"name": "app", "resources": {"requests": asked}}])
    poured, tried = room(spec, nodes=nodes), room(spec, nodes=nodes)
    while tried.placed.total() < most and tried.place() is not None:
        pass
    assert poured.fill(most) == tried.placed.total()
    if poured.placed.total() < most:
        assert all(poured.misfits(n) for n in nodes)


def test_one_misfit_of_a_node_is_the_same_in_a_room() -> None:
    """`Room` asks the filters of one node that `misfit` asks."""
    spec, place = spec_of(nodeSelector={"disk": "ssd"}), node("a1", cpu="500m")
    alone = misfit(spec, {}, place, {"cpu": Decimal("0.5"), "memory": Decimal(2**33), "pods": Decimal(110)})
    assert room(spec, nodes=[place]).misfits(place) == alone


LABELS = st.sampled_from([{"app": "web"}, {"app": "db"}, {}])
TERM = {"topologyKey": "zone", "labelSelector": WEB}
HARD = "requiredDuringSchedulingIgnoredDuringExecution"
WISHES = st.sampled_from(
    [
        {},
        {"affinity": {"podAffinity": {HARD: [TERM]}}},
        {"affinity": {"podAntiAffinity": {HARD: [TERM]}}},
        {"affinity": {"podAntiAffinity": {HARD: [{**TERM, "topologyKey": "kubernetes.io/hostname"}]}}},
        spread(),
        spread(minDomains=2, nodeTaintsPolicy="Honor"),
    ]
)


@given(
    wishes=WISHES, labels=LABELS, others=st.lists(st.tuples(WISHES, st.sampled_from(list(ZONES)), LABELS), max_size=6)
)
def test_what_is_carried_on_is_what_would_be_reckoned_anew(wishes: Any, labels: Any, others: Any) -> None:
    """After each further pod the neighbours mean the same as if all had been there from the beginning."""
    nodes = [node(name) for name in ZONES]
    spec, there = spec_of(**wishes), list[Pod]()
    carried = Neighbours(spec, "shop", labels, nodes, [])
    [carried.misfits(n) for n in nodes]
    for index, (theirs, on, own) in enumerate(others):
        more = pod(f"p{index}", on, app=own.get("app", "none"), **theirs)
        there.append(more)
        carried.add(more)
        anew = Neighbours(spec, "shop", labels, nodes, there)
        assert [carried.misfits(n) for n in nodes] == [anew.misfits(n) for n in nodes]
