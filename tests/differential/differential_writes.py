"""Writing: apply with its conflicts, dry runs, preconditions."""

from __future__ import annotations

from typing import Any

from differential_steps import (
    APPS,
    JSON_PATCH,
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

DEPLOYMENTS = f"{APPS}/deployments"
WEB = f"{DEPLOYMENTS}/web"
UID, RV = "/metadata/uid", "/metadata/resourceVersion"
OTHER = "00000000-0000-0000-0000-000000000000"


def cm(name: str, **data: str) -> dict[str, Any]:
    return typed("v1", "ConfigMap", config(name, **data))


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    return typed("apps/v1", "Deployment", workload(name, **spec))


def containers(*items: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(items)}}}}


APPLYING: list[Step] = [
    apply("configmaps/a", "one", cm("a", x="1", y="2")),
    apply("configmaps/a", "one", cm("a", x="1", y="2"), name="the same again"),
    apply("configmaps/a", "one", cm("a", x="1"), name="let go of a field"),
    apply("configmaps/a", "two", cm("a", x="1"), name="share a field"),
    apply("configmaps/a", "two", cm("a", x="3"), name="fight for a field"),
    apply("configmaps/a", "two", cm("a", x="3"), force=True, name="take a field"),
    apply("configmaps/a", "one", cm("a", z="9"), name="the loser goes on"),
    apply("configmaps/a", "one", cm("a"), name="let go of all"),
    apply("configmaps/a", "two", cm("b", x="3"), name="another name in the body"),
    apply("configmaps/b?dryRun=All", "one", cm("b", x="1"), name="try to make"),
    get("configmaps/b"),
    apply("configmaps/a?dryRun=All", "two", cm("a", x="4"), name="try to change"),
    get("configmaps/a"),
    apply("configmaps/a", "", cm("a"), name="without a manager"),
    apply("configmaps/a", "one", {"metadata": {"name": "a"}}, name="without a kind"),
    apply("configmaps/a", "one", typed("v1", "Secret", config("a")), name="another kind"),
    apply("configmaps/a", "one", {**cm("a"), "dato": {}}, name="an unknown field"),
    apply(
        "configmaps/a",
        "one",
        typed("v1", "ConfigMap", {"metadata": {"name": "a", "managedFields": []}}),
        name="with managed fields",
    ),
    apply(
        "configmaps/a",
        "one",
        typed("v1", "ConfigMap", {"metadata": {"name": "a", "resourceVersion": "1"}}),
        name="of an old version",
    ),
    apply(
        "configmaps/a",
        "one",
        typed("v1", "ConfigMap", {"metadata": {"name": "a", "uid": OTHER}}),
        name="of another object",
    ),
    apply(
        "configmaps/new",
        "one",
        typed("v1", "ConfigMap", {"metadata": {"name": "new", "uid": OTHER}}),
        name="of an object that is gone",
    ),
    apply(WEB, "one", deployment(replicas=2), name="make a deployment"),
    apply(WEB, "two", typed("apps/v1", "Deployment", named("web", spec={"replicas": 3})), name="fight for replicas"),
    apply(
        WEB, "two", typed("apps/v1", "Deployment", named("web", spec={"replicas": 3})), force=True, name="take replicas"
    ),
    apply(
        WEB,
        "two",
        typed("apps/v1", "Deployment", named("web", **containers({"name": "main", "image": "other:2"}))),
        name="fight for an image",
    ),
    apply(
        WEB,
        "two",
        typed("apps/v1", "Deployment", named("web", **containers({"name": "side", "image": "side:1"}))),
        name="add a container",
    ),
    apply(
        WEB,
        "two",
        typed(
            "apps/v1", "Deployment", named("web", **containers({"name": "main", "env": [{"name": "A", "value": "1"}]}))
        ),
        name="add a variable",
    ),
    apply(WEB, "two", typed("apps/v1", "Deployment", named("web")), name="take it all back"),
    patch(
        f"{WEB}?fieldManager=hand",
        containers({"name": "main", "image": "hand:1"}),
        STRATEGIC,
        name="patch what was applied",
    ),
    apply(WEB, "one", deployment(replicas=2), name="fight a patch"),
    apply(WEB, "one", deployment(replicas=2), force=True, name="win over a patch"),
    apply(
        "services/s",
        "one",
        typed("v1", "Service", named("s", spec={"selector": {"a": "b"}, "ports": [{"port": 80}]})),
        name="make a service",
    ),
    apply(
        "services/s",
        "two",
        typed("v1", "Service", named("s", spec={"ports": [{"port": 81, "name": "x"}]})),
        name="add a port",
    ),
    apply(
        f"{WEB}/status",
        "one",
        typed("apps/v1", "Deployment", named("web", status={"replicas": 4})),
        name="apply a status",
    ),
    apply(
        f"{WEB}/scale",
        "two",
        typed("autoscaling/v1", "Scale", named("web", spec={"replicas": 5})),
        name="apply a scale",
    ),
]

