"""The Structs read what Kubernetes writes: field names that are no plain camel case, nulls where they may stand."""

from __future__ import annotations

import msgspec
import pytest

from kubemend.model.objects import KINDS, EndpointSlice, Pod, Service
from kubemend.model.objects.config import ConfigMap, Withheld, decode_withheld
from kubemend.model.pointer import at, pointer, steps


@pytest.mark.parametrize(
    ("kind", "text", "path", "value"),
    [
        (Service, '{"spec":{"clusterIP":"10.96.0.1"}}', "/spec/clusterIP", "10.96.0.1"),
        (Pod, '{"status":{"podIP":"10.0.0.1"}}', "/status/podIP", "10.0.0.1"),
        (Pod, '{"status":{"hostIP":"10.0.0.2"}}', "/status/hostIP", "10.0.0.2"),
        (Pod, '{"metadata":{"creationTimestamp":null}}', "/metadata/creationTimestamp", None),
        (EndpointSlice, '{"endpoints":null,"ports":null}', "/endpoints", None),
    ],
)
def test_a_field_is_read_under_the_name_that_kubernetes_writes(kind, text, path, value):
    assert at(msgspec.json.decode(text, type=kind), path) == value


def test_a_containers_image_id_is_read():
    text = '{"status":{"containerStatuses":[{"name":"a","imageID":"sha256:1"}]}}'
    assert at(msgspec.json.decode(text, type=Pod), "/status/containerStatuses/0/imageID") == "sha256:1"


def test_what_a_config_map_holds_is_dropped_while_decoding():
    decoded = msgspec.json.decode('{"data":{"password":"hunter2"}}', type=ConfigMap, dec_hook=decode_withheld)
    assert decoded.data == {"password": Withheld()}
    assert "hunter2" not in repr(decoded)


def test_every_kind_knows_its_place_in_the_api():
    assert {k: (t.plural, t.version) for k, t in KINDS.items() if not t.plural or not t.version} == {}
    assert KINDS["HorizontalPodAutoscaler"].version == "v2"
    assert len({(t.group, t.plural) for t in KINDS.values()}) == len(KINDS)


@pytest.mark.parametrize("parts", [("a", "b/c", "d~e", 0), ("metadata", "annotations", "kubemend.dev/repair"), ()])
def test_a_pointer_spells_its_steps_and_reads_them_back(parts):
    assert steps(pointer(*parts)) == [str(p) for p in parts]


def test_a_way_that_ends_is_nothing():
    assert at({"a": [1, {"b": 2}]}, "/a/1/b") == 2
    assert at({"a": [1]}, "/a/5/b") is None
    assert at({"a": "text"}, "/a/0") is None
