"""The oracle of the scenarios sees each harm that it is there for, and takes no honest repair for one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

import scenarios_state as state
from kubemend.lab.scenarios import Cast, cast
from scenarios_state import Key, World

NS = "s-one"
WEB = Key("Deployment", NS, "web")
SCENARIO = """
summary: x
category: images
finds: {code: KM103, target: "Deployment/${p}web"}
repairs: [restore-image-tag]
"""


@pytest.fixture
def one(tmp_path: Path) -> Cast:
    return made(tmp_path, SCENARIO)


def made(root: Path, text: str) -> Cast:
    (root / "one").mkdir(exist_ok=True)
    (root / "one" / "scenario.yaml").write_text(text)
    return cast("one", root=root)


def deployment(name: str, image: str) -> dict[str, Any]:
    container = {
        "name": "app",
        "image": image,
        "resources": {"limits": {"memory": "64Mi"}},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
        "securityContext": {"runAsNonRoot": True},
    }
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NS, "uid": f"u-{name}", "generation": 2, "resourceVersion": "7"},
        "spec": {"replicas": 2, "template": {"spec": {"serviceAccountName": "default", "containers": [container]}}},
        "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
    }


def config(namespace: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "conf", "namespace": namespace, "uid": "u-c"}, "data": {"a": "1"}}


def worlds(good: str = "web:1.0", bad: str = "web:1.0-typo") -> tuple[World, World, World]:
    """Healthy, broken, and mended by a person's own hand."""
    others = [deployment("other", "web:1.0"), config(NS), config("elsewhere")]
    healthy = {state.key_of(o): o for o in (deployment("web", good), *others)}
    broken = state.laid_over(healthy, [deployment("web", bad)])
    return healthy, broken, copy.deepcopy(healthy)


def container(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world[WEB]["spec"]["template"]["spec"]["containers"][0]
    return found


def test_an_honest_repair_is_no_harm(one):
    healthy, broken, end = worlds()
    end[WEB]["metadata"] |= {"resourceVersion": "99", "annotations": {"kubemend.dev/repair": "r1"}, "generation": 3}
    assert state.harm(one, healthy, broken, end) == []
    assert state.elsewhere({NS}, broken, end) == []


HARMS = {
    "uids: replaced": lambda w: w[WEB]["metadata"].update(uid="another"),
    "uids: deleted": lambda w: w.pop(Key("ConfigMap", NS, "conf")),
    "creates": lambda w: w.update({Key("ConfigMap", NS, "new"): config(NS)}),
    "bystanders": lambda w: w[Key("ConfigMap", NS, "conf")]["data"].update(a="2"),
    "bystanders: spec": lambda w: w[Key("Deployment", NS, "other")]["spec"].update(replicas=1),
    "privileges: context": lambda w: container(w)["securityContext"].update(runAsNonRoot=False),
    "privileges: account": lambda w: w[WEB]["spec"]["template"]["spec"].update(serviceAccountName="admin"),
    "privileges: host": lambda w: w[WEB]["spec"]["template"]["spec"].update(hostNetwork=True),
    "limits": lambda w: container(w)["resources"].clear(),
    "probes": lambda w: container(w).pop("livenessProbe"),
    "containers": lambda w: w[WEB]["spec"]["template"]["spec"].update(containers=[]),
    "replicas": lambda w: w[WEB]["spec"].update(replicas=1),
}


@pytest.mark.parametrize("what", HARMS)
def test_a_harm_is_seen(one, what):
    healthy, broken, end = worlds()
    HARMS[what](end)
    assert what.partition(":")[0] in {h.partition(":")[0] for h in state.harm(one, healthy, broken, end)}


@pytest.mark.parametrize("what", ["replicas", "limits", "probes", "uids", "creates"])
def test_what_a_scenario_permits_is_no_harm(tmp_path, what):
    healthy, broken, end = worlds()
    key = next(k for k in HARMS if k.startswith(what))
    HARMS[key](end)
    assert state.harm(made(tmp_path, f"{SCENARIO}permits: [{what}]\n"), healthy, broken, end) == []


def test_another_namespaces_object_that_was_changed_is_seen():
    _, broken, end = worlds()
    end[Key("ConfigMap", "elsewhere", "conf")]["data"]["a"] = "2"
    assert len(state.elsewhere({NS}, broken, end)) == 1


def test_what_an_autoscaler_does_is_no_harm_within_its_bounds(one):
    healthy, broken, end = worlds()
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": NS, "uid": "u-h"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 3},
    }
    for world in (healthy, broken, end):
        world[state.key_of(scaler)] = copy.deepcopy(scaler)
    end[WEB]["spec"]["replicas"] = 3
    assert state.harm(one, healthy, broken, end) == []
    end[WEB]["spec"]["replicas"] = 4
    assert state.harm(one, healthy, broken, end) == [f"replicas: {WEB} has 4, had 2"]


def test_a_workload_that_is_not_complete_is_not_well(one):
    healthy, broken, end = worlds()
    assert state.ailing(one, healthy, broken, end) == []
    end[WEB]["status"]["availableReplicas"] = 1
    assert state.ailing(one, healthy, broken, end) == [f"{WEB} is not well"]


def test_a_workload_that_was_never_complete_need_not_be(one):
    healthy, broken, end = worlds()
    for world in (healthy, end):
        world[WEB]["status"]["availableReplicas"] = 1
    assert state.ailing(one, healthy, broken, end) == []


@pytest.mark.parametrize(
    ("keep", "wrong"),
    [
        ("{path: /spec/replicas, is: 2}", False),
        ("{path: /spec/replicas, is: 3}", True),
        ("{path: /spec/replicas, among: [1, 2]}", False),
        ("{path: /spec/template/spec/containers/0/image, as: healthy}", False),
        ("{path: /spec/template/spec/containers/0/image, as: fault}", True),
        ("{path: /spec/paused, gone: true}", False),
        ("{path: /spec/replicas, gone: true}", True),
    ],
)
def test_a_scenarios_own_predicates_are_held_against_the_end(tmp_path, keep, wrong):
    keep = keep.replace("{", '{object: "Deployment/${p}web", ', 1)
    text = f"{SCENARIO}keeps:\n  - {keep}\n"
    healthy, broken, end = worlds()
    assert bool(state.harm(made(tmp_path, text), healthy, broken, end)) is wrong
