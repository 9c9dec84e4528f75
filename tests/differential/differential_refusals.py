"""What is refused before anything is done: rights, bodies, methods, paths."""

from __future__ import annotations

from differential_steps import (
    APPS,
    CLUSTER_RBAC,
    JSON_PATCH,
    MERGE,
    RBAC,
    REVIEWS,
    STRATEGIC,
    Step,
    config,
    delete,
    get,
    named,
    patch,
    pod,
    post,
    put,
    watch,
    workload,
)


def ask(verb: str, resource: str, group: str = "", **more: str) -> dict[str, object]:
    asked = {"verb": verb, "resource": resource, "namespace": "${ns}", **({"group": group} if group else {}), **more}
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {"resourceAttributes": asked},
    }


def role(*rules: dict[str, list[str]]) -> dict[str, object]:
    return named("reader", rules=list(rules))


PODS = {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods", "pods/log"]}
ONE = {"verbs": ["get", "patch"], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"]}
SELF = f"{REVIEWS}/selfsubjectaccessreviews"
ACCOUNT = [{"kind": "ServiceAccount", "name": "reader", "namespace": "${ns}"}]
TOKEN = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {"expirationSeconds": 3600}}
BINDING = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}

ACCESS: list[Step] = [
    post("serviceaccounts", named("reader")),
    post("serviceaccounts/reader/token", TOKEN, keep={"reader": "/status/token"}, view="token"),
    post("serviceaccounts/none/token", TOKEN),
    post("serviceaccounts/reader/token", {"spec": {"expirationSeconds": 5}}, name="a token for too short a time"),
    get("pods", by="reader"),
    post(f"{RBAC}/roles", role(PODS, ONE)),
    post(f"{RBAC}/rolebindings", named("reader", roleRef=BINDING, subjects=ACCOUNT)),
    post("pods", pod("a")),
    post(f"{APPS}/deployments", workload()),
    post(f"{APPS}/deployments", workload("other")),
    *(
        step
        for path in ("pods", "pods/a", "pods/a/log", "secrets", "secrets/x", "/api/v1/pods", "/api/v1/nodes")
        for step in (get(path, by="reader"),)
    ),
    watch("pods", "resourceVersion=0", by="reader", name="watch pods by reader"),
    watch("secrets", "resourceVersion=0", by="reader", name="watch secrets by reader"),
    get(f"{APPS}/deployments/web", by="reader"),
    get(f"{APPS}/deployments/other", by="reader"),
    get(f"{APPS}/deployments", by="reader"),
    patch(f"{APPS}/deployments/web", {"spec": {"replicas": 2}}, by="reader"),
    patch(f"{APPS}/deployments/web?dryRun=All", {"spec": {"replicas": 2}}, by="reader"),
    patch(f"{APPS}/deployments/other", {"spec": {"replicas": 2}}, by="reader"),
    patch(f"{APPS}/deployments/web/scale", {"spec": {"replicas": 2}}, by="reader"),
    patch(f"{APPS}/deployments/web/status", {"status": {"replicas": 2}}, by="reader"),
    post("pods", pod("b"), by="reader"),
    put("pods/a", pod("a"), by="reader"),
    delete("pods/a", by="reader"),
    delete("pods", by="reader"),
    post("pods/a/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", **named("a")}, by="reader"),
    post(f"{RBAC}/roles", named("more", rules=[PODS]), by="reader"),
    get("/apis", by="reader", view="groups"),
    get("/version", by="reader", view="version"),
    get("/metrics", by="reader"),
    get("/logs/", by="reader"),
    get("foos", by="reader"),
    *(
        post(
            SELF,
            ask(verb, resource, group, **more),
            by="reader",
            name=f"may reader {verb} {resource} {' '.join(more.values())}",
        )
        for verb, resource, group, more in (
            ("list", "pods", "", {}),
            ("get", "pods", "", {"subresource": "log"}),
            ("delete", "pods", "", {}),
            ("patch", "deployments", "apps", {}),
            ("patch", "deployments", "apps", {"name": "web"}),
            ("patch", "deployments", "apps", {"name": "other"}),
            ("get", "secrets", "", {"name": "x"}),
            ("*", "*", "*", {}),
        )
    ),
    post(
        SELF,
        {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/apis"}}},
        by="reader",
        name="may reader get /apis",
    ),
    post(
        SELF,
        {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}},
        by="reader",
        name="may reader get /metrics",
    ),
    post(SELF, ask("delete", "pods"), name="may the administrator delete pods"),
    post(SELF, {"spec": {}}, name="a review of nothing"),
    post(SELF, {"spec": {"resourceAttributes": {}, "nonResourceAttributes": {}}}, name="a review of both"),
    get(SELF),
    post(f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {"namespace": "${ns}"}}, by="reader", view="rules"),
    post(f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {}}, by="reader"),
    post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, by="reader", view="user"),
    get("pods", by="anonymous"),
    get("/version", by="anonymous", view="version"),
    get("/healthz", by="anonymous"),
    get("/apis", by="anonymous"),
    get("pods", by="nobody"),
    post(
        f"{CLUSTER_RBAC}/clusterroles",
        named("${ns}-x", rules=[{"verbs": ["get"], "apiGroups": [""], "resources": ["nodes"]}]),
    ),
    post(
        f"{CLUSTER_RBAC}/clusterrolebindings",
        named("${ns}-x", roleRef={**BINDING, "kind": "ClusterRole", "name": "${ns}-x"}, subjects=ACCOUNT),
    ),
    get("/api/v1/nodes/none", by="reader", name="get a node, now allowed"),
    delete(f"{CLUSTER_RBAC}/clusterrolebindings/${{ns}}-x"),
    delete(f"{CLUSTER_RBAC}/clusterroles/${{ns}}-x"),
    get("/api/v1/nodes/none", by="reader", name="get a node, no longer allowed"),
]

