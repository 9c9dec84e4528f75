"""The rest of what kubectl tells: descriptions, figures, rollouts, permissions, and what the server is and serves."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import yaml

from kubemend.kube.quantity import QuantityError, to_bytes, to_cores
from kubemend.kube.rollout import progress
from kubemend.kube.table import aligned
from kubemend.model.access import Access
from kubemend.model.errors import InvalidInput
from kubemend.model.objects import DaemonSet, Deployment, ReplicaSet, StatefulSet
from kubemend.model.snapshot import revision_of
from kubemend.tools.cluster.describe_kubernetes_resource import describe_kubernetes_resource
from kubemend.tools.cluster.explain_kubernetes_resource import explain_kubernetes_resource
from kubemend.tools.look import Look
from kubemend.tools.shell.getting import get, objects
from kubemend.tools.shell.targets import namespace, targets
from kubemend.tools.shell.verdict import Asked

DESCRIBED = 10
"""Objects described when none is named."""
ROLLOUTS: dict[str, type[Deployment | StatefulSet | DaemonSet]] = {
    "Deployment": Deployment,
    "StatefulSet": StatefulSet,
    "DaemonSet": DaemonSet,
}
CAUSE = "kubernetes.io/change-cause"


async def describe(cluster: Look, asked: Asked, most: int) -> str:
    """Objects with their events, as YAML."""
    said = []
    for target in await targets(cluster, asked):
        names = target.names
        places = [(n, target.namespace) for n in names]
        if not names:
            found = await objects(cluster, target, asked, most)
            places = [(o["metadata"]["name"], o["metadata"].get("namespace")) for o in found]
        if len(places) > DESCRIBED:
            cluster.missing("data/stdout", f"{DESCRIBED} of {len(places)} {target.resource.plural} described")
        word = f"{target.resource.plural}.{target.resource.group}".rstrip(".")
        for name, place in places[:DESCRIBED]:
            told = await describe_kubernetes_resource(cluster, resource_type=word, resource_name=name, namespace=place)
            said.append(_yaml(told))
    return "---\n".join(said)


async def events(cluster: Look, asked: Asked, most: int) -> str:
    """`kubectl events`, through `get`."""
    about = asked.flag("for")
    fields = ""
    if about:
        kind, _, name = about.partition("/")
        resource = await cluster.reader.resource(kind)
        fields = f"involvedObject.kind={resource.kind},involvedObject.name={name}"
    flags = {k: v for k, v in asked.flags.items() if k in ("namespace", "all-namespaces", "output", "no-headers")}
    return await get(cluster, Asked("get", ("events",), {**flags, "field-selector": [fields]}), most)


async def top(cluster: Look, asked: Asked, most: int) -> str:
    """Use by metrics.k8s.io. NotServed where there is no metrics server."""
    kind = asked.verb.split()[1]
    resource = await cluster.reader.resource(kind, "metrics.k8s.io")
    scope = namespace(cluster, asked) if resource.namespaced else None
    answer = await cluster.reader.page(resource, scope, labels=asked.flag("selector"), limit=most)
    rows = [
        _use(item)
        for item in answer.get("items") or ()
        if item["metadata"]["name"] in (asked.words or [item["metadata"]["name"]])
    ]
    by = {"cpu": 2, "memory": 3}.get(asked.flag("sort-by"))
    rows.sort(key=lambda r: (r[0], r[1]) if by is None else (-float(r[by]), r[1]))
    named = [[p, n, f"{round(c * 1000)}m", f"{round(m / 2**20)}Mi"] for p, n, c, m in rows]
    lines = [["NAMESPACE", "NAME", "CPU(cores)", "MEMORY(bytes)"], *named]
    return aligned([line if scope is None and resource.namespaced else line[1:] for line in lines])


async def rollout_status(cluster: Look, asked: Asked, most: int) -> str:
    """How far, now; it doesn't wait."""
    (target,) = await targets(cluster, asked)
    kind = ROLLOUTS.get(target.resource.kind)
    if kind is None or not target.names:
        raise InvalidInput(f"{target.resource.kind} has no rollout", code="usage", hint=f"of {', '.join(ROLLOUTS)}")
    found = await cluster.one(kind, target.namespace or "", target.names[0])
    return progress(found).why


