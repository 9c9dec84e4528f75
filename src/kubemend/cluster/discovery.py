"""Which resource types an API server serves: the aggregated discovery of Kubernetes 1.30, or the older one.

A group that can't be read (its own API server is down, say) is reported, not left out in silence.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from kubemend.cluster.decoding import NOT_JSON
from kubemend.cluster.errors import ClusterError, Garbled
from kubemend.cluster.resource import Resource
from kubemend.model.snapshot import Unread

if TYPE_CHECKING:
    from kubemend.cluster.transport import Transport

T = TypeVar("T")

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
AT_ONCE = 8
"""Requests at one time with the older discovery: a cluster has 20 groups and more."""


class ResponseKind(Struct, frozen=True):
    """The kind a resource answers with."""

    kind: str = ""
    group: str = ""
    version: str = ""


class DiscoveredSubresource(Struct, frozen=True):
    """A subresource by name."""

    subresource: str


class DiscoveredResource(Struct, frozen=True, rename="camel"):
    """One resource of `APIGroupDiscoveryList`."""

    resource: str
    response_kind: ResponseKind | None = None
    scope: str = "Namespaced"
    singular_resource: str = ""
    verbs: tuple[str, ...] | None = ()
    short_names: tuple[str, ...] | None = ()
    subresources: tuple[DiscoveredSubresource, ...] | None = ()


class DiscoveredVersion(Struct, frozen=True):
    """One version of a group; `freshness` is "Stale" when its server doesn't answer."""

    version: str
    resources: tuple[DiscoveredResource, ...] | None = ()
    freshness: str = "Current"


class GroupMeta(Struct, frozen=True):
    """The group's name."""

    name: str = ""


class DiscoveredGroup(Struct, frozen=True):
    """One group; versions are in the server's order of preference."""

    metadata: GroupMeta = GroupMeta()
    versions: tuple[DiscoveredVersion, ...] | None = ()


class Aggregated(Struct, frozen=True):
    """`APIGroupDiscoveryList`."""

    kind: str
    items: tuple[DiscoveredGroup, ...] | None = ()


class GroupVersion(Struct, frozen=True, rename="camel"):
    """A group's version in the older discovery."""

    group_version: str


class ApiGroup(Struct, frozen=True):
    """A group in the older discovery."""

    name: str
    versions: tuple[GroupVersion, ...] | None = ()


class ApiGroupList(Struct, frozen=True):
    """`/apis` in the older discovery."""

    groups: tuple[ApiGroup, ...] | None


class ApiResource(Struct, frozen=True, rename="camel"):
    """One resource in the older discovery; a subresource has a "/" in its name."""

    name: str
    kind: str
    namespaced: bool = True
    singular_name: str = ""
    verbs: tuple[str, ...] | None = ()
    short_names: tuple[str, ...] | None = ()


class ApiResourceList(Struct, frozen=True):
    """`/apis/GROUP/VERSION` in the older discovery."""

    resources: tuple[ApiResource, ...] | None


@dataclass(frozen=True)
class Discovery:
    """What is served, preferred versions first, and what could not be found out."""

    resources: tuple[Resource, ...]
    unread: tuple[Unread, ...] = ()


async def discover(transport: Transport) -> Discovery:
    """Ask an API server what it serves. Fails as a read does when neither form can be had."""
    accept = f"{AGGREGATED},application/json"
    core, groups = await asyncio.gather(transport.get("/api", accept=accept), transport.get("/apis", accept=accept))
    aggregated = [_aggregated(body) for body in (core, groups)]
    found = [a for a in aggregated if a is not None]
    if len(found) < len(aggregated):
        return await _by_group(transport, groups)
    return _flat(group for listed in found for group in listed.items or ())


def _aggregated(body: bytes) -> Aggregated | None:
    try:
        listed = msgspec.json.decode(body, type=Aggregated)
    except NOT_JSON:
        return None
    return listed if listed.kind == "APIGroupDiscoveryList" else None


def _flat(groups: Iterable[DiscoveredGroup]) -> Discovery:
    resources: list[Resource] = []
    unread: list[Unread] = []
    for group in groups:
        for version in group.versions or ():
            if version.freshness == "Stale":
                unread.append(_stale(group.metadata.name, version.version))
            resources += (_resource(group.metadata.name, version.version, r) for r in version.resources or ())
    return Discovery(tuple(_preferred(resources)), tuple(unread))


def _stale(group: str, version: str) -> Unread:
    return Unread(f"{group}/{version}", "the API server can't reach the server of this group")


def _resource(group: str, version: str, found: DiscoveredResource) -> Resource:
    kind = found.response_kind or ResponseKind()
    return Resource(
        kind=kind.kind,
        plural=found.resource,
        group=group,
        version=version,
        namespaced=found.scope == "Namespaced",
        singular=found.singular_resource,
        short_names=found.short_names or (),
        verbs=frozenset(found.verbs or ()),
        subresources=tuple(s.subresource for s in found.subresources or ()),
    )


def _preferred(resources: Iterable[Resource]) -> Iterator[Resource]:
    """Each resource once, in the first version that has it."""
    seen: set[tuple[str, str]] = set()
    for resource in resources:
        if (resource.group, resource.plural) not in seen:
            seen.add((resource.group, resource.plural))
            yield resource


async def _by_group(transport: Transport, body: bytes) -> Discovery:
    listed = _decoded(body, ApiGroupList, "GET /apis")
    wanted = [("", "v1")]
    for group in listed.groups or ():
        wanted += [(group.name, v.group_version.rpartition("/")[2]) for v in group.versions or ()]
    free = asyncio.Semaphore(AT_ONCE)

    async def read(group: str, version: str) -> tuple[Resource, ...] | Unread:
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        async with free:
            try:
                answer = _decoded(await transport.get(path), ApiResourceList, f"GET {path}")
            except ClusterError as error:
                return Unread(f"{group}/{version}" if group else version, error.message)
        return tuple(_older(group, version, answer.resources or ()))

    answers = await asyncio.gather(*(read(*w) for w in wanted))
    unread = tuple(a for a in answers if isinstance(a, Unread))
    if len(unread) == len(answers):
        raise Garbled(f"no group of the API could be read: {unread[0].why}", where=transport.server)
    resources = [r for a in answers if not isinstance(a, Unread) for r in a]
    return Discovery(tuple(_preferred(resources)), unread)


def _older(group: str, version: str, listed: Iterable[ApiResource]) -> Iterator[Resource]:
    listed = tuple(listed)
    subresources: dict[str, list[str]] = defaultdict(list)
    for one in listed:
        parent, slash, sub = one.name.partition("/")
        if slash:
            subresources[parent].append(sub)
    for one in listed:
        if "/" not in one.name:
            yield Resource(
                kind=one.kind,
                plural=one.name,
                group=group,
                version=version,
                namespaced=one.namespaced,
                singular=one.singular_name,
                short_names=one.short_names or (),
                verbs=frozenset(one.verbs or ()),
                subresources=tuple(subresources[one.name]),
            )


def _decoded(body: bytes, wanted: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(body, type=wanted)
    except NOT_JSON as error:
        raise Garbled(f"the answer is no {wanted.__name__}: {error}", where=where) from error
