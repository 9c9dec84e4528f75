"""JSON merge patch and its inverse: whatever was done can be undone."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubemend.kube.diff import without_server_fields
from kubemend.kube.patch import inverse, merge


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
        ({"a": 1, "b": 2}, {"a": None, "gone": None}, {"b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": None, "z": 3}}, {"a": {"y": 2, "z": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [1]}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": [1]}, {"a": [1]}),
        ({}, {"a": {"b": {"c": None, "d": 1}}}, {"a": {"b": {"d": 1}}}),
        ({}, {"a": [{"b": None}]}, {"a": [{"b": None}]}),
    ],
)
def test_a_merge_patch_follows_rfc_7386(target, patch, merged):
    untouched = copy.deepcopy((target, patch))
    assert merge(target, patch) == merged
    assert (target, patch) == untouched


KEYS = st.sampled_from(["a", "b", "metadata", "spec"])
LEAVES = st.booleans() | st.integers(-2, 2) | st.floats(0, 1, width=16) | st.sampled_from(["", "x", "1"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


def exact(value):
    """A value that compares as JSON does: True isn't 1."""
    if isinstance(value, dict):
        return {k: exact(v) for k, v in value.items()}
    if isinstance(value, list):
        return [exact(v) for v in value]
    return (isinstance(value, bool), value)


@given(OBJECTS, OBJECTS)
@settings(max_examples=30, deadline=None)
def test_the_inverse_turns_the_new_object_back_into_the_old_one(before, after):
    assert exact(merge(after, inverse(before, after))) == exact(before)


@given(OBJECTS)
def test_there_is_nothing_to_turn_back_where_nothing_changed(obj):
    assert inverse(obj, obj) == {}


@given(OBJECTS, OBJECTS)
@settings(max_examples=30, deadline=None)
def test_the_inverse_of_an_inverse_is_the_change_itself(before, after):
    undone = merge(after, inverse(before, after))
    assert exact(merge(undone, inverse(after, before))) == exact(after)


META = st.fixed_dictionaries(
    {"name": st.just("web")},
    optional={
        "uid": st.sampled_from(["1", "2"]),
        "resourceVersion": st.sampled_from(["7", "8"]),
        "generation": st.integers(1, 3),
        "managedFields": st.just([{}]),
        "labels": st.dictionaries(KEYS, st.sampled_from("xy"), max_size=2),
        "annotations": st.dictionaries(
            KEYS | st.just("deployment.kubernetes.io/revision"), st.sampled_from("12"), min_size=1, max_size=3
        ),
    },
)
WORKLOADS = st.fixed_dictionaries({"metadata": META}, optional={"spec": OBJECTS, "status": OBJECTS})


def own(obj):
    kept = without_server_fields(obj)
    notes = kept["metadata"].get("annotations", {})
    notes = {k: v for k, v in notes.items() if k != "deployment.kubernetes.io/revision"}
    return exact({**kept, "metadata": {**kept["metadata"], "annotations": notes}})


@given(WORKLOADS, WORKLOADS)
@settings(max_examples=30, deadline=None)
def test_the_inverse_leaves_the_fields_of_the_server_as_they_are_now(before, after):
    undone = merge(after, inverse(before, after))
    assert own(undone) == own(before)
    assert undone.get("status") == after.get("status")
    for field in ("uid", "resourceVersion", "generation", "managedFields"):
        assert undone["metadata"].get(field) == after["metadata"].get(field)
    revision = "deployment.kubernetes.io/revision"
    now, then = (o["metadata"].get("annotations", {}).get(revision) for o in (undone, after))
    assert now == then


def test_the_inverse_says_only_what_is_to_be_turned_back():
    before = {"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "a", "image": "x:1"}]}}}}
    after = {
        "metadata": {"resourceVersion": "9"},
        "spec": {
            "replicas": 2,
            "paused": True,
            "template": {"spec": {"containers": [{"name": "a", "image": "x:2"}]}},
        },
        "status": {"replicas": 2},
    }
    assert inverse(before, after) == {
        "spec": {"paused": None, "template": {"spec": {"containers": [{"name": "a", "image": "x:1"}]}}}
    }


def test_a_null_of_the_old_object_counts_as_absent():
    assert inverse({"spec": {"a": None}}, {"spec": {"a": 1}}) == {"spec": {"a": None}}
    assert inverse({"spec": {"a": None}}, {"spec": {}}) == {}
