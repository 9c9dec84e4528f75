"""Our reading of RBAC, held against the real API server's own access reviews, and its aggregation controller."""

from __future__ import annotations

import asyncio
from typing import Any

from control_plane_asker import Asker, asker
from testbed.plane import ControlPlane

from kubemend.cluster.connection import connect
from kubemend.cluster.reader import Reader
from kubemend.kube.rbac import Ask, Rbac, User, aggregated
from kubemend.model.objects import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from rbac_questions import SPACES, Raw, objects, questions

QUESTIONS = 800
PLURALS = {
    "Role": "roles", "ClusterRole": "clusterroles", "RoleBinding": "rolebindings",
    "ClusterRoleBinding": "clusterrolebindings",
}  # fmt: skip
API = "/apis/rbac.authorization.k8s.io/v1"


async def test_generated_questions_are_answered_as_the_api_server_answers_them(
    control_plane: ControlPlane, tmp_path, capsys
) -> None:
    async with (
        asker(control_plane, tmp_path) as server,
        connect(kubeconfig=str(control_plane.kubeconfig)).open() as transport,
    ):
        await _make(server)
        rbac = await _settled(Reader(transport))
        asked = questions(QUESTIONS)
        ours = [rbac.decide(User(q["user"], tuple(q["groups"])), _ask(q)) for q in asked]
        theirs = await asyncio.gather(*(_at_last(server, q, o is not None) for q, o in zip(asked, ours, strict=True)))
    differ = [(q, o, t) for q, o, t in zip(asked, ours, theirs, strict=True) if (o is not None) != t["allowed"]]
    allowed = sum(t["allowed"] for t in theirs)
    told = [(o, t) for o, t in zip(ours, theirs, strict=True) if o is not None and t["allowed"]]
    named = sum(f'"{o.binding.name}' in t["reason"] for o, t in told)
    with capsys.disabled():
        print(f"\nRBAC, {QUESTIONS} questions: {QUESTIONS - len(differ)} agreed, {len(differ)} disagreed", end=" ")
        print(f"({allowed} allowed; for {named} of them the same binding was named first)")
    assert differ == []
    assert QUESTIONS // 10 < allowed < QUESTIONS * 9 // 10
    roles = {r.name: r for r in rbac.cluster_roles}
    made = aggregated(_unfilled(rbac.cluster_roles))
    assert {"admin", "edit", "view", "gen-all-0", "gen-all-1"} <= set(made)
    assert {n: rules for n, rules in made.items() if set(rules) != set(roles[n].rules or ())} == {}


async def _make(server: Asker) -> None:
    for name in SPACES:
        assert (await server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})).status == 201
    for obj in objects():
        namespace = obj["metadata"].get("namespace")
        path = f"{API}/{f'namespaces/{namespace}/' if namespace else ''}{PLURALS[obj['kind']]}"
        answer = await server.ask("POST", path, obj)
        assert answer.status == 201, answer.body
    # The authorizer reads from caches of its own: it is up to date once it knows the last of each kind.
    last: Raw = {"verbs": ["use"], "apiGroups": ["last"], "resources": ["last"]}
    for kind, place in (("Role", f"namespaces/{SPACES[0]}/"), ("ClusterRole", "")):
        role = {"metadata": {"name": "last"}, "rules": [last]}
        ref = {"apiGroup": API.split("/")[2], "kind": kind, "name": "last"}
        subject = {"kind": "User", "apiGroup": ref["apiGroup"], "name": f"last-{kind}"}
        assert (await server.ask("POST", f"{API}/{place}{PLURALS[kind]}", role)).status == 201
        binding = {"metadata": {"name": "last"}, "roleRef": ref, "subjects": [subject]}
        assert (await server.ask("POST", f"{API}/{place}{PLURALS[f'{kind}Binding']}", binding)).status == 201
        asked = {"verb": "use", "group": "last", "resource": "last", "namespace": SPACES[0]}
        review = {"user": f"last-{kind}", "groups": [], "resourceAttributes": asked}
        async with asyncio.timeout(30):
            while not (await _reviewed(server, review))["allowed"]:  # noqa: ASYNC110  (a test polls as people do)
                await asyncio.sleep(0.05)


async def _settled(reader: Reader) -> Rbac:
    """Everything there is, once the aggregation controller has come to rest."""
    async with asyncio.timeout(60):
        while True:
            roles = (await reader.list(ClusterRole)).items
            made = aggregated(_unfilled(roles))
            if all(set(made.get(r.name, r.rules or ())) == set(r.rules or ()) for r in roles):
                break
            await asyncio.sleep(0.2)
    return Rbac(
        roles=(await reader.list(Role)).items,
        cluster_roles=roles,
        role_bindings=(await reader.list(RoleBinding)).items,
        cluster_role_bindings=(await reader.list(ClusterRoleBinding)).items,
    )


def _unfilled(roles: tuple[ClusterRole, ...]) -> list[ClusterRole]:
    """As if the controller had not run: an aggregating role has no rules of its own."""
    return [
        ClusterRole(
            metadata=r.metadata, rules=() if r.aggregation_rule else r.rules, aggregation_rule=r.aggregation_rule
        )
        for r in roles
    ]


async def _reviewed(server: Asker, spec: Raw) -> dict[str, Any]:
    answer = await server.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
    assert answer.status == 201, answer.body
    return {"reason": "", **answer.body["status"]}


async def _at_last(server: Asker, spec: Raw, expected: bool) -> dict[str, Any]:
    """The server's answer; one that isn't ours is asked for again, for its authorizer may still be behind."""
    told = await _reviewed(server, spec)
    for _ in range(10):
        if told["allowed"] == expected:
            break
        await asyncio.sleep(0.3)
        told = await _reviewed(server, spec)
    return told


def _ask(spec: Raw) -> Ask:
    if path := spec.get("nonResourceAttributes"):
        return Ask(path["verb"], path=path["path"])
    return Ask(**spec["resourceAttributes"])
