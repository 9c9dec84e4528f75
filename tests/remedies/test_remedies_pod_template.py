"""A written difference, applied as the API server would, makes one template like the other."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.patch import strategic
from kubemend.model.objects import PodTemplate
from kubemend.model.ref import Ref
from kubemend.remedies.template import NotHeld, difference, nested, put, shape

KEYS = {"containers": "name", "env": "name", "ports": "containerPort", "volumeMounts": "mountPath", "volumes": "name"}


def maybe(**fields: st.SearchStrategy) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def keyed(key: str, values: list[Any], fields: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[Any]]:
    chosen = st.lists(st.sampled_from(values), unique=True, max_size=len(values))
    return chosen.flatmap(lambda keys: st.tuples(*(fields.map(lambda f, k=k: {key: k, **f}) for k in keys)).map(list))


texts = st.sampled_from(["a", "b"])
source = st.sampled_from(
    [
        {"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"valueFrom": {"configMapKeyRef": {"name": "d", "key": "k"}}},
        {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"value": "literal"},
    ]
)
probe = st.sampled_from(
    [
        {"httpGet": {"port": 80, "path": "/a"}},
        {"httpGet": {"port": "http"}, "periodSeconds": 3},
        {"tcpSocket": {"port": 81}},
        {"exec": {"command": ["x"]}, "failureThreshold": 9},
    ]
)
container = maybe(
    image=texts,
    command=st.lists(texts, min_size=1, max_size=2),
    env=keyed("name", ["X", "Y"], source),
    ports=keyed("containerPort", [80, 81], maybe(name=texts)),
    volumeMounts=keyed("mountPath", ["/a", "/b"], st.fixed_dictionaries({"name": st.sampled_from(["v", "w"])})),
    livenessProbe=probe,
    resources=maybe(limits=maybe(memory=st.sampled_from(["1Gi", "2Gi"]), cpu=st.just("1"))),
)
volume = st.sampled_from(
    [{"configMap": {"name": "c"}}, {"configMap": {"name": "d"}}, {"secret": {"secretName": "s"}}, {"emptyDir": {}}]
)
template = st.fixed_dictionaries(
    {
        "metadata": maybe(labels=maybe(app=texts), annotations=maybe(note=texts)),
        "spec": st.fixed_dictionaries(
            {"containers": keyed("name", ["app", "proxy"], container)},
            optional={
                "volumes": keyed("name", ["v", "w"], volume),
                "nodeSelector": maybe(disk=texts),
                "tolerations": st.lists(st.fixed_dictionaries({"key": texts}), max_size=2),
                "serviceAccountName": texts,
            },
        ),
    }
)


def typed(raw: dict[str, Any]) -> PodTemplate:
    return msgspec.convert(raw, type=PodTemplate)


def ordered(value: Any, field: str = "") -> Any:
    """The same with lists that merge by key sorted by it, and what is empty left out: neither makes a difference."""
    if isinstance(value, dict):
        return {k: o for k, v in value.items() if (o := ordered(v, k)) not in ({}, [])}
    if isinstance(value, list) and field in KEYS:
        return sorted((ordered(v) for v in value), key=lambda e: str(e[KEYS[field]]))
    return value


@given(now=template, wanted=template)
def test_a_difference_applied_gives_the_wanted_template_or_is_refused(now: dict, wanted: dict):
    try:
        change = difference(shape(typed(now)), shape(typed(wanted)))
    except NotHeld:
        return
    deployment = {"kind": "Deployment", "apiVersion": "apps/v1", "spec": {"template": copy.deepcopy(now)}}
    after = strategic(deployment, nested(Ref("Deployment", "n", "d", "apps"), change), kind="Deployment")
    found = shape(typed(after["spec"]["template"]))
    assert ordered(found) == ordered(shape(typed(wanted)))


@given(same=template)
def test_a_template_differs_in_nothing_from_itself(same: dict):
    assert difference(shape(typed(same)), shape(typed(same))) == {}


def spec(**fields: Any) -> dict[str, Any]:
    return shape(typed({"spec": fields}))


def app(**fields: Any) -> dict[str, Any]:
    return spec(containers=[{"name": "app", **fields}])


FIELD_REF = [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
KEY_REF = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]


@pytest.mark.parametrize(
    ("now", "wanted", "why"),
    [
        (spec(containers=[]), app(), "container 'app' would have to be written whole"),
        (app(env=KEY_REF), app(env=[{"name": "X", "value": "v"}]), "the value of environment variable 'X' differs"),
        (app(env=FIELD_REF), app(env=KEY_REF), "the value of environment variable 'X' differs"),
        (app(env=KEY_REF), app(env=FIELD_REF), "the value of environment variable 'X' differs"),
        (app(), app(env=[{"name": "X", "value": "v"}]), "the value of environment variable 'X' is gone"),
        (
            spec(containers=[{"name": "app"}], volumes=[{"name": "d", "emptyDir": {}}]),
            spec(
                containers=[{"name": "app", "volumeMounts": [{"name": "d", "mountPath": "/d"}]}],
                volumes=[{"name": "d", "emptyDir": {}}],
            ),
            "whether the mount at /d was read-only is not read",
        ),
        (spec(), spec(volumes=[{"name": "d", "emptyDir": {}}]), "volume 'd' would have to be written whole"),
        (
            spec(volumes=[{"name": "d", "emptyDir": {}}]),
            spec(volumes=[{"name": "d", "secret": {"secretName": "s"}}]),
            "volume 'd' differs in a source that is not read",
        ),
        (
            app(ports=[{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]),
            app(),
            "two ports share one containerPort",
        ),
        (
            spec(),
            spec(topologySpreadConstraints=[{"topologyKey": "zone"}]),
            "topologySpreadConstraints differs, which is not read in full",
        ),
    ],
)
def test_what_is_not_held_in_full_is_never_written(now: dict, wanted: dict, why: str):
    with pytest.raises(NotHeld, match=why):
        difference(now, wanted)


def test_the_controllers_hash_label_is_no_difference():
    now = typed({"metadata": {"labels": {"app": "web", "pod-template-hash": "1"}}})
    assert shape(now)["metadata"]["labels"] == {"app": "web"}


def test_putting_a_value_leaves_the_template_it_was_made_from_alone():
    before = app(image="a:1", command=["x"])
    after = put(put(before, ("containers", 0, "image"), "a:2"), ("containers", 0, "command"), None)
    assert after["spec"]["containers"] == [{"name": "app", "image": "a:2"}]
    assert before["spec"]["containers"] == [{"name": "app", "image": "a:1", "command": ["x"]}]


def test_a_change_is_nested_where_the_kind_holds_its_template():
    assert nested(Ref("CronJob", "n", "c", "batch"), {"spec": {}}) == {
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {}}}}}
    }
