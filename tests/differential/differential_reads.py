"""Reading: what is served, lists with selectors and pages, watches, tables, logs."""

from __future__ import annotations

from differential_steps import (
    APPS,
    BATCH,
    FOUND,
    HPA,
    NET,
    POLICY,
    RBAC,
    TABLE,
    Step,
    act,
    config,
    delete,
    get,
    named,
    patch,
    pod,
    post,
    watch,
    workload,
)

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
SERVED = (
    *("/api/v1", "/apis/apps/v1", "/apis/batch/v1", "/apis/autoscaling/v2", "/apis/policy/v1"),
    *("/apis/networking.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1", "/apis/storage.k8s.io/v1"),
    *("/apis/discovery.k8s.io/v1", "/apis/events.k8s.io/v1", "/apis/coordination.k8s.io/v1"),
    *("/apis/scheduling.k8s.io/v1", "/apis/admissionregistration.k8s.io/v1", "/apis/authorization.k8s.io/v1"),
    "/apis/authentication.k8s.io/v1",
)

DISCOVERY: list[Step] = [
    get("/api"),
    get("/apis", view="groups"),
    get("/apis", name="GET /apis whole"),
    get("/api/v1", name="GET /api/v1 whole"),
    get("/apis", accept=AGGREGATED, name="GET /apis aggregated whole"),
    get("/api", accept=AGGREGATED, view="aggregated", name="GET /api aggregated"),
    get("/apis", accept=AGGREGATED, view="aggregated", name="GET /apis aggregated"),
    *(get(path, view="resources") for path in SERVED),
    get("/apis/apps"),
    get("/apis/none.example"),
    get("/apis/apps/v9"),
    get("/api/v2"),
    get("/version", view="version"),
    get("/version/", view="version"),
    get("/readyz"),
    get("/livez"),
    get("/healthz"),
    get("/readyz?verbose", view="last line"),
    get("/readyz/none"),
    get("/"),
    get("/none"),
    get("/openapi/v3", view="openapi paths"),
    get("/openapi/v3/api/v1", view="openapi fields"),
    get("/openapi/v3/apis/apps/v1", view="openapi fields"),
    get("/openapi/v3/apis/batch/v1", view="openapi fields"),
    get("/openapi/v3/apis/autoscaling/v2", view="openapi fields"),
    get("/openapi/v3/apis/networking.k8s.io/v1", view="openapi fields"),
    get("/openapi/v3/apis/policy/v1", view="openapi fields"),
    get("/openapi/v3/apis/none/v1"),
]

PAINTED = [
    post("configmaps", {"metadata": {"name": f"c{i}", "labels": {"shade": shade, "n": str(i)}}, "data": {"i": str(i)}})
    for i, shade in enumerate(("red", "red", "green", "blue", "blue"))
]

LISTS: list[Step] = [
    *PAINTED,
    get("configmaps"),
    *(
        get(f"configmaps?labelSelector={selector}")
        for selector in (
            *("shade=red", "shade==red,n=1", "shade!=red", "shade in (red,blue)", "shade notin (red)", "shade"),
            *("!shade", "n,shade=blue", "shade in ()", "shade=", "a=b=c", "shade in red", "-bad", "shade=Bad Value!"),
        )
    ),
    *(
        get(f"configmaps?fieldSelector={selector}")
        for selector in (
            *("metadata.name=c1", "metadata.name!=c1", "metadata.namespace=${ns}", "metadata.name=c1,metadata.name=c2"),
            *("data.i=1", "metadata.labels=x", "metadata.name", "metadata.name=a,,"),
        )
    ),
    get("configmaps?labelSelector=shade=red&fieldSelector=metadata.name=c1"),
    get("configmaps?limit=2", keep={"page": "/metadata/continue", "version": "/metadata/resourceVersion"}),
    get("configmaps?limit=2&continue=${page}", keep={"page2": "/metadata/continue"}),
    get("configmaps?limit=2&continue=${page2}"),
    get("configmaps?limit=2&labelSelector=shade=blue"),
    get("configmaps?limit=1&labelSelector=shade=blue"),
    get("configmaps?limit=5"),
    get("configmaps?limit=0"),
    get("configmaps?limit=-1"),
    get("configmaps?limit=x"),
    get("configmaps?continue=garbage"),
    get("configmaps?continue=${page}&resourceVersion=5"),
    delete("configmaps/c3"),
    post("configmaps", config("c1a")),
    get("configmaps?limit=9&continue=${page}", name="the second page of the old list"),
    get("configmaps?resourceVersion=${version}&resourceVersionMatch=Exact&limit=9"),
    get("configmaps?resourceVersion=${version}&resourceVersionMatch=NotOlderThan"),
    get("configmaps?resourceVersion=${version}"),
    get("configmaps?resourceVersion=0"),
    get("configmaps?resourceVersion=x"),
    get("configmaps?resourceVersionMatch=Exact"),
    get("configmaps?resourceVersion=${version}&resourceVersionMatch=Wrong"),
    get("configmaps?resourceVersion=999999999"),
    get("configmaps/c1?resourceVersion=${version}"),
    get("/api/v1/configmaps?fieldSelector=metadata.namespace=${ns}"),
    get("/api/v1/namespaces/none/configmaps"),
    get("/api/v1/namespaces?labelSelector=kubernetes.io/metadata.name=${ns}"),
    # Events aren't kept in the API server's cache: of them nothing is known that etcd has forgotten.
    *(post("events", {"metadata": {"name": f"e{i}"}, "involvedObject": {"namespace": "${ns}"}}) for i in range(3)),
    get("events?limit=1", keep={"page": "/metadata/continue", "version": "/metadata/resourceVersion"}),
    post("events", {"metadata": {"name": "e0a"}, "involvedObject": {"namespace": "${ns}"}}),
    act("compact"),
    get(
        "events?limit=1&continue=${page}",
        name="the second page of a forgotten list",
        keep={"page": "/metadata/continue"},
    ),
    get("events?limit=1&continue=${page}", name="the rest of it as it is now"),
    get("events?resourceVersion=${version}&resourceVersionMatch=Exact", name="a forgotten version"),
    get("events"),
]

