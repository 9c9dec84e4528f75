"""The requests that kubemend itself sends, as its client writes them. Here no difference is accepted."""

from __future__ import annotations

from typing import Any

from differential_steps import (
    APPLY,
    APPS,
    BATCH,
    FOUND,
    HPA,
    JSON_PATCH,
    MERGE,
    NET,
    POLICY,
    REVIEWS,
    STRATEGIC,
    Step,
    act,
    config,
    delete,
    get,
    patch,
    pod,
    post,
    typed,
    watch,
    workload,
)

WEB = f"{APPS}/deployments/web"
OURS = "fieldManager=kubemend"
SEND = f"?{OURS}&fieldValidation=Strict"
UID, RV = "/metadata/uid", "/metadata/resourceVersion"
OTHER = "00000000-0000-0000-0000-000000000000"
PAUSE = {"op": "add", "path": "/spec/paused", "value": True}
MARK = {"kubemend.dev/repair": "r-1"}
READ = (
    *("pods", "services", "configmaps", "serviceaccounts", "persistentvolumeclaims", "events", "resourcequotas"),
    *("limitranges", "endpoints"),
    *(f"{APPS}/{p}" for p in ("deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions")),
    *(f"{BATCH}/jobs", f"{BATCH}/cronjobs", HPA, f"{POLICY}/poddisruptionbudgets"),
    *(f"{NET}/ingresses", f"{NET}/networkpolicies", f"{FOUND}/endpointslices"),
)


def meant(uid: str, version: str, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": version, "annotations": MARK}, **fields}


def image(name: str) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "main", "image": name}]}}}


def deletion(uid: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}, **more}


def eviction(uid: str, **more: Any) -> dict[str, Any]:
    return typed(
        "policy/v1",
        "Eviction",
        {"metadata": {"name": "web", "namespace": "${ns}"}, "deleteOptions": deletion(uid, **more)},
    )


def may(verb: str, group: str, resource: str, subresource: str = "") -> Step:
    asked = {"verb": verb, "group": group, "resource": resource, "subresource": subresource, "namespace": "${ns}"}
    body = typed("authorization.k8s.io/v1", "SelfSubjectAccessReview", {"spec": {"resourceAttributes": asked}})
    return post(f"{REVIEWS}/selfsubjectaccessreviews", body, name=f"may I {verb} {resource} {subresource}")