BUDGET = named("b", spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "b"}}})
CLAIM = named("p", spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}})
DRY: list[Step] = [
    post("configmaps?dryRun=All", config("tried")),
    get("configmaps/tried"),
    post(f"{DEPLOYMENTS}?dryRun=All", workload()),
    post(f"{DEPLOYMENTS}?dryRun=All", workload(replicas=-1)),
    post("services?dryRun=All", named("s", spec={"ports": [{"port": 80}]})),
    post("persistentvolumeclaims?dryRun=All", CLAIM),
    post(f"{POLICY}/poddisruptionbudgets?dryRun=All", BUDGET),
    post("configmaps?dryRun=Some", config("tried")),
    post("configmaps?dryRun=All&dryRun=All", config("tried")),
    post("configmaps?dryRun=", config("tried")),
    post("configmaps?dryRun=All", config("tried"), name="what is there already"),
    post(DEPLOYMENTS, workload()),
    patch(f"{WEB}?dryRun=All", {"spec": {"replicas": 4}}),
    patch(f"{WEB}?dryRun=All", containers({"name": "main", "image": "new:2"}), STRATEGIC),
    patch(f"{WEB}?dryRun=All", [{"op": "replace", "path": "/spec/replicas", "value": 5}], JSON_PATCH),
    patch(f"{WEB}?dryRun=All", {"spec": {"replicas": -4}}),
    patch(f"{WEB}/scale?dryRun=All", {"spec": {"replicas": 4}}),
    patch(f"{WEB}/status?dryRun=All", {"status": {"replicas": 4}}),
    put(f"{WEB}?dryRun=All", workload(replicas=7)),
    get(WEB),
    delete(f"{WEB}?dryRun=All"),
    delete(WEB, {"dryRun": ["All"]}),
    delete(WEB, {"dryRun": ["Some"]}),
    get(WEB),
    post("pods", pod("a")),
    post("pods/a/eviction?dryRun=All", typed("policy/v1", "Eviction", named("a")), name="try an eviction by its URL"),
    post(
        "pods/a/eviction",
        typed("policy/v1", "Eviction", {**named("a"), "deleteOptions": {"dryRun": ["All"]}}),
        name="try an eviction",
    ),
    delete("pods/a?dryRun=All"),
    delete("pods?dryRun=All"),
    get("pods/a"),
    patch("configmaps/tried?dryRun=All&fieldValidation=Strict", {"dato": {}}),
    patch("configmaps/tried?dryRun=All&fieldValidation=Warn", {"dato": {}}),
    patch("configmaps/tried?dryRun=All&fieldValidation=Wrong", {"dato": {}}),
]

