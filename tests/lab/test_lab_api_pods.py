"""What only pods have: logs, binding, eviction, usage."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lab_api_client import CORE, POLICY, Client, Object, pod, serving

from kubemend.lab.store import Store

WEB = f"{CORE}/pods/web"
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
LINES = [f"2026-11-21T11:5{minute}:00.5Z line {minute}" for minute in range(7, 10)]
METRICS = "/apis/metrics.k8s.io/v1beta1"


async def _place(api: Client, name: str = "web", **more: object) -> Object:
    made = await api.made(f"{CORE}/pods", pod(name, **more))
    answer = await api.post(f"{CORE}/pods/{name}/binding", {"metadata": {"name": name}, "target": {"name": "n1"}})
    assert answer.code == 201
    return made


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "line 7\nline 8\nline 9\n"),
        ("container=main", "line 7\nline 8\nline 9\n"),
        ("tailLines=1", "line 9\n"),
        ("tailLines=0", ""),
        ("sinceSeconds=90", "line 9\n"),
        ("sinceTime=2026-11-21T11:58:00Z", "line 8\nline 9\n"),
        ("limitBytes=9", "line 7\nli"),
        ("timestamps=true&tailLines=1", LINES[2] + "\n"),
        ("previous=true", "the last words\n"),
    ],
)
async def test_a_log_is_told_as_asked(query: str, text: str) -> None:
    async with serving(store=Store(clock=lambda: NOON)) as api:
        await _place(api)
        api.store.logs["default", "web", "main", False] = LINES
        api.store.logs["default", "web", "main", True] = ["2026-11-21T11:00:00Z the last words"]
        answer = await api.get(f"{WEB}/log?{query}")
        assert (answer.code, answer.body) == (200, text)


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("container=other", 400, "container other is not valid for pod web"),
        ("previous=true", 400, 'previous terminated container "main" in pod "web" not found'),
        ("tailLines=-1", 422, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("sinceSeconds=0", 422, "sinceSeconds: Invalid value: 0: must be greater than 0"),
        ("", 400, 'container "main" in pod "web" is waiting to start: trying and failing to pull image'),
    ],
)
async def test_a_log_that_isnt_there_says_why(api: Client, query: str, code: int, message: str) -> None:
    await _place(api)
    waiting = {"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}, "image": "x", "imageID": ""}
    await api.patch(f"{WEB}/status", {"status": {"containerStatuses": [waiting]}})
    answer = await api.get(f"{WEB}/log?{query}")
    assert answer.code == code
    assert message in answer.body["message"]


async def test_a_log_is_followed_to_the_end_of_the_container() -> None:
    store = Store()
    async with serving(store=store) as api:
        await _place(api)
        since = {"running": {"startedAt": "2026-11-21T11:00:00Z"}}
        running = {"name": "main", "state": since, "image": "x", "imageID": ""}
        await api.patch(f"{WEB}/status", {"status": {"containerStatuses": [running]}})
        lines = store.logs["default", "web", "main", False] = list(LINES)
        async with api.streamed(f"{WEB}/log?follow=true&tailLines=1") as log:
            assert await log.readline() == b"line 9\n"
            lines.append("2026-11-21T12:00:01Z line 10")
            store.logs["default", "web", "main", False] = lines
            assert await log.readline() == b"line 10\n"
            ended = {**running, "state": {"terminated": {"exitCode": 0}}}
            await api.patch(f"{WEB}/status", {"status": {"containerStatuses": [ended]}})
            assert await log.read() == b""


async def test_a_pod_of_several_containers_wants_one_named(api: Client) -> None:
    side = {"name": "side", "image": "side:1"}
    await _place(
        api, spec={"containers": [*pod()["spec"]["containers"], side], "initContainers": [side | {"name": "i"}]}
    )
    answer = await api.get(f"{WEB}/log")
    assert answer.body["message"] == "a container name must be specified for pod web, choose one of: [i main side]"


async def test_a_pod_is_bound_once(api: Client) -> None:
    await _place(api)
    bound = (await api.get(WEB)).body
    assert bound["spec"]["nodeName"] == "n1"
    assert [(c["type"], c["status"]) for c in bound["status"]["conditions"]] == [("PodScheduled", "True")]
    again = await api.post(f"{WEB}/binding", {"metadata": {"name": "web"}, "target": {"name": "n2"}})
    assert (again.code, again.body["reason"]) == (409, "Conflict")
    assert again.body["message"].endswith('pod web is already assigned to node "n1"')


def eviction(name: str = "web", **options: object) -> Object:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options}


async def _budget(api: Client, *, allowed: int, healthy: int = 1, **spec: object) -> None:
    body = {"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}
    await api.made(f"{POLICY}/poddisruptionbudgets", body)
    counted = {"disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": 1, "expectedPods": 2}
    await api.patch(f"{POLICY}/poddisruptionbudgets/b/status", {"status": {**counted, "observedGeneration": 1}})


async def _run(api: Client, name: str = "web", *, ready: bool = True) -> None:
    await _place(api, name, labels={"app": "web"})
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    await api.patch(f"{CORE}/pods/{name}/status", {"status": {"phase": "Running", "conditions": [condition]}})


async def test_a_budget_that_allows_none_refuses(api: Client) -> None:
    await _run(api)
    await _budget(api, allowed=0)
    answer = await api.post(f"{WEB}/eviction", eviction())
    assert (answer.code, answer.body["reason"]) == (429, "TooManyRequests")
    why = "The disruption budget b needs 1 healthy pods and has 1 currently"
    assert answer.body["details"] == {"causes": [{"reason": "DisruptionBudget", "message": why}]}


async def test_a_budget_that_isnt_counted_yet_says_when_to_come_back(api: Client) -> None:
    await _run(api)
    body = {"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1}}
    await api.made(f"{POLICY}/poddisruptionbudgets", body)
    answer = await api.post(f"{WEB}/eviction", eviction())
    assert (answer.code, answer.headers["Retry-After"]) == (429, "10")


async def test_an_eviction_uses_the_budget_up(api: Client) -> None:
    await _run(api)
    await _run(api, "web2")
    await _budget(api, allowed=1, healthy=2)
    tried = await api.post(f"{WEB}/eviction?dryRun=All", eviction())
    assert (tried.code, tried.body["status"]) == (201, "Success")
    assert "deletionTimestamp" not in (await api.get(WEB)).body["metadata"]
    assert (await api.post(f"{WEB}/eviction", eviction())).code == 201
    assert (await api.get(WEB)).body["metadata"]["deletionGracePeriodSeconds"] == 30
    assert (await api.post(f"{CORE}/pods/web2/eviction", eviction("web2"))).code == 429
    status = (await api.get(f"{POLICY}/poddisruptionbudgets/b")).body["status"]
    assert (status["disruptionsAllowed"], list(status["disruptedPods"])) == (0, ["web"])


async def test_an_unready_pod_may_go_while_the_others_are_enough(api: Client) -> None:
    await _run(api, ready=False)
    await _budget(api, allowed=0, healthy=1)
    assert (await api.post(f"{WEB}/eviction", eviction())).code == 201


async def test_an_unready_pod_that_is_missed_stays_unless_its_budget_says_otherwise(api: Client) -> None:
    await _run(api, ready=False)
    await _budget(api, allowed=0, healthy=0)
    assert (await api.post(f"{WEB}/eviction", eviction())).code == 429
    policy = {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}}
    await api.patch(f"{POLICY}/poddisruptionbudgets/b", policy)
    assert (await api.post(f"{WEB}/eviction", eviction())).code == 201


async def test_a_pending_pod_is_evicted_without_asking(api: Client) -> None:
    await _place(api, labels={"app": "web"})
    await _budget(api, allowed=0)
    assert (await api.post(f"{WEB}/eviction", eviction())).code == 201


@pytest.mark.parametrize(
    ("path", "body", "code", "message"),
    [
        ("web", eviction(preconditions={"uid": "x"}), 409, "the UID in the precondition (x) does not match"),
        ("web", eviction("other"), 400, "name in URL does not match name in Eviction object"),
        ("none", eviction("none"), 404, 'pods "none" not found'),
    ],
)
async def test_an_eviction_can_be_refused(api: Client, path: str, body: Object, code: int, message: str) -> None:
    await _place(api)
    answer = await api.post(f"{CORE}/pods/{path}/eviction", body)
    assert answer.code == code
    assert message in answer.body["message"]


async def test_usage_is_told_per_container_and_summed_per_node(api: Client) -> None:
    await api.made("/api/v1/nodes", {"metadata": {"name": "n1"}})
    await _place(api, labels={"app": "web"})
    await _place(api, "db")
    api.store.usage["default", "web", "main"] = {"cpu": "250m", "memory": "20Mi"}
    api.store.usage["default", "db", "main"] = {"cpu": "1", "memory": "44Mi"}
    api.store.usage["default", "gone", "main"] = {"cpu": "1", "memory": "1Mi"}
    pods = await api.get(f"{METRICS}/namespaces/default/pods?labelSelector=app%3Dweb")
    assert pods.names == ["web"]
    assert pods.body["items"][0]["containers"] == [{"name": "main", "usage": {"cpu": "250m", "memory": "20Mi"}}]
    node = await api.get(f"{METRICS}/nodes/n1")
    assert (node.body["kind"], node.body["usage"]) == ("NodeMetrics", {"cpu": "1250m", "memory": "64Mi"})
    api.store.node_usage["n1"] = {"cpu": "2", "memory": "1Gi"}
    assert (await api.get(f"{METRICS}/nodes")).body["items"][0]["usage"] == {"cpu": "2", "memory": "1Gi"}
    missing = await api.get(f"{METRICS}/namespaces/default/pods/none")
    assert missing.body["message"] == 'pods.metrics.k8s.io "none" not found'
