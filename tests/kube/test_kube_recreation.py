"""Making deleted objects anew, comparing templates, and who uses a ConfigMap."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from kubemend.kube.consumers import config_map_uses
from kubemend.kube.recreation import gone_for_good, lost, manifest
from kubemend.kube.template_diff import differences
from kubemend.model.objects import PodSpec

JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "load", "namespace": "shop", "uid": "u1", "resourceVersion": "7",
                 "labels": {"controller-uid": "u1", "team": "x"}},
    "spec": {
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u1"}},
        "template": {
            "metadata": {"labels": {"controller-uid": "u1", "batch.kubernetes.io/controller-uid": "u1", "app": "load"}},
            "spec": {"containers": [{"name": "load"}]},
        },
    },
    "status": {"active": 1},
}  # fmt: skip


def test_a_job_is_made_anew_without_the_selector_of_the_deleted_one() -> None:
    made = manifest(JOB)
    assert "selector" not in made["spec"]
    assert made["spec"]["template"]["metadata"]["labels"] == {"app": "load"}
    assert made["metadata"] == {"name": "load", "namespace": "shop", "labels": {"team": "x"}}


def test_a_job_with_a_selector_of_its_own_keeps_it() -> None:
    own = copy.deepcopy(JOB)
    own["spec"]["manualSelector"] = True  # type: ignore[index]
    assert manifest(own)["spec"]["selector"] == own["spec"]["selector"]  # type: ignore[index]


def test_a_pod_is_scheduled_anew() -> None:
    before = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeName": "n", "priority": 0}}
    assert manifest(before)["spec"] == {"priority": 0}


@pytest.mark.parametrize(
    ("kind", "fields", "final"),
    [
        ("Pod", {"status": {"phase": "Failed"}}, True),
        ("Pod", {"status": {"phase": "Running"}}, False),
        ("Pod", {"metadata": {"ownerReferences": [{"controller": True}]}}, True),
        ("Pod", {"metadata": {"ownerReferences": [{"controller": False}]}}, False),
        ("Job", {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}, True),
        ("Job", {"status": {"conditions": [{"type": "Suspended", "status": "True"}]}}, False),
        ("ConfigMap", {}, False),
    ],
)
def test_what_has_ended_or_was_replaced_is_not_made_again(kind: str, fields: dict[str, Any], final: bool) -> None:
    assert (gone_for_good({"kind": kind, "metadata": {}, **fields}) is not None) is final


def test_a_claim_comes_back_without_its_data() -> None:
    assert "data" in (lost({"kind": "PersistentVolumeClaim"}) or "")
    assert lost({"kind": "ConfigMap"}) is None


def template(**changes: Any) -> dict[str, Any]:
    container = {
        "name": "app", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "TOKEN", "value": "one"}],
        "resources": {"limits": {"memory": "1Gi"}}, "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
    }  # fmt: skip
    return {
        "metadata": {"labels": {"app": "web", "pod-template-hash": "x"}},
        "spec": {"containers": [{**container, **changes.pop("container", {})}], **changes},
    }


@pytest.mark.parametrize(
    ("changes", "area", "field", "kind"),
    [
        ({"container": {"image": "web:2"}}, "image", "image", "modified"),
        ({"container": {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}}, "resources", "resources.limits.cpu",
         "added"),
        ({"container": {"livenessProbe": None}}, "probes", "livenessProbe", "removed"),
        ({"container": {"args": ["-v"]}}, "command", "args", "added"),
        ({"container": {"volumeMounts": [{"name": "v"}]}}, "volumes", "volumeMounts", "added"),
        ({"volumes": [{"name": "v", "emptyDir": {}}]}, "volumes", "volumes.v", "added"),
        ({"nodeSelector": {"disk": "ssd"}}, "scheduling", "nodeSelector", "added"),
        ({"serviceAccountName": "web"}, "security", "serviceAccountName", "added"),
        ({"terminationGracePeriodSeconds": 5}, "other", "terminationGracePeriodSeconds", "added"),
    ],
)  # fmt: skip
def test_every_difference_has_its_area_and_its_field(changes: Any, area: str, field: str, kind: str) -> None:
    (found,) = differences(template(), template(**changes))
    assert (found.area, found.field, found.change_type) == (area, field, kind)


def test_the_hash_that_the_controller_adds_is_no_difference() -> None:
    other = template()
    other["metadata"]["labels"]["pod-template-hash"] = "y"
    assert differences(template(), other) == ()


def test_the_value_of_a_variable_that_looks_secret_is_not_told_only_that_it_differs() -> None:
    changed = template(container={"env": [{"name": "A", "value": "1"}, {"name": "TOKEN", "value": "two"}]})
    (found,) = differences(template(), changed)
    assert (found.field, found.change_type) == ("env.TOKEN", "modified")
    assert (found.revision1_value, found.revision2_value) == ("<redacted>", "<redacted>")


@pytest.mark.parametrize(
    ("spec", "how", "live"),
    [
        ({"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "web"}}]}]}, "envFrom", False),
        ({"initContainers": [{"name": "c", "env": [
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "k"}}}]}]}, "env", False),
        ({"containers": [{"name": "c", "volumeMounts": [{"name": "v"}]}],
          "volumes": [{"name": "v", "configMap": {"name": "web"}}]}, "volume", True),
        ({"containers": [{"name": "c", "volumeMounts": [{"name": "v", "subPath": "f"}]}],
          "volumes": [{"name": "v", "configMap": {"name": "web"}}]}, "volume", False),
        ({"containers": [{"name": "c", "volumeMounts": [{"name": "v"}]}],
          "volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "web"}}]}}]}, "projected", True),
        ({"containers": [{"name": "c"}], "volumes": [{"name": "v", "configMap": {"name": "web"}}]}, "volume", True),
    ],
)  # fmt: skip
def test_every_way_of_using_a_config_map_is_seen(spec: Any, how: str, live: bool) -> None:
    (use,) = config_map_uses(msgspec.convert(spec, PodSpec), "web")
    assert (use.how, use.live) == (how, live)
    assert config_map_uses(msgspec.convert(spec, PodSpec), "other") == ()
