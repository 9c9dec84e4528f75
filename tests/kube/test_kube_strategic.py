"""Strategic-merge patches.

`recorded/strategic.jsonl` holds patches of a Deployment with what `strategicpatch.StrategicMergePatch` of
apimachinery v0.34.4 made of them (`merged`, less what decoding drops), or null where it refused.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubemend.kube.patch import PatchError, strategic

RECORDED = (Path(__file__).parent / "recorded" / "strategic.jsonl").read_text().splitlines()


@pytest.mark.parametrize("line", RECORDED, ids=range(len(RECORDED)))
def test_a_patch_gives_what_the_api_server_makes_of_it(line):
    case = json.loads(line)
    untouched = copy.deepcopy(case)
    try:
        merged = strategic(case["target"], case["patch"], kind="Deployment")
    except PatchError:
        merged = None
    assert merged == case["merged"]
    assert case == untouched


def pod(**spec):
    return {"spec": spec}


@pytest.mark.parametrize(
    ("kind", "target", "patch", "merged"),
    [
        (
            "Pod",
            pod(containers=[{"name": "a", "image": "x:1", "args": ["1"]}, {"name": "b"}]),
            pod(containers=[{"name": "a", "image": "x:2", "args": None}]),
            pod(containers=[{"name": "a", "image": "x:2"}, {"name": "b"}]),
        ),
        (
            "Pod",
            pod(containers=[{"name": "a"}]),
            pod(containers=[{"name": "new"}]),
            pod(containers=[{"name": "new"}, {"name": "a"}]),
        ),
        (
            "Pod",
            pod(tolerations=[{"key": "a"}], imagePullSecrets=[{"name": "r"}]),
            pod(tolerations=[{"key": "b"}], imagePullSecrets=[{"name": "s"}]),
            pod(tolerations=[{"key": "b"}], imagePullSecrets=[{"name": "s"}, {"name": "r"}]),
        ),
        (
            "Pod",
            pod(hostAliases=[{"ip": "1.1.1.1", "hostnames": ["a"]}]),
            pod(hostAliases=[{"ip": "1.1.1.1", "hostnames": ["b"]}]),
            pod(hostAliases=[{"ip": "1.1.1.1", "hostnames": ["b"]}]),
        ),
        (
            "Pod",
            pod(volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}]),
            pod(volumes=[{"name": "v", "configMap": {"name": "c"}, "$retainKeys": ["name", "configMap"]}]),
            pod(volumes=[{"name": "v", "configMap": {"name": "c"}}]),
        ),
        (
            "Pod",
            pod(containers=[{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]),
            pod(containers=[{"name": "a", "env": [{"name": "X", "$patch": "delete"}]}]),
            pod(containers=[{"name": "a", "env": [{"name": "Y", "value": "2"}]}]),
        ),
        (
            "Pod",
            pod(nodeSelector={"zone": "a"}),
            pod(nodeSelector={"$patch": "replace", "disk": "ssd"}),
            pod(nodeSelector={"disk": "ssd"}),
        ),
        (
            "Pod",
            pod(containers=[{"name": "a", "resources": {"limits": {"cpu": "1"}}}]),
            pod(containers=[{"name": "a", "resources": {"$patch": "delete"}}]),
            pod(containers=[{"name": "a", "resources": {}}]),
        ),
        # A directive finds nothing to replace where there is no map, and then sets nothing either.
        (
            "Pod",
            pod(securityContext=None, hostNetwork=True),
            pod(securityContext={"$patch": "replace", "runAsUser": 1}, nodeSelector={"$patch": "replace", "a": "b"}),
            pod(hostNetwork=True),
        ),
        (
            "Pod",
            pod(containers=[{"name": "a"}, {"name": "b"}, {"name": "c"}]),
            pod(
                **{
                    "containers": [{"name": "a", "$patch": "delete"}, {"name": "c", "image": "x"}],
                    "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}],
                }
            ),
            pod(containers=[{"name": "c", "image": "x"}, {"name": "b"}]),
        ),
        (
            "Pod",
            pod(containers=[{"name": "a"}, {"name": "b"}]),
            pod(
                **{"containers": [{"$patch": "replace"}, {"name": "c"}], "$setElementOrder/containers": [{"name": "c"}]}
            ),
            pod(containers=[{"name": "c"}]),
        ),
        # Two ports of one number are one element to the merge key: the first of them takes the patch.
        (
            "Service",
            {"spec": {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}},
            {"spec": {"ports": [{"port": 53, "targetPort": 5353}]}},
            {"spec": {"ports": [{"port": 53, "protocol": "UDP", "targetPort": 5353}, {"port": 53, "protocol": "TCP"}]}},
        ),
        (
            "ConfigMap",
            {"metadata": {"finalizers": ["a", "b"]}, "data": {"x": "1", "y": "2"}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}, "data": {"x": None, "z": "3"}},
            {"metadata": {"finalizers": ["b"]}, "data": {"y": "2", "z": "3"}},
        ),
        (
            "PodDisruptionBudget",
            {"spec": {"selector": {"matchLabels": {"a": "1"}}}},
            {"spec": {"selector": {"matchLabels": {"b": "2"}}}},
            {"spec": {"selector": {"matchLabels": {"b": "2"}}}},
        ),
        (
            "CronJob",
            {"spec": {"jobTemplate": {"spec": {"template": pod(containers=[{"name": "a", "image": "x:1"}])}}}},
            {"spec": {"jobTemplate": {"spec": {"template": pod(containers=[{"name": "a", "command": ["c"]}])}}}},
            {
                "spec": {
                    "jobTemplate": {
                        "spec": {"template": pod(containers=[{"name": "a", "image": "x:1", "command": ["c"]}])}
                    }
                }
            },
        ),
        (
            "ServiceAccount",
            {"secrets": [{"name": "a"}], "imagePullSecrets": [{"name": "a"}]},
            {"secrets": [{"name": "b"}], "imagePullSecrets": [{"name": "b"}]},
            {"secrets": [{"name": "b"}, {"name": "a"}], "imagePullSecrets": [{"name": "b"}]},
        ),
        (
            "Ingress",
            {"spec": {"rules": [{"host": "a"}]}},
            {"spec": {"rules": [{"host": "b"}]}},
            {"spec": {"rules": [{"host": "b"}]}},
        ),
    ],
)
def test_lists_merge_by_the_key_of_their_kind(kind, target, patch, merged):
    assert strategic(target, patch, kind=kind) == merged


@pytest.mark.parametrize(
    ("kind", "api"), [("Widget", "example.com/v1"), ("Service", "serving.knative.dev/v1"), ("Widget", "")]
)
def test_a_custom_resource_takes_no_strategic_patch(kind, api):
    with pytest.raises(PatchError, match=f"{kind} takes no strategic-merge patch") as refused:
        strategic({"apiVersion": api}, {}, kind=kind)
    assert refused.value.hint == "use a JSON merge patch"


@pytest.mark.parametrize("api", ["v1", "apps/v1", "networking.k8s.io/v1"])
def test_a_built_in_group_is_recognised(api):
    assert strategic({"apiVersion": api}, {"spec": {"a": 1}}, kind="Ingress")["spec"] == {"a": 1}


@pytest.mark.parametrize(
    ("patch", "says", "where"),
    [
        (pod(containers=[{"image": "x"}]), "lacks its merge key 'name'", "Pod.spec.containers"),
        (pod(containers=["a"]), "must be of one type", "Pod.spec.containers"),
        (pod(containers=[{"$patch": "delete"}]), "lacks its merge key", "Pod.spec.containers"),
        (pod(containers=[{"name": "a", "$patch": "merge"}]), "'merge' is no \\$patch directive", "Pod.spec.containers"),
        ({"spec": {"$patch": "drop"}}, "'drop' is no \\$patch directive", "Pod.spec"),
        ({"spec": {"$retainKeys": "a"}}, "\\$retainKeys is no list", "Pod.spec"),
        ({"spec": {"$retainKeys": ["a"], "b": 1}}, "\\$retainKeys lacks b", "Pod.spec"),
        (
            {"spec": {"$setElementOrder/tolerations": [{"key": "a"}]}},
            "needs a list that merges",
            "Pod.spec.tolerations",
        ),
        ({"spec": {"$setElementOrder/containers": "a"}}, "needs a list that merges", "Pod.spec.containers"),
        (
            {"spec": {"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a"}]}},
            "doesn't hold the patch's elements",
            "Pod.spec.containers",
        ),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}}, "finalizers is no list", "Pod.metadata"),
        ({"metadata": {"finalizers": [{"a": 1}]}}, "must be of one type", "Pod.metadata.finalizers"),
        ({"metadata": {"finalizers": [["a"]]}}, "must be of one type", "Pod.metadata.finalizers"),
    ],
)
def test_a_malformed_patch_is_refused_where_it_is_wrong(patch, says, where):
    target = {"metadata": {"finalizers": ["f"]}, **pod(containers=[{"name": "a"}], tolerations=[{"key": "a"}])}
    with pytest.raises(PatchError, match=says) as refused:
        strategic(target, patch, kind="Pod")
    assert refused.value.where == where


NAMES = st.lists(st.sampled_from("abcde"), unique=True, max_size=4)


def named(names, **fields):
    return [{"name": n, **fields} for n in names]


@given(NAMES, NAMES)
def test_merging_twice_is_merging_once(old, new):
    target, patch = pod(containers=named(old, image="old")), pod(containers=named(new, image="new"))
    once = strategic(target, patch, kind="Pod")
    assert strategic(once, patch, kind="Pod") == once
    assert {c["name"]: c["image"] for c in once["spec"]["containers"]} == dict.fromkeys(old, "old") | dict.fromkeys(
        new, "new"
    )


@given(NAMES, NAMES, st.randoms())
def test_an_element_order_is_kept_to(old, new, random):
    order = sorted({*old, *new})
    random.shuffle(order)
    patch = pod(**{"containers": named(n for n in order if n in new), "$setElementOrder/containers": named(order)})
    if not old and not new:
        return
    merged = strategic(pod(containers=named(old)) if old else pod(), patch, kind="Pod")
    assert [c["name"] for c in merged["spec"]["containers"]] == order


@given(NAMES, NAMES)
def test_deleted_elements_are_gone_and_the_others_stay_in_order(old, gone):
    patch = pod(containers=[{"name": n, "$patch": "delete"} for n in gone])
    merged = strategic(pod(containers=named(old)), patch, kind="Pod")
    assert merged["spec"]["containers"] == named(n for n in old if n not in gone)
