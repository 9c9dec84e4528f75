"""Objects that share their equal parts are the objects they were, in less memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from kubemend.cluster.sharing import Pool, inherit
from kubemend.model.objects import Container, Meta, Node, Obj, Pod, PodSpec
from kubemend.model.objects.config import encode_withheld
from kubemend.model.objects.pod import ContainerState, ContainerStatus, PodStatus, Resources
from worlds import load

CASES = sorted((Path(__file__).resolve().parent.parent / "rules" / "cases").glob("*/*.yaml"))


def shape(value: Any) -> Any:
    """A value with the class of each of its parts."""
    if isinstance(value, Struct):
        return type(value), {n: shape(getattr(value, n)) for n in value.__struct_fields__}
    if isinstance(value, tuple):
        return tuple(shape(v) for v in value)
    return type(value), value


def every() -> Iterator[Obj]:
    for case in CASES:
        yield from (o for held in load(case).snapshot.objects.values() for o in held.values())


def encoded(obj: Obj) -> bytes:
    return msgspec.json.encode(obj, enc_hook=encode_withheld)


def web(name: str, image: str = "web:1") -> Pod:
    """A pod, decoded, so that nothing of it is shared with another."""
    text = {
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {
            "nodeName": "n1",
            "containers": [{"name": "app", "image": image, "resources": {"limits": {"cpu": 1}}}],
        },
        "status": {"phase": "Running"},
    }
    return msgspec.json.decode(msgspec.json.encode(text), type=Pod)


def test_no_object_is_any_different():
    objects = list(every())
    before = [(shape(o), encoded(o)) for o in objects]
    pool = Pool()
    pool.share(objects)
    assert [(shape(o), encoded(o)) for o in objects] == before
    assert len(before) > 200


def test_equal_parts_become_one():
    one, two = web("web-1"), web("web-2")
    assert one.spec.containers is not two.spec.containers
    Pool().share([one, two])
    assert one.spec.containers is two.spec.containers
    assert one.metadata.labels is two.metadata.labels
    assert one.spec.node_name is two.spec.node_name
    assert (one.name, two.name) == ("web-1", "web-2")


def test_what_differs_shares_what_is_in_it():
    one, two = web("web-1"), web("web-2", image="web:2")
    Pool().share([one, two])
    assert one.spec.containers[0].resources is two.spec.containers[0].resources
    assert [p.spec.containers[0].image for p in (one, two)] == ["web:1", "web:2"]


def test_parts_of_other_classes_that_look_the_same_encoded_are_kept_apart():
    status = ContainerStatus(name="app", state=ContainerState(), last_state=ContainerState())
    pod = Pod(
        metadata=Meta(name="web"),
        spec=PodSpec(containers=(Container(name="app", resources=Resources()),)),
        status=PodStatus(container_statuses=(status,)),
    )
    Pool().share([pod, Node(metadata=Meta(name="web"))])
    assert type(pod.spec.containers[0].resources) is Resources
    assert type(pod.status.container_statuses[0].state) is ContainerState


def test_a_new_version_shares_what_has_not_changed():
    before, after = web("web"), web("web")
    changed = msgspec.structs.replace(after, status=PodStatus(phase="Failed"))
    inherit(changed, before)
    assert changed.spec is before.spec
    assert changed.status.phase == "Failed"
    assert shape(changed) == shape(msgspec.structs.replace(web("web"), status=PodStatus(phase="Failed")))
