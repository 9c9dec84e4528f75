"""Lists: selectors, pages, versions."""

from __future__ import annotations

import gzip

import pytest
from lab_api_client import CORE, Client, config, pod

from kubemend.lab.local import LocalApi


async def _pods(api: Client) -> None:
    for name, app, node in (("a", "web", "n1"), ("b", "web", ""), ("c", "db", "n1")):
        await api.made(f"{CORE}/pods", pod(name, labels={"app": app}))
        if node:
            binding = {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}}
            assert (await api.post(f"{CORE}/pods/{name}/binding", binding)).code == 201
    await api.patch(f"{CORE}/pods/c/status", {"status": {"phase": "Running"}})


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b", "c"]),
        ("labelSelector=app%3Dweb", ["a", "b"]),
        ("labelSelector=app%20notin%20(web)", ["c"]),
        ("fieldSelector=spec.nodeName%3Dn1", ["a", "c"]),
        ("fieldSelector=spec.nodeName%3D", ["b"]),
        ("fieldSelector=status.phase!%3DRunning", ["a", "b"]),
        ("fieldSelector=metadata.name%3Db,metadata.namespace%3Ddefault", ["b"]),
        ("labelSelector=app%3Dweb&fieldSelector=spec.nodeName%3Dn1", ["a"]),
    ],
)
async def test_selectors_choose(api: Client, query: str, names: list[str]) -> None:
    await _pods(api)
    assert (await api.get(f"{CORE}/pods?{query}")).names == names


async def test_events_are_chosen_by_what_they_are_about(api: Client) -> None:
    for name in ("a", "b"):
        about = {"kind": "Pod", "namespace": "default", "name": name, "uid": f"uid-{name}"}
        await api.made(f"{CORE}/events", {"metadata": {"name": name}, "involvedObject": about, "reason": "Why"})
    query = "involvedObject.name%3Db,involvedObject.uid%3Duid-b,reason%3DWhy"
    assert (await api.get(f"{CORE}/events?fieldSelector={query}")).names == ["b"]
    new = "/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=regarding.name%3Da"
    assert (await api.get(new)).names == ["a"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"{CORE}/pods?fieldSelector=foo%3Dbar", "field label not supported: foo"),
        (f"{CORE}/configmaps?fieldSelector=data%3Dx", '"data" is not a known field selector: only "metadata.name"'),
        (f"{CORE}/pods?fieldSelector=foo", "unable to parse"),
        (f"{CORE}/pods?labelSelector=a%20b", "unable to parse requirement"),
        (f"{CORE}/pods?limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        (f"{CORE}/pods?continue=abc", "invalid continue token"),
        (f"{CORE}/pods?resourceVersion=abc", 'invalid resource version: resourceVersion: Invalid value: "abc"'),
    ],
)
async def test_what_cant_be_asked_is_a_bad_request(api: Client, path: str, message: str) -> None:
    answer = await api.get(path)
    assert answer.code == 400
    assert message in answer.body["message"]


async def test_items_of_a_list_dont_repeat_their_kind(api: Client) -> None:
    await api.made(f"{CORE}/configmaps", config())
    answer = await api.get(f"{CORE}/configmaps?labelSelector=!x")
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("ConfigMapList", "v1")
    assert all(item.keys() <= {"metadata", "data"} for item in answer.body["items"])


async def test_pages_are_of_one_moment(api: Client) -> None:
    for name in "abcde":
        await api.made(f"{CORE}/secrets", {"metadata": {"name": name}})
    first = await api.get(f"{CORE}/secrets?limit=2")
    assert (first.names, first.body["metadata"]["remainingItemCount"]) == (["a", "b"], 3)
    await api.made(f"{CORE}/secrets", {"metadata": {"name": "cc"}})
    await api.delete(f"{CORE}/secrets/d")
    second = await api.get(f"{CORE}/secrets?limit=2&continue={first.body['metadata']['continue']}")
    third = await api.get(f"{CORE}/secrets?limit=2&continue={second.body['metadata']['continue']}")
    assert [*second.names, *third.names] == ["c", "d", "e"]
    assert first.version == second.version == third.version
    assert "continue" not in third.body["metadata"]


async def test_pages_of_all_namespaces_go_by_namespace_and_name(api: Client) -> None:
    seen, token = [], ""
    while True:
        page = await api.get(f"/api/v1/serviceaccounts?limit=1&continue={token}")
        seen += [item["metadata"]["namespace"] for item in page.body["items"]]
        token = page.body["metadata"].get("continue", "")
        if not token:
            break
    assert seen == ["default", "kube-node-lease", "kube-public", "kube-system"]


async def test_a_page_whose_moment_is_forgotten_is_gone(api: Client) -> None:
    first = await api.get("/api/v1/serviceaccounts?limit=1")
    await api.made(f"{CORE}/configmaps", config())
    api.store.compact()
    answer = await api.get(f"/api/v1/serviceaccounts?limit=1&continue={first.body['metadata']['continue']}")
    assert (answer.code, answer.body["reason"]) == (410, "Expired")


async def test_a_list_can_be_of_an_earlier_version(api: Client) -> None:
    before = await api.get(f"{CORE}/configmaps")
    await api.made(f"{CORE}/configmaps", config())
    exact = f"resourceVersion={before.version}&resourceVersionMatch=Exact"
    assert (await api.get(f"{CORE}/configmaps?{exact}")).body == before.body
    newer = await api.get(f"{CORE}/configmaps?resourceVersion={before.version}")
    assert "settings" in newer.names
    api.store.compact()
    assert (await api.get(f"{CORE}/configmaps?{exact}")).code == 410


async def test_a_version_that_isnt_there_yet_is_a_timeout(api: Client) -> None:
    answer = await api.get(f"{CORE}/configmaps?resourceVersion=999999")
    assert (answer.code, answer.body["reason"], answer.headers["Retry-After"]) == (504, "Timeout", "1")
    assert answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_long_answer_is_packed_for_who_takes_it_so(api: Client) -> None:
    local = LocalApi(api.store)
    for i in range(40):
        meta = {"name": f"big-{i}", "namespace": "default"}
        await local.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"x": "y" * 5000}})
    packed = await api.get(f"{CORE}/configmaps", Accept_Encoding="gzip")
    plain = await api.get(f"{CORE}/configmaps", Accept_Encoding="identity")
    assert (packed.headers["Content-Encoding"], plain.headers.get("Content-Encoding")) == ("gzip", None)
    assert packed.body == plain.body
    assert int(packed.headers["Content-Length"]) < len(gzip.compress(b"y" * 5000)) * 400