async def rollout_history(cluster: Look, asked: Asked, most: int) -> str:
    """The revisions of a Deployment."""
    (target,) = await targets(cluster, asked)
    if target.resource.kind != "Deployment" or not target.names:
        raise InvalidInput("only a Deployment's history is known here", code="usage")
    owner = await cluster.one(Deployment, target.namespace or "", target.names[0])
    owned = [
        r
        for r in await cluster.list(ReplicaSet, target.namespace)
        if any(o.uid == owner.metadata.uid for o in r.metadata.owner_references)
    ]
    rows = sorted((revision_of(r), r.metadata.annotations.get(CAUSE, "<none>")) for r in owned)
    return aligned([["REVISION", "CHANGE-CAUSE"], *([str(n), cause] for n, cause in rows)])


async def can_i(cluster: Look, asked: Asked, most: int) -> str:
    """yes or no."""
    if asked.on("list") or len(asked.words) < 2:
        raise InvalidInput("kubectl auth can-i VERB KIND is what can be asked here", code="usage")
    verb, word = asked.words[0], asked.words[1]
    if not re.fullmatch(r"[a-z*]+", verb):
        raise InvalidInput(f"{verb[:20]!r} is no verb", code="usage")
    kind, _, name = word.partition("/")
    resource = await cluster.reader.resource(kind)
    sub = asked.flag("subresource")
    access = Access(verb, f"{resource.plural}/{sub}" if sub else resource.plural, resource.group)
    scope = namespace(cluster, asked) if resource.namespaced else None
    allowed = await cluster.reader.allowed(access, scope or "", name)
    return "yes" if allowed.allowed else f"no - {allowed.reason}" if allowed.reason else "no"


async def explain(cluster: Look, asked: Asked, most: int) -> str:
    """From the server's OpenAPI."""
    if not asked.words:
        raise InvalidInput("kubectl explain what?", code="usage")
    kind, _, path = asked.words[0].partition(".")
    return _yaml(await explain_kubernetes_resource(cluster, resource_type=kind, field_path=path))


async def version(cluster: Look, asked: Asked, most: int) -> str:
    """The server's; there is no client but kubemend."""
    return f"Server Version: {(await cluster.reader.version()).text}"


async def cluster_info(cluster: Look, asked: Asked, most: int) -> str:
    """Where the control plane is."""
    return f"Kubernetes control plane is running at {cluster.place.server}"


async def api_resources(cluster: Look, asked: Asked, most: int) -> str:
    """What is served, as kubectl tells it."""
    found = await cluster.reader.discovery()
    for unread in found.unread:
        cluster.missing(f"API group {unread.kind}", unread.why)
    group, wanted = asked.flag("api-group"), asked.flag("namespaced")
    rows = [
        [r.plural, ",".join(r.short_names), r.api_version, str(r.namespaced).lower(), r.kind]
        for r in sorted(found.resources, key=lambda r: (r.group, r.plural))
        if (not group or r.group == group) and wanted in ("", str(r.namespaced).lower())
    ]
    if asked.flag("output") == "name":
        return "\n".join(row[0] for row in rows)
    return aligned([["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"], *rows])


async def api_versions(cluster: Look, asked: Asked, most: int) -> str:
    """Groups with their versions."""
    return "\n".join(sorted({r.api_version for r in await cluster.reader.resources()}))


async def contexts(cluster: Look, asked: Asked, most: int) -> str:
    """The kubeconfig's contexts, without its credentials."""
    if asked.verb.endswith("current-context"):
        return cluster.place.context
    if asked.verb.endswith("get-clusters"):
        return "\n".join(["NAME", *sorted({c.cluster for c in cluster.place.contexts})])
    rows = [["*" if c.is_current else "", c.name, c.cluster, c.user, c.namespace] for c in cluster.place.contexts]
    return aligned([["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"], *rows])


def _use(item: dict[str, Any]) -> tuple[str, str, float, int]:
    meta = item["metadata"]
    parts = item.get("containers") or [item]
    try:
        cpu = sum(float(to_cores(p["usage"]["cpu"])) for p in parts)
        memory = sum(to_bytes(p["usage"]["memory"]) for p in parts)
    except (KeyError, QuantityError) as error:
        raise InvalidInput("the metrics server's answer has no figures", where=meta["name"]) from error
    return meta.get("namespace", ""), meta["name"], cpu, memory


def _yaml(told: Any) -> str:
    return yaml.safe_dump(msgspec.to_builtins(told, str_keys=True), sort_keys=False, allow_unicode=True, width=120)
