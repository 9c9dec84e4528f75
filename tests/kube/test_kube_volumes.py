"""Volumes and nodes: what a claim, a volume's zone or a disk that a pod names itself has to say about a node."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubemend.kube.scheduling import Room, Storage, disk_misfits, volume_misfits
from kubemend.model.objects import Node, PersistentVolume, PersistentVolumeClaim, Pod, PodSpec, StorageClass

ZONE = "topology.kubernetes.io/zone"
OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
BY_HAND = msgspec.convert(
    {
        "metadata": {"name": "hand"},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    },
    StorageClass,
)


def node(name: str = "n1", **labels: str) -> Node:
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    return msgspec.convert({"metadata": {"name": name, "labels": labels}, "status": {"allocatable": allocatable}}, Node)


def claim(name: str = "data", phase: str = "Pending", *, chosen: str = "", size: str = "1Gi", **spec: Any) -> Any:
    annotations = {"volume.kubernetes.io/selected-node": chosen} if chosen else {}
    raw = {
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "spec": {"resources": {"requests": {"storage": size}}, **spec},
        "status": {"phase": phase},
    }
    return msgspec.convert(raw, PersistentVolumeClaim)


def volume(name: str, *, labels: Any = None, size: str = "1Gi", phase: str = "Available", **spec: Any) -> Any:
    spec = {"storageClassName": "hand", "capacity": {"storage": size}, **spec}
    raw = {"metadata": {"name": name, "labels": labels or {}}, "spec": spec, "status": {"phase": phase}}
    return msgspec.convert(raw, PersistentVolume)


def claiming(*names: str) -> PodSpec:
    volumes = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in names]
    return msgspec.convert({"volumes": volumes}, PodSpec)


def told(claims: list[Any], volumes: list[Any], place: Node | None = None) -> list[str]:
    held = Storage.of(claims, volumes, [BY_HAND])
    spec = claiming(*(c.name for c in claims))
    return [m.detail for m in volume_misfits(spec, "shop", place or node(), held)]


@pytest.mark.parametrize(
    ("labels", "here", "fits"),
    [
        ({ZONE: "a"}, {ZONE: "a"}, True),
        ({ZONE: "a"}, {ZONE: "b"}, False),
        ({ZONE: "a__b"}, {ZONE: "b"}, True),
        ({ZONE: "a"}, {}, True),
        ({ZONE: "a"}, {"topology.kubernetes.io/region": "r"}, False),
        ({OLD_ZONE: "a"}, {ZONE: "a"}, True),
        ({OLD_ZONE: "a"}, {ZONE: "b"}, False),
        ({ZONE: "a__"}, {ZONE: "b"}, True),
    ],
)
def test_a_volume_that_tells_its_zone_by_a_label_is_for_nodes_there(labels: Any, here: Any, fits: bool) -> None:
    """A node without any such label is in a cluster of one zone; a label that means nothing is no label."""
    found = told([claim(phase="Bound", volumeName="pv")], [volume("pv", labels=labels)], node(**here))
    assert found == ([] if fits else ["volume pv of claim data is in another zone than the node"])


def test_a_claim_that_names_a_volume_which_is_not_bound_to_it_yet_is_not_bound() -> None:
    assert told([claim(volumeName="pv")], [volume("pv")]) == ["claim data is not bound"]


def test_a_claim_that_has_lost_its_volume_says_so() -> None:
    assert told([claim(phase="Lost", volumeName="pv")], []) == ["claim data has lost its volume pv"]


def test_a_volume_serves_one_claim_only_and_the_smaller_claim_picks_first() -> None:
    none_left = "no free volume of class hand for claim {} can be reached from the node"
    large, small = claim("large", size="2Gi", storageClassName="hand"), claim("small", storageClassName="hand")
    assert told([large, small], [volume("a"), volume("b", size="2Gi")]) == []
    assert told([large, small], [volume("b", size="2Gi")]) == [none_left.format("large")]
    assert told([large, small], [volume("a"), volume("b")]) == [none_left.format("large")]


@pytest.mark.parametrize(
    ("asked", "offered"),
    [
        ({}, {"volumeMode": "Block"}),
        ({"volumeMode": "Block"}, {}),
        ({"volumeAttributesClassName": "fast"}, {}),
        ({}, {"phase": "Released"}),
        ({"selector": {"matchLabels": {"speed": "fast"}}}, {}),
        ({"accessModes": ["ReadWriteMany"]}, {"accessModes": ["ReadWriteOnce"]}),
        ({}, {"claimRef": {"namespace": "shop", "name": "other"}}),
        ({}, {"claimRef": {"namespace": "shop", "name": "data", "uid": "of-one-that-was"}}),
    ],
)
def test_a_free_volume_must_be_what_the_claim_asks_for(asked: Any, offered: Any) -> None:
    assert told([claim(storageClassName="hand", **asked)], [volume("pv", **offered)]) != []
    assert told([claim(storageClassName="hand")], [volume("pv")]) == []


def test_a_volume_that_is_kept_for_the_claim_is_not_compared_further() -> None:
    kept = volume("pv", phase="Bound", claimRef={"namespace": "shop", "name": "data"})
    assert told([claim(storageClassName="hand", selector={"matchLabels": {"a": "b"}})], [kept]) == []


def test_a_claim_that_is_being_made_for_a_node_is_for_that_node() -> None:
    made = claim(storageClassName="hand", chosen="n2")
    assert told([made], [volume("pv")]) == ["claim data is being made for node n2"]


READ, WRITE = {"readOnly": True}, {"readOnly": False}


def of_rbd(*monitors: str, image: str = "i", **more: Any) -> dict[str, Any]:
    return {"rbd": {"monitors": list(monitors), "image": image, **more}}


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [
        ({"gcePersistentDisk": {"pdName": "d"}}, {"gcePersistentDisk": {"pdName": "d"}}, False),
        ({"gcePersistentDisk": {"pdName": "d", **READ}}, {"gcePersistentDisk": {"pdName": "d", **READ}}, True),
        ({"gcePersistentDisk": {"pdName": "d", **READ}}, {"gcePersistentDisk": {"pdName": "d", **WRITE}}, False),
        ({"gcePersistentDisk": {"pdName": "d"}}, {"gcePersistentDisk": {"pdName": "e"}}, True),
        (
            {"awsElasticBlockStore": {"volumeID": "v", **READ}},
            {"awsElasticBlockStore": {"volumeID": "v", **READ}},
            False,
        ),
        ({"iscsi": {"iqn": "q", "lun": 0, **READ}}, {"iscsi": {"iqn": "q", "lun": 1}}, False),
        ({"iscsi": {"iqn": "q", **READ}}, {"iscsi": {"iqn": "q", **READ}}, True),
        (of_rbd("a", "b"), of_rbd("b", "c"), False),
        (of_rbd("a", "b"), of_rbd("c"), True),
        (of_rbd("a"), of_rbd("a", image="j"), True),
        (of_rbd("a"), of_rbd("a", pool="other"), True),
        ({"gcePersistentDisk": {"pdName": "d"}}, {"awsElasticBlockStore": {"volumeID": "d"}}, True),
    ],
)
def test_pods_of_one_node_share_a_disk_only_to_read_it(mine: Any, theirs: Any, fits: bool) -> None:
    spec = msgspec.convert({"volumes": [{"name": "v", **mine}]}, PodSpec)
    there = {"metadata": {"name": "p"}, "spec": {"nodeName": "n1", "volumes": [{"name": "w", **theirs}]}}
    assert (disk_misfits(spec, [msgspec.convert(there, Pod)]) == ()) is fits


def test_a_node_takes_one_pod_that_writes_a_disk_and_the_cluster_one_that_has_a_claim_alone() -> None:
    nodes = [node("n1"), node("n2")]
    writing = msgspec.convert({"volumes": [{"name": "v", "gcePersistentDisk": {"pdName": "d"}}]}, PodSpec)
    assert Room(writing, "shop", {}, nodes, []).fill(9) == 2
    sole = Storage.of([claim(phase="Bound", volumeName="pv", accessModes=["ReadWriteOncePod"])], [volume("pv")], [])
    room = Room(claiming("data"), "shop", {}, nodes, [], storage=sole)
    assert room.fill(9) == 1
    assert {m.kind for m in room.misfits(nodes[1])} == {"volume"}