WATCHES: list[Step] = [
    post("configmaps", config("a", x="1")),
    get("configmaps", keep={"start": "/metadata/resourceVersion"}),
    patch("configmaps/a", {"data": {"x": "2"}}, keep={"middle": "/metadata/resourceVersion"}),
    patch("configmaps/a", {"metadata": {"labels": {"seen": "yes"}}}),
    post("configmaps", {"metadata": {"name": "b", "labels": {"seen": "yes"}}}),
    patch("configmaps/b", {"metadata": {"labels": {"seen": None}}}),
    delete("configmaps/a"),
    watch("configmaps", "resourceVersion=${start}", name="watch from the list on"),
    watch("configmaps", "resourceVersion=${middle}", name="resume in the middle"),
    watch("configmaps", "resourceVersion=${start}&labelSelector=seen=yes", name="watch what a selector sees"),
    watch("configmaps", "resourceVersion=${start}&fieldSelector=metadata.name=b", name="watch one name"),
    watch("configmaps", "", name="watch without a version"),
    watch("configmaps", "resourceVersion=0", name="watch from any version"),
    watch(
        "configmaps",
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
        name="watch list",
    ),
    watch("configmaps", "sendInitialEvents=true", name="watch list without a match"),
    watch("configmaps", "resourceVersion=x", name="watch from no number"),
    watch("configmaps", "resourceVersion=${start}&labelSelector=a=b=c", name="watch with a bad selector"),
    watch("configmaps", "resourceVersion=${start}&timeoutSeconds=x", name="watch for no number of seconds"),
    watch("configmaps", "resourceVersion=${start}&limit=1", name="watch with a limit"),
    watch("/api/v1/watch/namespaces/${ns}/configmaps", "resourceVersion=${start}", name="the old watch path"),
    watch("configmaps/b", "resourceVersion=${start}", name="watch a single object"),
    watch("configmaps", "resourceVersion=${start}", accept=TABLE, name="watch as a table"),
    watch(f"{APPS}/deployments", "resourceVersion=${start}", name="watch another kind"),
    post(
        "events",
        {"metadata": {"name": "e"}, "involvedObject": {"namespace": "${ns}"}},
        keep={"forgotten": "/metadata/resourceVersion"},
    ),
    patch("events/e", {"reason": "x"}),
    patch("events/e", {"reason": "y"}),
    act("compact"),
    watch("events", "resourceVersion=${forgotten}", name="watch from a forgotten version"),
    # Before this it would be chance: a real server forgets by itself every five minutes, and its caches begin anywhere.
    watch("events", "resourceVersion=1", name="watch from before the beginning"),
    patch("events/e", {"reason": "z"}, keep={"start": "/metadata/resourceVersion"}),
    patch("events/e", {"reason": "a"}),
    watch("events", "resourceVersion=${start}", name="watch on after it"),
]

RULE = {
    "host": "a.b",
    "http": {
        "paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]
    },
}
JOB = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
ENDPOINT = {"addresses": ["10.1.2.3"], "conditions": {"ready": True}}

