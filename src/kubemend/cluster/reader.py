"""All the ways to look at a cluster. Nothing here can change it: GET, and the permission review."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, TypeVar

from kubemend.cluster import answers, decoding, discovery
from kubemend.cluster import watch as watching
from kubemend.cluster.answers import Allowed, Listing, Version
from kubemend.cluster.decoding import Decoded
from kubemend.cluster.discovery import Discovery
from kubemend.cluster.errors import Garbled, Gone, NotServed
from kubemend.cluster.resource import Resource, exact, pick, resource_of
from kubemend.cluster.sharing import Pool
from kubemend.cluster.watch import Event
from kubemend.model.access import Access
from kubemend.model.objects import Obj, Pod, kind_of
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Unread

if TYPE_CHECKING:
    from kubemend.cluster.transport import Params, Transport

T = TypeVar("T", bound=Obj)

JSON = "application/json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
"""What to ask for in place of whole objects (kubernetes.io/docs/reference/using-api/api-concepts)."""
PAGE = 500
"""Objects on one page of a list; what client-go's pager asks for."""
LOG_BYTES = 4 << 20
"""How much of a log is kept, from its end."""
DISCOVERY_S = 600.0
"""Seconds for which a discovery serves; a word it doesn't know asks again, at most twice a minute."""
RETRY_DISCOVERY_S = 30.0