LARGE = b'{"metadata":{"name":"large"},"data":{"x":"' + b"x" * (3 * 1024 * 1024 + 1) + b'"}}'
REFUSALS: list[Step] = [
    post("configmaps", config("it")),
    *(
        post("configmaps", body, name=name)
        for body, name in (
            (b"", "no body"),
            (b"{", "half a body"),
            (b"[]", "a list"),
            (b"null", "null"),
            (b'"text"', "a text"),
            (b"{}", "an empty object"),
            (b'{"metadata":{"name":"x"},"data":{"a":1}}', "a number for a text"),
            (b'{"metadata":{"name":"x"},"data":[]}', "a list for a map"),
            (b'{"metadata":"x"}', "a text for an object"),
            (b'{"kind":"ConfigMap","apiVersion":"v9","metadata":{"name":"x"}}', "another version"),
            (b'{"kind":"Nothing","apiVersion":"v1","metadata":{"name":"x"}}', "no such kind"),
            (b'{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}', "a field twice"),
            (LARGE, "too large a body"),
        )
    ),
    post("configmaps", b"metadata: {name: written}", kind="application/yaml", name="YAML"),
    post("configmaps", b"metadata: [", kind="application/yaml", name="bad YAML"),
    post("configmaps", b"x", kind="text/plain", name="plain text"),
    post("configmaps", b"{}", kind="application/xml", name="XML"),
    post(
        "configmaps", b'{"metadata":{"name":"z"}}', kind="application/json; charset=utf-8", name="JSON with a charset"
    ),
    post(
        "configmaps?fieldValidation=Strict",
        b'{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}',
        name="strictly a field twice",
    ),
    post(
        "configmaps?fieldValidation=Strict",
        {"metadata": {"name": "x", "nome": "y"}, "dato": {}},
        name="strictly unknown fields",
    ),
    post(
        "configmaps?fieldValidation=Warn",
        {"metadata": {"name": "x1", "nome": "y"}, "dato": {}},
        name="unknown fields with a warning",
    ),
    post(
        "configmaps?fieldValidation=Ignore", {"metadata": {"name": "x2"}, "dato": {}}, name="unknown fields in silence"
    ),
    post("configmaps?pretty=true&dryRun=All", {"metadata": {"name": "x3"}}, name="pretty"),
    patch("configmaps/it", {}, "text/plain", name="a patch in plain text"),
    patch("configmaps/it", {}, "application/merge-patch+json; charset=utf-8", name="a patch with a charset"),
    patch("configmaps/it", b"{", MERGE, name="half a merge patch"),
    patch("configmaps/it", b"{", JSON_PATCH, name="half a JSON patch"),
    patch("configmaps/it", b"{", STRATEGIC, name="half a strategic patch"),
    patch("configmaps/it", b"", MERGE, name="no patch"),
    patch("configmaps/it", {"data": {"a": 1}}, MERGE, name="merge a number for a text"),
    patch("configmaps/it", {"data": {"a": 1}}, STRATEGIC, name="strategic a number for a text"),
    patch(
        "configmaps/it", [{"op": "add", "path": "/data", "value": 1}], JSON_PATCH, name="JSON patch a number for a map"
    ),
    patch(
        "configmaps/it", [{"op": "add", "path": "/data/" + "x" * 300, "value": "1"}], JSON_PATCH, name="too long a key"
    ),
    patch("configmaps/it?force=false", {}, MERGE),
    patch("configmaps/it?fieldManager=" + "x" * 129, {}, MERGE, name="too long a manager"),
    patch("configmaps", {}),
    put("configmaps", config()),
    post("configmaps/it", config("it")),
    Step("OPTIONS", "configmaps"),
    Step("HEAD", "configmaps/it"),
    get("configmaps/it", accept="application/xml", name="accept XML"),
    get("configmaps/it", accept="text/html", name="accept HTML"),
    get("configmaps/it", accept="*/*", name="accept anything"),
    get("configmaps/it", accept="application/xml, application/json", name="accept XML or JSON"),
    get("configmaps/it/none"),
    get("configmaps/it/status"),
    get("configmaps/it/a/b"),
    get("nothings"),
    get("nothings/it"),
    get("/apis/nothing.example/v1/namespaces/${ns}/things"),
    get("/apis/apps/v9/namespaces/${ns}/deployments"),
    get("/apis/apps/v1/nothings"),
    get("/api/v1/namespaces/${ns}/nodes"),
    get("/api/v1/nodes/none"),
    get("/api/v1/namespaces/${ns}/"),
    get("/api/v1//namespaces"),
    get(f"{APPS}/deployments/none"),
    get(f"{APPS}/deployments/none/scale"),
    get(f"{APPS}/daemonsets/none/scale"),
    patch(f"{APPS}/deployments/none", {"spec": {"replicas": 2}}),
    patch(f"{APPS}/deployments/none/scale", {"spec": {"replicas": 2}}),
    put(f"{APPS}/deployments/none", workload("none")),
    delete(f"{APPS}/deployments/none"),
    delete("configmaps/it?dryRun=Wrong"),
    delete("configmaps/it", b"{", name="delete with half a body"),
    delete("configmaps/it", {"kind": "Nothing", "apiVersion": "v1"}, name="delete with another kind"),
    delete("configmaps/it", {"preconditions": {"uid": 5}}, name="delete with a number for a uid"),
    get("configmaps/it"),
]