TABLES: list[Step] = [
    post("pods", pod("a", labels={"app": "a"})),
    post(f"{APPS}/deployments", workload()),
    post(f"{APPS}/replicasets", workload()),
    post(f"{APPS}/statefulsets", workload()),
    post(f"{APPS}/daemonsets", workload()),
    post(f"{BATCH}/jobs", named(spec=JOB)),
    post(f"{BATCH}/cronjobs", named(spec={"schedule": "5 4 * * *", "jobTemplate": {"spec": JOB}})),
    post("services", named(spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})),
    post("configmaps", config(a="1", b="2")),
    post("secrets", named(stringData={"a": "b"})),
    post("persistentvolumeclaims", named(spec=CLAIM)),
    post(HPA, named(spec={"maxReplicas": 3, "scaleTargetRef": TARGET})),
    post(f"{POLICY}/poddisruptionbudgets", named(spec={"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}})),
    post(f"{NET}/ingresses", named(spec={"rules": [RULE]})),
    post(f"{NET}/networkpolicies", named(spec={"podSelector": {"matchLabels": {"a": "b"}}})),
    post(f"{FOUND}/endpointslices", named(addressType="IPv4", endpoints=[ENDPOINT], ports=[{"port": 80}])),
    post("resourcequotas", named(spec={"hard": {"pods": "9"}})),
    post("limitranges", named(spec={"limits": [{"type": "Pod", "max": {"cpu": "1"}}]})),
    post("events", named(involvedObject={"kind": "Pod", "name": "p", "namespace": "${ns}"}, reason="x", message="m")),
    post(f"{RBAC}/roles", named(rules=[{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])),
    post(
        f"{RBAC}/rolebindings", named(roleRef={"kind": "Role", "name": "it"}, subjects=[{"kind": "User", "name": "a"}])
    ),
    *(
        get(path, accept=TABLE, name=f"table of {path.rpartition('/')[2].partition('?')[0]}")
        for path in (
            *("pods", "services", "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims"),
            # Of the events those that aren't the real server's own about addresses.
            "events?fieldSelector=reason=x",
            *("resourcequotas", "limitranges", "endpoints", "replicationcontrollers"),
            *(
                f"{APPS}/{p}"
                for p in ("deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions")
            ),
            *(f"{BATCH}/{p}" for p in ("jobs", "cronjobs")),
            *(HPA, f"{POLICY}/poddisruptionbudgets", f"{NET}/ingresses", f"{NET}/networkpolicies"),
            *(f"{FOUND}/endpointslices", f"{RBAC}/roles", f"{RBAC}/rolebindings"),
            *("/api/v1/nodes", "/api/v1/persistentvolumes", "/apis/storage.k8s.io/v1/storageclasses"),
        )
    ),
    *(
        delete(path)
        for path in (
            *(f"{APPS}/{p}" for p in ("deployments/web", "replicasets/web", "statefulsets/web", "daemonsets/web")),
            *(f"{BATCH}/jobs/it", f"{BATCH}/cronjobs/it", "services/it", "secrets/it", "persistentvolumeclaims/it"),
            *(f"{HPA}/it", f"{POLICY}/poddisruptionbudgets/it", f"{NET}/ingresses/it", f"{NET}/networkpolicies/it"),
            *(f"{FOUND}/endpointslices/it", "resourcequotas/it", "limitranges/it", "events/it", "configmaps/settings"),
            *(f"{RBAC}/rolebindings/it", f"{RBAC}/roles/it", "serviceaccounts/default"),
        )
    ),
    get("/api/v1/namespaces/${ns}", accept=TABLE, name="table of one namespace"),
    get("pods/a", accept=TABLE, name="table of one pod"),
    get("pods/none", accept=TABLE, name="table of no pod"),
    get("pods?includeObject=Object", accept=TABLE, name="table with whole objects"),
    get("pods?includeObject=None", accept=TABLE, name="table without objects"),
    get("pods", accept="application/json;as=Table;v=v1beta1;g=meta.k8s.io", name="table in the older version"),
    get("pods", accept="application/json;as=Table;v=v9;g=meta.k8s.io", name="table in no version"),
    get("pods", accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", name="metadata alone"),
    get(
        "pods/a",
        accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
        name="one object's metadata alone",
    ),
    get("pods", accept="application/yaml", name="YAML"),
    get("pods", accept="application/vnd.kubernetes.protobuf,application/json", name="protobuf or JSON"),
]

LOGS: list[Step] = [
    post("pods", pod("one")),
    post(
        "pods",
        pod(
            "two",
            spec={
                "initContainers": [{"name": "i", "image": "x"}],
                "containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}],
            },
        ),
    ),
    get("pods/none/log"),
    get("pods/one/log"),
    get("pods/one/log?container=main"),
    get("pods/one/log?container=none"),
    get("pods/two/log"),
    get("pods/two/log?container=i"),
    get("pods/one/log?previous=true"),
    get("pods/one/log?tailLines=-1"),
    get("pods/one/log?tailLines=x"),
    get("pods/one/log?sinceSeconds=0"),
    get("pods/one/log?limitBytes=0"),
    get("pods/one/log?sinceSeconds=5&sinceTime=2026-01-01T00:00:00Z"),
    get("pods/one/log?follow=true"),
    post("pods/one/log", {}),
]
