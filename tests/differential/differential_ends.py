"""How objects come to their end: eviction, owners and finalizers, generations, namespaces."""

from __future__ import annotations

from typing import Any

from differential_steps import (
    POLICY,
    STRATEGIC,
    Step,
    apply,
    config,
    delete,
    get,
    named,
    patch,
    pod,
    post,
    put,
    typed,
    workload,
)
from differential_writes import BUDGET, DEPLOYMENTS, OTHER, UID, WEB, cm

READY = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
COUNTED = {
    "disruptionsAllowed": 0,
    "currentHealthy": 1,
    "desiredHealthy": 1,
    "expectedPods": 1,
    "observedGeneration": 1,
}


def eviction(name: str, **options: Any) -> dict[str, Any]:
    return typed("policy/v1", "Eviction", {**named(name), **({"deleteOptions": options} if options else {})})


EVICTION: list[Step] = [
    post("pods", pod("free"), keep={"free": UID}),
    post("pods/free/eviction", eviction("free", preconditions={"uid": OTHER}), name="of another uid"),
    post("pods/free/eviction", eviction("other"), name="of another name"),
    post("pods/none/eviction", eviction("none"), name="of no pod"),
    post("pods/free/eviction", {"kind": "Nothing", "apiVersion": "v1"}, name="of no kind"),
    post("pods/free/eviction", eviction("free", preconditions={"uid": "${free}"}), name="of a free pod"),
    get("pods/free"),
    post("pods", pod("held", labels={"app": "b"}), keep={"held": UID}),
    post("pods/held/binding", named("held", target={"kind": "Node", "name": "n1"})),
    patch("pods/held/status", {"status": READY}),
    post(f"{POLICY}/poddisruptionbudgets", BUDGET),
    post("pods/held/eviction", eviction("held"), name="before the budget is counted"),
    patch(f"{POLICY}/poddisruptionbudgets/b/status", {"status": COUNTED}),
    post("pods/held/eviction", eviction("held"), name="beyond the budget"),
    post("pods/held/eviction", eviction("held", dryRun=["All"]), name="try beyond the budget"),
    get(f"{POLICY}/poddisruptionbudgets/b"),
    patch(
        f"{POLICY}/poddisruptionbudgets/b/status", {"status": {**COUNTED, "disruptionsAllowed": 1, "currentHealthy": 2}}
    ),
    post("pods/held/eviction", eviction("held", dryRun=["All"]), name="try within the budget"),
    get(f"{POLICY}/poddisruptionbudgets/b"),
    post("pods", pod("third", labels={"app": "b"})),
    post("pods/third/eviction", eviction("third"), name="of a pod that waits"),
    post(
        f"{POLICY}/poddisruptionbudgets",
        named("b2", spec={"maxUnavailable": 1, "selector": {"matchLabels": {"app": "b"}}}),
    ),
    post("pods/held/eviction", eviction("held"), name="under two budgets"),
    delete(f"{POLICY}/poddisruptionbudgets/b2"),
    post("pods/held/eviction", eviction("held", gracePeriodSeconds=7), name="within the budget"),
    get("pods/held"),
    get(f"{POLICY}/poddisruptionbudgets/b"),
    post("pods/held/eviction", eviction("held"), name="of a pod on its way out"),
]

OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "${owner}"}
LIFECYCLE: list[Step] = [
    post("configmaps", config("owner"), keep={"owner": UID}),
    post(
        "configmaps",
        {"metadata": {"name": "owned", "ownerReferences": [{**OWNER, "blockOwnerDeletion": True, "controller": True}]}},
    ),
    post("configmaps", {"metadata": {"name": "bad", "ownerReferences": [{"name": "x"}]}}),
    post(
        "configmaps",
        {
            "metadata": {
                "name": "bad",
                "ownerReferences": [{**OWNER, "controller": True}, {**OWNER, "uid": OTHER, "controller": True}],
            }
        },
    ),
    delete("configmaps/owner?propagationPolicy=Foreground"),
    get("configmaps/owner"),
    patch("configmaps/owner", {"data": {"still": "here"}}),
    delete("configmaps/owner"),
    patch("configmaps/owner", {"metadata": {"finalizers": None}}),
    get("configmaps/owner"),
    post("configmaps", {"metadata": {"name": "held", "finalizers": ["kubemend.dev/hold"]}}),
    delete("configmaps/held", keep={"held": UID}),
    delete("configmaps/held"),
    post("configmaps", config("held")),
    patch("configmaps/held", {"metadata": {"finalizers": []}}, name="let it go"),
    post("configmaps", {"metadata": {"name": "held", "finalizers": ["not qualified"]}}),
    post("configmaps", {"metadata": {"name": "held", "deletionTimestamp": "2020-01-01T00:00:00Z"}}),
    delete("configmaps/held?orphanDependents=true"),
    delete("configmaps/none"),
    delete("configmaps/held?gracePeriodSeconds=-1"),
    delete("configmaps/held", {"gracePeriodSeconds": "x"}),
    delete("configmaps/held", {"propagationPolicy": "Foreground", "orphanDependents": True}),
    delete("configmaps?labelSelector=a=b"),
    delete("configmaps"),
    post("configmaps", {"metadata": {"generateName": "gen-"}}),
    post("configmaps", {"metadata": {"generateName": "Gen_"}}),
    post(DEPLOYMENTS, workload(), name="a first generation"),
    patch(WEB, {"metadata": {"labels": {"a": "b"}}}, name="a label is no new generation"),
    patch(WEB, {"metadata": {"annotations": {"a": "b"}}}, name="nor is an annotation"),
    patch(WEB, {"spec": {"replicas": 1}}, name="nor is the same value"),
    patch(WEB, {"spec": {"replicas": 2}}, name="replicas are"),
    patch(f"{WEB}/scale", {"spec": {"replicas": 3}}, name="by scale too"),
    patch(f"{WEB}/status", {"status": {"observedGeneration": 3, "replicas": 1}}, name="a status isn't"),
    patch(WEB, {"metadata": {"generation": 77}}, name="nobody sets it"),
    patch(WEB, {"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}, name="a template is"),
    put(WEB, workload(), name="put is"),
    get(WEB),
    patch(
        f"{WEB}/status",
        {
            "status": {
                "replicas": 1,
                "conditions": [{"type": "Available", "status": "True", "reason": "x", "message": "y"}],
            }
        },
        STRATEGIC,
    ),
    put(f"{WEB}/status", {**workload(), "status": {"replicas": 2}}),
    patch(f"{WEB}/status?dryRun=All", {"status": {"replicas": -1}}, name="a status that can't be"),
    get(f"{WEB}/status"),
    patch(
        f"{WEB}/status",
        {"metadata": {"labels": {"by": "status"}, "annotations": {"by": "status"}}, "spec": {"replicas": 9}},
        name="metadata by way of the status",
    ),
    post("pods", pod("p", labels={"a": "b"})),
    patch(
        "pods/p/status",
        {"metadata": {"labels": {"by": "status"}, "annotations": {"by": "status"}}, "status": {"phase": "Running"}},
        name="metadata by way of a pod's status",
    ),
    delete(f"{WEB}/status"),
    delete(f"{WEB}?propagationPolicy=Foreground"),
    get(WEB),
]

SPACE = "/api/v1/namespaces"
NAMESPACES: list[Step] = [
    post(SPACE, named("${ns}-a", labels_="")),
    post(SPACE, {"metadata": {"name": "${ns}-b", "labels": {"team": "x"}}}),
    post(SPACE, named("${ns}-b")),
    post(SPACE, named("Bad_Name")),
    post(SPACE, {"metadata": {"generateName": "gen-"}}),
    get(f"{SPACE}/${{ns}}-b"),
    get(f"{SPACE}/${{ns}}-none"),
    patch(f"{SPACE}/${{ns}}-b", {"metadata": {"labels": {"team": "y"}}}),
    patch(f"{SPACE}/${{ns}}-b", {"metadata": {"labels": {"kubernetes.io/metadata.name": "z"}}}),
    patch(f"{SPACE}/${{ns}}-b", {"spec": {"finalizers": []}}),
    post(f"{SPACE}/${{ns}}-none/configmaps", config()),
    post(f"{SPACE}/${{ns}}-b/configmaps", config()),
    post(f"{SPACE}/${{ns}}-b/configmaps", {"metadata": {"name": "x", "namespace": "other"}}),
    patch(f"{SPACE}/${{ns}}-none/configmaps/x", {"data": {"a": "b"}}),
    apply(f"{SPACE}/${{ns}}-none/configmaps/x", "one", cm("x")),
    delete(f"{SPACE}/${{ns}}-none/configmaps/x"),
    delete(f"{SPACE}/${{ns}}-b"),
    get(f"{SPACE}/${{ns}}-b"),
    post(f"{SPACE}/${{ns}}-b/configmaps", config("late")),
    apply(f"{SPACE}/${{ns}}-b/configmaps/late", "one", cm("late")),
    patch(f"{SPACE}/${{ns}}-b/configmaps/settings", {"data": {"late": "change"}}),
    delete(f"{SPACE}/${{ns}}-b/configmaps/settings"),
    get(f"{SPACE}/${{ns}}-b/configmaps"),
    delete(f"{SPACE}/${{ns}}-b", name="delete again"),
    put(f"{SPACE}/${{ns}}-b/finalize", typed("v1", "Namespace", named("${ns}-b", spec={"finalizers": []}))),
    get(f"{SPACE}/${{ns}}-b"),
    delete(f"{SPACE}/default"),
    delete(f"{SPACE}/kube-system"),
    delete(SPACE),
]
