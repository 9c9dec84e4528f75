"""What the server says of itself: versions, resources, schemas, and rows instead of objects."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lab_api_client import APPS, BATCH, CORE, TABLE, Client, Object, config, pod, serving, workload

from kubemend.lab.apiserver.cells import lasting
from kubemend.lab.apiserver.columns import COLUMNS
from kubemend.lab.apiserver.rows import ROWS
from kubemend.lab.kinds import BY_KIND, KINDS, Kind
from kubemend.lab.store import Store

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


async def test_both_forms_of_discovery_tell_the_same(api: Client) -> None:
    plain, aggregated = set(), set()
    groups = (await api.get("/apis")).body["groups"]
    for place in ["/api/v1", *(f"/apis/{v['groupVersion']}" for g in groups for v in g["versions"])]:
        found = (await api.get(place)).body
        plain |= {(found["groupVersion"], r["name"], tuple(r["verbs"])) for r in found["resources"]}
    for path in ("/api", "/apis"):
        answer = await api.get(path, Accept=AGGREGATED)
        assert answer.headers["Content-Type"] == AGGREGATED.rpartition(",")[0]
        for group in answer.body["items"]:
            for version in group["versions"]:
                name = group["metadata"].get("name", "")
                at = f"{name}/{version['version']}" if name else version["version"]
                for r in version["resources"]:
                    aggregated.add((at, r["resource"], tuple(r["verbs"])))
                    for s in r.get("subresources", ()):
                        aggregated.add((at, f"{r['resource']}/{s['subresource']}", tuple(s["verbs"])))
    assert plain == aggregated
    assert ("apps/v1", "deployments/scale", ("get", "patch", "update")) in plain


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.resource)
async def test_every_kind_is_served_where_discovery_says(api: Client, kind: Kind) -> None:
    place = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    listed = await api.get(f"{place}/{kind.plural}")
    assert listed.body["kind"] == f"{kind.kind}List"
    rows = await api.get(f"{place}/{kind.plural}", Accept=TABLE)
    assert len(rows.body["rows"]) == len(listed.body["items"])
    schemas = (await api.get(f"/openapi/v3{place}")).body["components"]["schemas"]
    gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    assert gvk in schemas[kind.storage]["x-kubernetes-group-version-kind"]


def test_every_kind_has_its_columns() -> None:
    assert COLUMNS.keys() == ROWS.keys() == BY_KIND.keys()


async def test_writes_are_said_to_be_validated_here(api: Client) -> None:
    index = json.loads((await api.get("/openapi/v3")).body)["paths"]
    document = (await api.get(index["apis/apps/v1"]["serverRelativeURL"])).body
    patches = [p["patch"] for p in document["paths"].values()]
    deployment = next(p for p in patches if p["x-kubernetes-group-version-kind"]["kind"] == "Deployment")
    assert {"fieldValidation", "dryRun"} <= {p["name"] for p in deployment["parameters"]}


async def test_schemas_hold_together(api: Client) -> None:
    schemas = (await api.get("/openapi/v3/apis/apps/v1")).body["components"]["schemas"]
    assert schemas["DeploymentSpec"]["properties"]["replicas"]["type"] == "integer"
    mentioned: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            mentioned.update(v.rpartition("/")[2] for k, v in value.items() if k == "$ref")
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(schemas)
    assert mentioned <= schemas.keys()


async def test_the_server_is_well_and_tells_its_version(api: Client) -> None:
    assert [(await api.get(f"/{path}")).body for path in ("healthz", "livez", "readyz")] == ["ok"] * 3
    assert (await api.get("/version")).body["minor"] == "34"


async def _cells(api: Client, path: str) -> list[Any]:
    return list((await api.get(path, Accept=TABLE)).body["rows"][0]["cells"])


async def test_a_row_is_told_with_or_without_its_object(api: Client) -> None:
    made = await api.made(f"{CORE}/configmaps", config(a="b"))
    told = {}
    for include in ("Metadata", "Object", "None"):
        answer = await api.get(f"{CORE}/configmaps/settings?includeObject={include}", Accept=TABLE)
        told[include] = answer.body["rows"][0]["object"]
    assert (told["Object"], told["None"]) == (made, None)
    assert told["Metadata"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": made["metadata"],
    }


def _status(state: Object, **more: Any) -> Object:
    return {"name": "main", "state": state, "image": "x", "imageID": "", "ready": False, "restartCount": 0, **more}


RUNNING: Object = {"running": {"startedAt": "2026-11-21T11:00:00Z"}}
ENDED: Object = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-21T11:55:00Z"}}


def waiting(reason: str) -> Object:
    return {"waiting": {"reason": reason}}


@pytest.mark.parametrize(
    ("status", "cells"),
    [
        ({"phase": "Pending"}, ["0/1", "Pending", "0"]),
        ({"phase": "Running", "containerStatuses": [_status(RUNNING, ready=True)]}, ["1/1", "Running", "0"]),
        (
            {
                "phase": "Running",
                "containerStatuses": [_status(waiting("CrashLoopBackOff"), restartCount=5, lastState=ENDED)],
            },
            ["0/1", "CrashLoopBackOff", "5 (5m ago)"],
        ),
        (
            {"phase": "Pending", "containerStatuses": [_status(waiting("ImagePullBackOff"))]},
            ["0/1", "ImagePullBackOff", "0"],
        ),
        (
            {"phase": "Running", "containerStatuses": [_status({"terminated": {"exitCode": 3}})]},
            ["0/1", "ExitCode:3", "0"],
        ),
        (
            {"phase": "Running", "containerStatuses": [_status({"terminated": {"exitCode": 0, "signal": 9}})]},
            ["0/1", "Signal:9", "0"],
        ),
        ({"phase": "Failed", "reason": "Evicted"}, ["0/1", "Evicted", "0"]),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [_status(waiting("CrashLoopBackOff"), name="first", restartCount=2)],
                "containerStatuses": [_status(waiting("PodInitializing"))],
            },
            ["0/1", "Init:CrashLoopBackOff", "2"],
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [_status(RUNNING, name="first")],
                "containerStatuses": [_status(waiting("PodInitializing"))],
            },
            ["0/1", "Init:0/1", "0"],
        ),
    ],
)
async def test_the_row_of_a_pod_says_how_it_is(status: Object, cells: list[str]) -> None:
    async with serving(store=Store(clock=lambda: NOON)) as api:
        inits = {"initContainers": [{"name": "first", "image": "x"}]}
        await api.made(f"{CORE}/pods", pod(spec=inits if "initContainerStatuses" in status else None))
        await api.patch(f"{CORE}/pods/web/status", {"status": status})
        assert (await _cells(api, f"{CORE}/pods"))[1:4] == cells


async def test_a_pod_that_is_deleted_is_terminating(api: Client) -> None:
    await api.made(f"{CORE}/pods", pod())
    await api.post(f"{CORE}/pods/web/binding", {"metadata": {"name": "web"}, "target": {"name": "n1"}})
    await api.delete(f"{CORE}/pods/web")
    assert (await _cells(api, f"{CORE}/pods"))[2] == "Terminating"


@pytest.mark.parametrize(
    ("path", "body", "status", "cells"),
    [
        (
            f"{APPS}/deployments",
            workload(replicas=3),
            {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2},
            ["web", "2/3", 3, 2, "0s", "main", "registry.lab/web:1", "app=web"],
        ),
        (f"{APPS}/statefulsets", workload(), {"replicas": 1}, ["web", "0/1", "0s", "main", "registry.lab/web:1"]),
        (
            f"{BATCH}/jobs",
            {
                "metadata": {"name": "j"},
                "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}},
            },
            {
                "startTime": "2026-11-21T11:50:00Z",
                "completionTime": "2026-11-21T11:52:30Z",
                "succeeded": 1,
                "conditions": [{"type": "Complete", "status": "True"}],
            },
            ["j", "Complete", "1/1", "2m30s", "0s"],
        ),
        (
            "/api/v1/nodes",
            {
                "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/worker": ""}},
                "spec": {"unschedulable": True},
            },
            {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.34.4"}},
            ["n", "Ready,SchedulingDisabled", "worker", "0s", "v1.34.4"],
        ),
    ],
)
async def test_rows_of_other_kinds(path: str, body: Object, status: Object, cells: list[Any]) -> None:
    async with serving(store=Store(clock=lambda: NOON)) as api:
        made = await api.made(path, body)
        await api.patch(f"{path}/{made['metadata']['name']}/status", {"status": status})
        assert (await _cells(api, path))[: len(cells)] == cells


@pytest.mark.parametrize(
    ("lasted", "told"),
    [
        (timedelta(seconds=-5), "<invalid>"),
        (timedelta(seconds=0), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(minutes=9, seconds=59), "9m59s"),
        (timedelta(minutes=179), "179m"),
        (timedelta(hours=3), "3h"),
        (timedelta(hours=7, minutes=5), "7h5m"),
        (timedelta(hours=47), "47h"),
        (timedelta(days=2, hours=3), "2d3h"),
        (timedelta(days=8), "8d"),
        (timedelta(days=729), "729d"),
        (timedelta(days=731), "2y1d"),
        (timedelta(days=3650), "10y"),
    ],
)
def test_ages_are_told_in_two_units_at_most(lasted: timedelta, told: str) -> None:
    assert lasting(lasted.total_seconds()) == told
