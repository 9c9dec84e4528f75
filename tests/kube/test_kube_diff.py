"""Diffs: what a person reads before approving, and what the guard compares."""

from __future__ import annotations

import json

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubemend.kube.diff import changed, unified, without_server_fields

BEFORE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "labels": {"app": "web"},
        "uid": "1",
        "resourceVersion": "7",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl"}],
        "selfLink": "/x",
    },
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}},
    "status": {"replicas": 1},
}
AFTER = json.loads(json.dumps(BEFORE))
AFTER["metadata"] |= {"resourceVersion": "8", "generation": 2, "managedFields": []}
AFTER["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
AFTER["spec"]["paused"] = True
AFTER["status"] = {"replicas": 2}


def test_what_is_the_servers_is_dropped_and_the_rest_kept():
    assert without_server_fields(BEFORE) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": BEFORE["spec"],
    }


def test_a_change_shows_as_a_unified_diff_with_a_little_context():
    assert unified(BEFORE, AFTER, "Deployment shop/web") == (
        "--- Deployment shop/web (before)\n"
        "+++ Deployment shop/web (after)\n"
        "@@ -6,9 +6,10 @@\n"
        "   name: web\n"
        "   namespace: shop\n"
        " spec:\n"
        "+  paused: true\n"
        "   replicas: 1\n"
        "   template:\n"
        "     spec:\n"
        "       containers:\n"
        "-      - image: web:1\n"
        "+      - image: web:2\n"
        "         name: web\n"
    )


def test_a_new_object_is_all_additions_and_a_deleted_one_all_removals():
    made = unified(None, {"kind": "Namespace", "metadata": {"name": "shop"}}, "Namespace shop")
    gone = unified({"kind": "Namespace", "metadata": {"name": "shop"}}, None, "Namespace shop")
    assert made == (
        "--- /dev/null\n+++ Namespace shop (after)\n@@ -0,0 +1,3 @@\n+kind: Namespace\n+metadata:\n+  name: shop\n"
    )
    assert gone == (
        "--- Namespace shop (before)\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-kind: Namespace\n-metadata:\n-  name: shop\n"
    )


def test_nothing_shows_where_only_the_server_changed_something():
    assert unified(BEFORE, {**BEFORE, "status": {}}, "x") == ""
    assert unified(None, None, "x") == ""


def test_a_line_within_a_text_shows_as_that_line():
    before, after = ({"data": {"app.conf": f"level: {level}\nport: 80\n"}} for level in ("info", "debug"))
    shown = unified(before, after, "ConfigMap shop/app")
    assert "-    level: info\n" in shown
    assert "+    level: debug\n" in shown
    assert "     port: 80\n" in shown


def test_a_text_that_ends_in_empty_lines_does_not_end_the_document():
    shown = unified(None, {"data": {"a": "x\n\n", "b": "y\n..."}, "kind": "ConfigMap"}, "ConfigMap shop/app")
    assert "+...\n" not in shown
    assert "+    ...\n" in shown


def test_the_same_value_in_two_places_is_written_twice():
    shared = {"cpu": "1"}
    shown = unified(None, {"spec": {"a": shared, "b": shared}}, "x")
    assert "&" not in shown
    assert shown.count("cpu: '1'") == 2


def test_a_secret_shows_that_it_changed_and_never_what():
    before = {"kind": "Secret", "data": {"same": "Y2FuYXJ5", "new": "Y2FuYXJ5"}, "stringData": {"gone": "canary"}}
    after = {"kind": "Secret", "data": {"same": "Y2FuYXJ5", "new": "b3RoZXI="}}
    shown = unified(before, after, "Secret shop/db")
    assert "canary" not in shown
    assert "Y2FuYXJ5" not in shown
    assert "b3RoZXI=" not in shown
    assert "-  new: '*** (before)'\n" in shown
    assert "+  new: '*** (after)'\n" in shown
    assert "   same: '***'\n" in shown
    assert "-  gone: '***'\n" in shown


def test_the_copy_that_kubectl_apply_keeps_of_a_secret_is_masked_too():
    notes = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"x":"Y2FuYXJ5"}}', "team": "red"}
    shown = unified(None, {"kind": "Secret", "metadata": {"name": "db", "annotations": notes}}, "Secret shop/db")
    assert "Y2FuYXJ5" not in shown
    assert "+    team: red\n" in shown


def test_changes_are_pointers_with_the_old_and_the_new_value():
    assert changed(BEFORE, AFTER) == [
        ("/spec/paused", None, True),
        ("/spec/template/spec/containers/0/image", "web:1", "web:2"),
    ]


def test_changes_tell_true_from_one_and_lists_by_index():
    assert changed({"a": True, "b": [1, 2], "c~/": {}}, {"a": 1, "b": [1, 3, 4], "c~/": []}) == [
        ("/a", True, 1),
        ("/b/1", 2, 3),
        ("/b/2", None, 4),
        ("/c~0~1", {}, []),
    ]


JSON = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.text("ab\n: '-#é", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["apiVersion", "kind", "data", "spec"]), JSON)


@given(OBJECTS, OBJECTS)
@settings(max_examples=30, deadline=None)
def test_a_diff_is_empty_just_when_nothing_changed(before, after):
    assert bool(unified(before, after, "x")) is bool(changed(before, after))


@given(OBJECTS)
@settings(max_examples=30, deadline=None)
def test_a_diff_from_nothing_holds_the_whole_object(obj):
    lines = unified(None, obj, "x").splitlines(keepends=True)[3:]
    assert (yaml.safe_load("".join(line[1:] for line in lines)) or {}) == obj


@given(OBJECTS, OBJECTS)
@settings(max_examples=30, deadline=None)
def test_a_diff_does_not_depend_on_the_order_of_keys(before, after):
    turned = dict(reversed(after.items()))
    assert unified(before, turned, "x") == unified(before, after, "x")