PRODUCT: list[Step] = [
    *(get(f"{path}?limit=500", name=f"read {path.rpartition('/')[2]}") for path in READ),
    post(f"{APPS}/deployments", workload(replicas=2), keep={"uid": UID, "first": RV}),
    post("pods", pod(), keep={"pod": UID}),
    get(f"{APPS}/deployments?limit=500", keep={"listed": RV}, name="list"),
    get(WEB),
    may("patch", "apps", "deployments"),
    may("create", "", "pods", "eviction"),
    may("patch", "apps", "deployments", "scale"),
    patch(
        f"{WEB}{SEND}&dryRun=All",
        meant("${uid}", "${first}", spec=image("registry.lab/web:2")),
        STRATEGIC,
        name="try a patch",
    ),
    patch(
        f"{WEB}{SEND}",
        meant("${uid}", "${first}", spec=image("registry.lab/web:2")),
        STRATEGIC,
        name="send it",
        keep={"second": RV},
    ),
    patch(
        f"{WEB}{SEND}",
        meant("${uid}", "${first}", spec=image("registry.lab/web:3")),
        STRATEGIC,
        name="send it of an old version",
    ),
    patch(
        f"{WEB}{SEND}",
        meant(OTHER, "${second}", spec=image("registry.lab/web:3")),
        STRATEGIC,
        name="send it to another object",
    ),
    patch(
        f"{WEB}{SEND}&dryRun=All",
        meant(OTHER, "${second}", spec=image("registry.lab/web:3")),
        STRATEGIC,
        name="try it on another object",
    ),
    patch(f"{WEB}{SEND}", meant("${uid}", "${second}", spec={"replicas": -1}), STRATEGIC, name="send what can't be"),
    patch(f"{WEB}{SEND}", meant("${uid}", "${second}", spec={"replica": 1}), STRATEGIC, name="send an unknown field"),
    *(
        patch(f"{WEB}{SEND}&dryRun=All", body, how, name=f"try {how}")
        for how, body in (
            (MERGE, meant("${uid}", "${second}", spec={"paused": True})),
            (
                JSON_PATCH,
                [
                    {"op": "replace", "path": UID, "value": "${uid}"},
                    {"op": "add", "path": "/spec/paused", "value": True},
                ],
            ),
            (APPLY, typed("apps/v1", "Deployment", {**meant("${uid}", "${second}"), "spec": {"minReadySeconds": 3}})),
        )
    ),
    patch(f"{WEB}{SEND}", meant("${uid}", "${second}", spec={"paused": True}), MERGE, name="merge", keep={"third": RV}),
    patch(
        f"{WEB}{SEND}",
        [
            {"op": "replace", "path": UID, "value": "${uid}"},
            {"op": "replace", "path": RV, "value": "${third}"},
            {"op": "replace", "path": "/spec/paused", "value": False},
        ],
        JSON_PATCH,
        name="JSON patch",
        keep={"fourth": RV},
    ),
    patch(
        f"{WEB}{SEND}",
        [{"op": "replace", "path": UID, "value": OTHER}, {"op": "replace", "path": RV, "value": "${fourth}"}],
        JSON_PATCH,
        name="JSON patch of another object",
    ),
    patch(
        f"{WEB}{SEND}",
        typed(
            "apps/v1",
            "Deployment",
            {
                "metadata": {"name": "web", "uid": "${uid}", "resourceVersion": "${fourth}"},
                "spec": {"minReadySeconds": 3},
            },
        ),
        APPLY,
        name="apply",
        keep={"fifth": RV},
    ),
    patch(
        f"{WEB}{SEND}",
        typed(
            "apps/v1",
            "Deployment",
            {
                "metadata": {"name": "web", "uid": "${uid}", "resourceVersion": "${fourth}"},
                "spec": {"minReadySeconds": 4},
            },
        ),
        APPLY,
        name="apply of an old version",
    ),
    patch(
        f"{WEB}/scale{SEND}",
        {"metadata": {"uid": "${uid}", "resourceVersion": "${fourth}"}, "spec": {"replicas": 3}},
        name="scale of an old version",
    ),
    patch(
        f"{WEB}/scale{SEND}",
        {"metadata": {"uid": "${uid}", "resourceVersion": "${fifth}"}, "spec": {"replicas": 3}},
        name="scale",
        keep={"sixth": RV},
    ),
    patch(
        f"{WEB}/scale{SEND}",
        {"metadata": {"uid": OTHER, "resourceVersion": "${sixth}"}, "spec": {"replicas": 4}},
        name="scale another object",
    ),
    patch(
        f"{WEB}/scale{SEND}&dryRun=All",
        {"metadata": {"uid": "${uid}", "resourceVersion": "${sixth}"}, "spec": {"replicas": 4}},
        name="try a scale",
    ),
    get(WEB),
    watch(f"{APPS}/deployments", "allowWatchBookmarks=true&resourceVersion=${listed}", name="watch"),
    act("compact"),
    watch("events", "allowWatchBookmarks=true&resourceVersion=1", name="watch from too early a version"),
    post(f"pods/web/eviction{SEND}&dryRun=All", eviction("${pod}", dryRun=["All"]), name="try an eviction"),
    post(f"pods/web/eviction{SEND}", eviction("${pod}"), name="evict"),
    post(f"pods/web/eviction{SEND}", eviction("${pod}"), name="evict what is gone"),
    get("pods/web/log?container=main&tailLines=50", name="logs of no pod"),
    post(f"configmaps{SEND}", typed("v1", "ConfigMap", config(a="1")), name="create", keep={"cm": UID}),
    post(f"configmaps{SEND}", typed("v1", "ConfigMap", config(a="1")), name="create what is there"),
    post(f"configmaps{SEND}&dryRun=All", typed("v1", "ConfigMap", config("other", a="1")), name="try to create"),
    delete("configmaps/settings", deletion(OTHER, propagationPolicy="Background"), name="delete another object"),
    delete(
        "configmaps/settings", deletion("${cm}", propagationPolicy="Background", dryRun=["All"]), name="try to delete"
    ),
    delete("configmaps/settings", deletion("${cm}", propagationPolicy="Background"), name="delete"),
    delete("configmaps/settings", deletion("${cm}", propagationPolicy="Background"), name="delete what is gone"),
]