CONDITIONS: list[Step] = [
    post("configmaps", config(a="1"), keep={"uid": UID, "first": RV}),
    patch(
        "configmaps/settings",
        {"metadata": {"uid": "${uid}", "resourceVersion": "${first}"}, "data": {"a": "2"}},
        keep={"second": RV},
    ),
    patch(
        "configmaps/settings",
        {"metadata": {"uid": "${uid}", "resourceVersion": "${first}"}, "data": {"a": "3"}},
        name="merge of an old version",
    ),
    patch("configmaps/settings", {"metadata": {"uid": OTHER}, "data": {"a": "3"}}, name="merge of another uid"),
    patch(
        "configmaps/settings",
        {"metadata": {"uid": OTHER, "resourceVersion": "${second}"}},
        STRATEGIC,
        name="strategic of another uid",
    ),
    patch(
        "configmaps/settings",
        {"metadata": {"uid": "${uid}", "resourceVersion": "${first}"}},
        STRATEGIC,
        name="strategic of an old version",
    ),
    patch(
        "configmaps/settings", {"metadata": {"uid": OTHER, "resourceVersion": "${first}"}}, STRATEGIC, name="both wrong"
    ),
    patch(
        "configmaps/settings",
        [{"op": "replace", "path": UID, "value": OTHER}, {"op": "add", "path": "/data/b", "value": "1"}],
        JSON_PATCH,
        name="json of another uid",
    ),
    patch(
        "configmaps/settings",
        [{"op": "replace", "path": RV, "value": "${first}"}, {"op": "add", "path": "/data/b", "value": "1"}],
        JSON_PATCH,
        name="json of an old version",
    ),
    patch(
        "configmaps/settings",
        [{"op": "test", "path": RV, "value": "${first}"}],
        JSON_PATCH,
        name="json test of an old version",
    ),
    patch(
        "configmaps/settings",
        [{"op": "replace", "path": "/data/none/x", "value": 1}],
        JSON_PATCH,
        name="json of no such path",
    ),
    patch("configmaps/settings", [{"op": "remove", "path": "/data/none"}], JSON_PATCH, name="json remove of nothing"),
    patch("configmaps/settings", [{"op": "wrong", "path": "/data/a"}], JSON_PATCH, name="json of no such operation"),
    patch("configmaps/settings", {"data": {"a": "2"}}, name="merge of nothing new"),
    patch("configmaps/settings", {}, STRATEGIC, name="an empty patch"),
    patch("configmaps/settings", {"metadata": {"resourceVersion": "x"}}, name="a version that is no number"),
    patch("configmaps/settings", {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}}, name="another birthday"),
    put(
        "configmaps/settings",
        {"metadata": {"name": "settings", "creationTimestamp": "2020-01-01T00:00:00Z"}, "data": {"a": "2"}},
        name="put of another birthday",
    ),
    patch("configmaps/settings", {"metadata": {"namespace": "other"}}, name="another namespace"),
    put(
        "configmaps/settings",
        {"metadata": {"name": "settings", "resourceVersion": "${first}"}},
        name="put of an old version",
    ),
    put("configmaps/settings", {"metadata": {"name": "settings", "uid": OTHER}}, name="put of another uid"),
    put(
        "configmaps/settings",
        {"metadata": {"name": "settings", "uid": "${uid}", "resourceVersion": "${second}"}, "data": {"c": "1"}},
        name="put of the right version",
        keep={"third": RV},
    ),
    delete("configmaps/settings", {"preconditions": {"uid": OTHER}}, name="delete of another uid"),
    delete("configmaps/settings", {"preconditions": {"resourceVersion": "${first}"}}, name="delete of an old version"),
    delete(
        "configmaps/settings",
        {"preconditions": {"uid": "${uid}", "resourceVersion": "${first}"}},
        name="delete of an old version of it",
    ),
    delete(
        "configmaps/settings",
        {"preconditions": {"uid": "${uid}", "resourceVersion": "${third}"}},
        name="delete of the right one",
    ),
    delete("configmaps/settings", {"preconditions": {"uid": "${uid}"}}, name="delete of what is gone"),
    post("configmaps", config(a="1")),
    patch(
        "configmaps/settings",
        {"metadata": {"uid": "${uid}"}, "data": {"a": "3"}},
        name="patch of what is gone and came again",
    ),
    delete("configmaps/settings", {"preconditions": {"uid": "${uid}"}}, name="delete of what is gone and came again"),
    post(DEPLOYMENTS, workload(), keep={"duid": UID, "dfirst": RV}),
    patch(WEB, {"metadata": {"uid": "${duid}", "resourceVersion": "${dfirst}"}, "spec": {"replicas": 2}}, STRATEGIC),
    patch(WEB, {"metadata": {"uid": "${duid}", "resourceVersion": "${dfirst}"}, "spec": {"replicas": 3}}, STRATEGIC),
    patch(WEB, {"metadata": {"uid": OTHER}, "spec": {"replicas": 3}}, STRATEGIC, name="another deployment"),
    patch(f"{WEB}/scale", {"metadata": {"uid": "${duid}", "resourceVersion": "${dfirst}"}, "spec": {"replicas": 3}}),
    patch(f"{WEB}/scale", {"metadata": {"uid": OTHER}, "spec": {"replicas": 3}}, name="scale of another deployment"),
    patch(f"{WEB}/scale", {"spec": {"replicas": 3}}, STRATEGIC),
    patch(f"{WEB}/scale", [{"op": "replace", "path": "/spec/replicas", "value": 4}], JSON_PATCH),
    patch(f"{WEB}/scale", {"spec": {"replicas": "x"}}, name="scale to no number"),
    patch(f"{WEB}/scale", {"spec": {"replicas": None}}, name="scale to nothing"),
    patch(f"{WEB}/scale", {"status": {"replicas": 3}}, name="the status of a scale"),
    get(WEB),
]
