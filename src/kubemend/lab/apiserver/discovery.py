"""What the server serves: versions, groups, resources, both as lists and aggregated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from kubemend.lab.apiserver import metrics, reviews
from kubemend.lab.apiserver.exchange import Answer
from kubemend.lab.apiserver.status import unknown_resource
from kubemend.lab.kinds import KINDS, Kind, Subresource

AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERSION: Final = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.4",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "emulationMajor": "1",
    "emulationMinor": "34",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "33",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
"""What `/version` tells: the release whose behaviour is followed."""

_VIRTUAL: Final = (
    *(Kind(group, "v1", kind, plural, namespaced=namespaced, verbs=("create",))
      for (group, plural), (kind, namespaced, _) in reviews.REVIEWS.items()),
    Kind(metrics.GROUP, metrics.VERSION, "NodeMetrics", "nodes", namespaced=False, verbs=("get", "list")),
    Kind(metrics.GROUP, metrics.VERSION, "PodMetrics", "pods", verbs=("get", "list")),
)  # fmt: skip
"""Kinds of which no objects are kept."""


@cache
def _groups() -> dict[str, dict[str, list[Kind]]]:
    """Group → version → its kinds."""
    found: dict[str, dict[str, list[Kind]]] = {}
    for kind in sorted((*KINDS, *_VIRTUAL), key=lambda k: (k.group, k.plural)):
        found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
    return found


def answer(path: str, accept: str, host: str) -> Answer | None:
    """The answer to a path of discovery, or None for any other path."""
    aggregated = AGGREGATED.replace(" ", "") in accept.replace(" ", "")
    match path.strip("/").split("/"):
        case ["version"]:
            return Answer(VERSION)
        case ["api"]:
            return _aggregated(core=True) if aggregated else Answer(_versions(host))
        case ["apis"]:
            return _aggregated(core=False) if aggregated else Answer(_list())
        case ["api", "v1"]:
            return Answer(_resources("", "v1"))
        case ["apis", group] if group in _groups():
            return Answer({"kind": "APIGroup", "apiVersion": "v1", **_group(group)})
        case ["apis", group, version] if version in _groups().get(group, {}):
            return Answer(_resources(group, version))
        case ["api", _] | ["apis", _, _] as steps if len(steps) == 2 or known(steps[1]):
            raise unknown_resource()
    return None


def known(group: str) -> bool:
    """Whether anything of a group is served."""
    return group in _groups()


def _versions(host: str) -> dict[str, Any]:
    here = [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": here}


def _list() -> dict[str, Any]:
    groups = [_group(g) for g in _groups() if g]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _group(group: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{group}/{v}", "version": v} for v in _groups()[group]]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: str, version: str) -> dict[str, Any]:
    told = [entry for kind in _groups()[group][version] for entry in _entries(kind)]
    at = f"{group}/{version}" if group else version
    head = {"kind": "APIResourceList", **({"apiVersion": "v1"} if group else {})}
    return {**head, "groupVersion": at, "resources": told}


def _entries(kind: Kind) -> Iterator[dict[str, Any]]:
    entry = {"name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind}
    told: dict[str, Any] = {**entry, "verbs": list(kind.verbs)}
    if kind.short:
        told["shortNames"] = list(kind.short)
    if kind.categories:
        told["categories"] = list(kind.categories)
    yield told
    for part in kind.subresources:
        yield _part(kind, part)


def _part(kind: Kind, part: Subresource) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": f"{kind.plural}/{part.name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(part.verbs),
    }
    if part.gvk is not None:
        told["group"], told["version"], told["kind"] = part.gvk
        if not told["group"]:
            del told["group"], told["version"]
    return told


def _aggregated(*, core: bool) -> Answer:
    items = []
    for group, versions in _groups().items():
        if bool(group) is not core:
            each = [
                {"version": v, "freshness": "Current", "resources": list(map(_deep, k))} for v, k in versions.items()
            ]
            items.append({"metadata": {"name": group} if group else {}, "versions": each})
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
    return Answer({**head, "items": items}, content_type=AGGREGATED)


def _deep(kind: Kind) -> dict[str, Any]:
    told: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": _gvk(("", "", kind.kind)),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short:
        told["shortNames"] = list(kind.short)
    if kind.categories:
        told["categories"] = list(kind.categories)
    if kind.subresources:
        own = ("", "", kind.kind)
        told["subresources"] = [
            {"subresource": p.name, "responseKind": _gvk(p.gvk or own), "verbs": list(p.verbs)}
            for p in kind.subresources
        ]
    return told


def _gvk(told: tuple[str, str, str]) -> dict[str, str]:
    """A kind; its group and version only where they aren't those of the list it stands in."""
    group, version, kind = told
    return {"group": group, "version": version if group else "", "kind": kind}