class Reader:
    """Reads of one cluster as one identity. `cluster` is its name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._discovery: Discovery | None = None
        self._discovered_at = float("-inf")

    @property
    def cluster(self) -> str:
        """The name of the connection's context."""
        return self._transport.name

    async def get(self, ref: Ref) -> dict[str, Any]:
        """One object, whole and raw. NotFound when it isn't there, NotServed when its kind isn't."""
        path = (await self.locate(ref)).object(ref.namespace, ref.name)
        return decoding.entity(await self._transport.get(path), name=ref.name, where=str(ref))

    async def read(self, kind: type[T], namespace: str, name: str) -> T:
        """One object as a Struct. NotFound, NotServed; Garbled when it can't be decoded."""
        path = resource_of(kind).object(namespace, name)
        made = decoding.one(kind, await self._transport.get(path), where=path)
        if isinstance(made, Unread):
            raise Garbled(f"{kind.__name__} {made.why}", where=path)
        return made

    async def list(
        self,
        kind: type[T],
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        pool: Pool | None = None,
    ) -> Listing[T]:
        """All objects of a kind (of one namespace), page by page. Selectors as kubectl writes them.

        An object that can't be decoded is named in `unread`. When the pages expire half-way, all is read anew at once.
        pool: where the objects find the parts that are equal to others', for who means to keep them.
        """
        path, selectors = resource_of(kind).collection(namespace), _selectors(labels, fields)
        try:
            return await self._pages(kind, path, selectors, PAGE, pool)
        except Gone:
            return await self._pages(kind, path, selectors, None, pool)

    async def _pages(
        self, kind: type[T], path: str, selectors: Params, limit: int | None, pool: Pool | None
    ) -> Listing[T]:
        items: list[T] = []
        unread: list[Unread] = []
        token = ""
        while True:
            read = await self._page(kind, path, (*selectors, *_paging(limit, token)))
            if pool is not None:
                pool.share(read.items)
            items += read.items
            unread += read.unread
            token = read.token
            if not token:
                return Listing(tuple(items), read.resource_version, tuple(unread))

    async def _page(self, kind: type[T], path: str, params: Params) -> Decoded[T]:
        body = await self._transport.get(path, params, within=self._transport.timing.page)
        return decoding.page(kind, body, where=f"GET {path}")

    async def page(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        limit: int = PAGE,
        token: str = "",
        table: bool = False,
        names: bool = False,
    ) -> dict[str, Any]:
        """One raw page of any resource, CRDs and metrics included; the next begins at `metadata.continue`.

        table: the server's own columns, a `meta/v1` Table. names: metadata only, a `PartialObjectMetadataList`.
        """
        params = (*_selectors(labels, fields), *_paging(limit, token))
        path, accept = resource.collection(namespace), TABLE if table else METADATA if names else JSON
        body = await self._transport.get(path, params, within=self._transport.timing.page, accept=accept)
        return decoding.mapping(body, where=f"GET {path}")

    def watch(
        self,
        kind: type[T],
        namespace: str | None = None,
        *,
        resource_version: str,
        labels: str = "",
        fields: str = "",
    ) -> AsyncGenerator[Event[T]]:
        """The changes after a resource version, on and on. Gone: list anew. See `kubemend.cluster.watch`."""
        return watching.watch(
            self._transport,
            kind,
            resource_of(kind).collection(namespace),
            resource_version=resource_version,
            selectors=_selectors(labels, fields),
        )

    async def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        previous: bool = False,
        tail: int | None = None,
        since: int | None = None,
    ) -> str:
        """The end of a container's log: the last `tail` lines, or of the last `since` seconds, 4 MiB at most.

        A container that has not started is a Refused (400) with the reason.
        """
        given = {
            "container": container,
            "previous": "true" if previous else "",
            "tailLines": "" if tail is None else str(tail),
            "sinceSeconds": "" if since is None else str(since),
        }
        path = resource_of(Pod).object(namespace, pod, "log")
        kept = bytearray()
        async with self._transport.stream(path, [(k, v) for k, v in given.items() if v]) as chunks:
            async for chunk in chunks:
                kept += chunk
                if len(kept) > 2 * LOG_BYTES:
                    del kept[:-LOG_BYTES]
        return _whole_lines(kept).decode(errors="replace")

    async def discovery(self) -> Discovery:
        """What the API server serves, and the groups that could not be asked; kept for ten minutes."""
        if self._discovery is None or time.monotonic() - self._discovered_at > DISCOVERY_S:
            self._discovery = await discovery.discover(self._transport)
            self._discovered_at = time.monotonic()
        return self._discovery

    async def resources(self) -> tuple[Resource, ...]:
        """Every resource type that is served."""
        return (await self.discovery()).resources

    async def resource(self, kind_or_plural: str, group: str = "") -> Resource:
        """The resource a word means: kind, plural, singular, short name or `plural.group`. NotServed for none."""
        found = pick(await self.resources(), kind_or_plural, group)
        if found is None and self._may_ask_again():
            found = pick(await self.resources(), kind_or_plural, group)
        if found is None:
            raise await self._not_served(kind_or_plural, group)
        return found

    async def locate(self, ref: Ref) -> Resource:
        """The resource of an object. NotServed when there is none of that kind and group."""
        kind = kind_of(ref)
        if kind is not None:
            return resource_of(kind)
        found = exact(await self.resources(), ref)
        if found is None and self._may_ask_again():
            found = exact(await self.resources(), ref)
        if found is None:
            raise await self._not_served(ref.kind, ref.group)
        return found

    def _may_ask_again(self) -> bool:
        """Drop a discovery that is some time old: a CRD may have come since."""
        if time.monotonic() - self._discovered_at < RETRY_DISCOVERY_S:
            return False
        self._discovery = None
        return True

    async def _not_served(self, word: str, group: str) -> NotServed:
        unread = ", ".join(u.kind for u in (await self.discovery()).unread)
        return NotServed(
            f"the cluster serves no {word}{f' in group {group}' if group else ''}",
            status=404,
            where=self._transport.server,
            hint=f"these groups could not be asked: {unread}" if unread else None,
        )

    async def version(self) -> Version:
        """The API server's version."""
        return answers.version(await self._transport.get("/version"))

    async def allowed(self, access: Access, namespace: str = "", name: str = "") -> Allowed:
        """Whether we have a permission (SelfSubjectAccessReview); no namespace means all of them."""
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        body = await self._transport.send("POST", path, answers.review(access, namespace, name), changes=False)
        return answers.allowed(body, where=f"POST {path}")

    async def openapi(self, group_version: str) -> dict[str, Any]:
        """The OpenAPI v3 document of "v1" or "apps/v1". NotServed when there is none."""
        root = f"apis/{group_version}" if "/" in group_version else f"api/{group_version}"
        path = f"/openapi/v3/{root}"
        body = await self._transport.get(path, within=self._transport.timing.page)
        return decoding.mapping(body, where=f"GET {path}")


def _selectors(labels: str, fields: str) -> tuple[tuple[str, str], ...]:
    return tuple((k, v) for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v)


def _paging(limit: int | None, token: str) -> tuple[tuple[str, str], ...]:
    return tuple((k, v) for k, v in (("limit", str(limit or "")), ("continue", token)) if v)


def _whole_lines(kept: bytearray) -> bytes:
    """The last LOG_BYTES, without the piece of a line they begin with."""
    if len(kept) <= LOG_BYTES:
        return bytes(kept)
    return bytes(kept[-LOG_BYTES:]).partition(b"\n")[2]
