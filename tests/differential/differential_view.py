"""Parts of answers: what of a long answer is compared, where a practice cluster can only have a part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kubemend.lab.kinds import KINDS

View = Callable[[Any], Any]

SERVED = frozenset(
    (k.group, name) for k in KINDS for name in (k.plural, *(f"{k.plural}/{s.name}" for s in k.subresources))
)
"""(group, plural) and (group, plural/subresource) of what the practice cluster keeps objects of."""
VERSIONS = frozenset((k.group, k.version) for k in KINDS)
GROUPS = frozenset(k.group for k in KINDS)


def _groups(body: Any) -> Any:
    """Of the group list those groups and versions that the practice cluster has, in their order of names."""
    kept = [
        {**g, "versions": [v for v in g["versions"] if (g["name"], v["version"]) in VERSIONS]}
        for g in body["groups"]
        if g["name"] in GROUPS
    ]
    return {**body, "groups": sorted(kept, key=lambda g: str(g["name"]))}


def _resources(body: Any) -> Any:
    """Of a resource list those kinds and subresources that the practice cluster has."""
    group = body["groupVersion"].rpartition("/")[0]
    kept = [r for r in body["resources"] if (group, r["name"]) in SERVED]
    return {**body, "resources": _bare(kept, "name")}


def _bare(entries: list[Any], key: str) -> list[Any]:
    """Entries by name, without the hash of the storage version."""
    kept = [{k: v for k, v in e.items() if k != "storageVersionHash"} for e in entries]
    return sorted(kept, key=lambda e: str(e[key]))


def _aggregated(body: Any) -> Any:
    """The same of the aggregated discovery, each group in the version that the practice cluster has."""
    items = []
    for item in body["items"]:
        name = item["metadata"].get("name", "")
        found = [
            {**v, "resources": _bare([r for r in v["resources"] if (name, r["resource"]) in SERVED], "resource")}
            for v in item["versions"]
            if (name, v["version"]) in VERSIONS
        ]
        for version in found:
            for resource in version["resources"]:
                if "subresources" in resource:
                    had = resource["subresources"]
                    kept = [s for s in had if (name, f"{resource['resource']}/{s['subresource']}") in SERVED]
                    resource["subresources"] = _bare(kept, "subresource")
        if found:
            items.append({**item, "versions": found})
    return {**body, "items": sorted(items, key=lambda i: str(i["metadata"]))}


BUILT = frozenset({"buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "platform"})


def _version(body: Any) -> Any:
    """Which release; when and by which compiler it was built is told, but not compared."""
    return {k: "given" if k in BUILT else v for k, v in body.items()}


def _last_line(body: Any) -> Any:
    return body.strip().splitlines()[-1]


def _openapi_paths(body: Any) -> Any:
    """Which of the practice cluster's group versions have a document, and where."""
    wanted = {f"apis/{k.group}/{k.version}" if k.group else f"api/{k.version}" for k in KINDS}
    return {p: v["serverRelativeURL"].partition("?")[0] for p, v in body["paths"].items() if p in wanted}


def _openapi_fields(body: Any) -> Any:
    """The names of the fields of each kind the practice cluster has, two levels deep, and what its patch accepts."""
    schemas = body["components"]["schemas"]
    patched = [p["patch"]["x-kubernetes-group-version-kind"]["kind"] for p in body["paths"].values() if "patch" in p]
    found: dict[str, Any] = {}
    for schema in schemas.values():
        for gvk in schema.get("x-kubernetes-group-version-kind") or ():
            known = any((k.group, k.version, k.kind) == (gvk["group"], gvk["version"], gvk["kind"]) for k in KINDS)
            if known and "properties" in schema and gvk["kind"] in patched:
                found[gvk["kind"]] = {f: _inner(schemas, s) for f, s in schema["properties"].items() if f != "metadata"}
    return {"kinds": found}


def _inner(schemas: Mapping[str, Any], schema: Any) -> list[str]:
    refs = [part.get("$ref", "") for part in schema.get("allOf") or ()]
    named = [schemas[ref.rpartition("/")[2]] for ref in refs if ref]
    return sorted(f for s in named for f in s.get("properties") or ())


def _token(body: Any) -> Any:
    """A token request's answer; who may use the token is each server's own name."""
    return {**body, "spec": {k: v for k, v in body["spec"].items() if k != "audiences"}}


def _rules(body: Any) -> Any:
    """What one may do; the paths that everybody may read differ with the release's own roles."""
    return {"kind": body["kind"], "spec": body["spec"], "status": body["status"]["resourceRules"]}


def _user(body: Any) -> Any:
    info = body["status"]["userInfo"]
    return {
        "kind": body["kind"],
        "username": info["username"],
        "groups": sorted(info["groups"]),
        "uid": info.get("uid"),
    }


VIEWS: Mapping[str, View] = {
    "": lambda body: body,
    "aggregated": _aggregated,
    "groups": _groups,
    "last line": _last_line,
    "openapi fields": _openapi_fields,
    "openapi paths": _openapi_paths,
    "resources": _resources,
    "rules": _rules,
    "token": _token,
    "user": _user,
    "version": _version,
}


def viewed(name: str, code: int, body: Any) -> Any:
    """The part of an answer that is compared; a refusal is compared whole."""
    return VIEWS[name](body) if code < 400 else body
