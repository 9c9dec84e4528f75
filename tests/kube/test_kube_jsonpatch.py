"""JSON Patch (RFC 6902): each operation, and everything it must refuse."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.patch import PatchError, json_patch

DOCUMENT = {"spec": {"replicas": 1, "args": ["a", "b"]}, "a/b": {"m~n": 1}}


def op(name, path, **rest):
    return {"op": name, "path": path, **({"from": rest.pop("source")} if "source" in rest else {}), **rest}


@pytest.mark.parametrize(
    ("ops", "path", "value"),
    [
        ([op("add", "/spec/paused", value=True)], ("spec", "paused"), True),
        ([op("add", "/spec/replicas", value=2)], ("spec", "replicas"), 2),
        ([op("add", "/spec/args/0", value="x")], ("spec", "args"), ["x", "a", "b"]),
        ([op("add", "/spec/args/2", value="x")], ("spec", "args"), ["a", "b", "x"]),
        ([op("add", "/spec/args/-", value="x")], ("spec", "args"), ["a", "b", "x"]),
        ([op("remove", "/spec/args/0")], ("spec", "args"), ["b"]),
        ([op("replace", "/spec/args/1", value="x")], ("spec", "args"), ["a", "x"]),
        ([op("move", "/spec/first", source="/spec/args/0")], ("spec", "first"), "a"),
        ([op("move", "/spec/args/1", source="/spec/args/0")], ("spec", "args"), ["b", "a"]),
        ([op("copy", "/spec/args/-", source="/spec/args/0")], ("spec", "args"), ["a", "b", "a"]),
        ([op("test", "/spec/args", value=["a", "b"]), op("remove", "/spec/args")], ("spec",), {"replicas": 1}),
        ([op("replace", "/a~1b/m~0n", value=2)], ("a/b", "m~n"), 2),
        ([op("add", "/spec/none", value=None)], ("spec", "none"), None),
        ([op("replace", "", value={"spec": 1})], ("spec",), 1),
        ([op("test", "/spec/replicas", value=1.0)], ("spec", "replicas"), 1),
    ],
)
def test_an_operation_changes_what_it_points_at(ops, path, value):
    untouched = copy.deepcopy(DOCUMENT)
    found = json_patch(DOCUMENT, ops)
    for step in path:
        found = found[step]
    assert found == value
    assert untouched == DOCUMENT


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (op("remove", "/spec/gone"), "there is no such value"),
        (op("replace", "/spec/gone", value=1), "there is no such value"),
        (op("add", "/gone/deeper", value=1), "there is no such value"),
        (op("add", "/spec/replicas/0", value=1), "there is nothing to add to"),
        (op("add", "/spec/args/3", value=1), "'3' is no index of the 2 elements"),
        (op("remove", "/spec/args/2"), "'2' is no index"),
        (op("remove", "/spec/args/-"), "'-' is no index"),
        (op("add", "/spec/args/01", value=1), "'01' is no index"),
        (op("add", "/spec/args/-1", value=1), "'-1' is no index"),
        (op("remove", "/spec/args/" + "9" * 5000), "is no index"),
        (op("test", "/spec/replicas", value=2), "isn't the one tested for"),
        (op("test", "/spec/replicas", value=True), "isn't the one tested for"),
        (op("move", "/spec/deeper", source="/spec"), "can't be moved into itself"),
        (op("copy", "/x", source="/gone"), "there is no such value"),
        (op("merge", "/spec"), "'merge' is no JSON Patch operation"),
        (op("add", "/spec/x"), "the operation lacks 'value'"),
        (op("move", "/spec/x"), "the operation lacks 'from'"),
        ({"op": "remove"}, "the operation lacks 'path'"),
        (op("remove", "spec"), "'spec' is no JSON Pointer"),
        (op("remove", 7), "7 is no JSON Pointer"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_changes(wrong, says):
    untouched = copy.deepcopy(DOCUMENT)
    with pytest.raises(PatchError, match=says):
        json_patch(DOCUMENT, [op("add", "/spec/first", value=1), wrong])
    assert untouched == DOCUMENT


def test_the_whole_document_can_be_removed():
    assert json_patch(DOCUMENT, [op("remove", "")]) is None


def test_a_result_shares_nothing_with_the_values_of_the_patch():
    value = {"x": [1]}
    patched = json_patch({}, [op("add", "/a", value=value), op("copy", "/b", source="/a")])
    patched["a"]["x"].append(2)
    assert value == {"x": [1]}
    assert patched["b"] == {"x": [1]}


@given(st.dictionaries(st.text(max_size=3), st.integers(), min_size=1), st.data())
def test_adding_what_was_removed_restores_the_document(document, data):
    key = data.draw(st.sampled_from(sorted(document)))
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    ops = [op("test", path, value=document[key]), op("remove", path), op("add", path, value=document[key])]
    assert json_patch(document, ops) == document
    assert key not in json_patch(document, ops[:2])
