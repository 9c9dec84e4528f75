"""Prometheus in the cluster: which Service it is, and queries of it through the API server's service proxy.

    GET /api/v1/namespaces/{namespace}/services/{scheme}:{name}:{port}/proxy/api/v1/query

The API server takes our credentials off a request before it passes it on, so whatever answers never gets them. It
takes `get` on `services/proxy` of that Service, and works from outside of the cluster too
(kubernetes.io/docs/concepts/cluster-administration/proxies). Why it is looked for only when asked: docs/decisions/0008.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubemend.cluster import installations
from kubemend.cluster.errors import ClusterError, ConfigError, Forbidden, NotFound, NotServed, Refused, TimedOut
from kubemend.cluster.prometheus import QUERY, WITHIN_S, Prometheus, QueryFailed, capped
from kubemend.cluster.resource import resource_of
from kubemend.model.objects import Service
from kubemend.model.objects.network import ServicePort

if TYPE_CHECKING:
    from kubemend.cluster.reader import Reader
    from kubemend.cluster.transport import Transport

AUTO = "auto"
_NAMED = re.compile(r"(?P<namespace>[a-z0-9-]{1,63})/(?P<name>[a-z0-9-]{1,63})(?::(?P<port>[0-9]{1,5}))?")
LOOK_AGAIN_S = 600.0
"""Seconds for which a search serves, whatever came of it."""


class NoneFound(ClusterError):
    """No Service of the cluster can be taken for its Prometheus."""

    code = "prometheus-not-found"


@dataclass(frozen=True)
class Named:
    """A Service that a person named. port: None for the likeliest of its ports."""

    namespace: str
    name: str
    port: int | None = None


def named(given: str) -> Named | None:
    """The Service that "NAMESPACE/SERVICE[:PORT]" names, None for "auto". ConfigError (`prometheus-url-invalid`)."""
    if given == AUTO:
        return None
    found = _NAMED.fullmatch(given)
    if found is None:
        raise ConfigError(
            "it is no address of Prometheus",
            code="prometheus-url-invalid",
            hint="a URL (http://…), NAMESPACE/SERVICE[:PORT] of the cluster, or auto",
        )
    return Named(found["namespace"], found["name"], int(found["port"]) if found["port"] else None)


def in_cluster(transport: Transport, reader: Reader, wanted: Named | None) -> Prometheus:
    """The Prometheus that runs in the cluster: the Service that was named, else the one that looks like it.

    Nothing is sent before its first query.
    """
    return Prometheus(_Through(transport, reader, wanted))


@dataclass(frozen=True)
class _Place:
    """Where queries go: a Service's port. proxy: as the API server names it, "http:prometheus-server:80"."""

    namespace: str
    proxy: str
    path: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.proxy}"


@dataclass
class _Through:
    """Through the API server."""

    transport: Transport
    reader: Reader
    wanted: Named | None
    _found: _Place | NoneFound | None = None
    _at: float = float("-inf")
    _finding: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def where(self) -> str:
        return str(self._found) if isinstance(self._found, _Place) else "Prometheus in the cluster"

    async def ask(self, form: Mapping[str, str]) -> tuple[bytes, int]:
        place = await self._place()
        where = f"GET {place.path}"
        try:
            async with (
                asyncio.timeout(WITHIN_S),
                self.transport.stream(place.path, tuple(form.items()), silence=WITHIN_S) as chunks,
            ):
                return await capped(chunks, where), 200
        except Refused as error:
            raise _failed(error, place) from error
        except TimeoutError as error:
            raise TimedOut(f"no answer in {WITHIN_S:g} s", where=where) from error

    async def _place(self) -> _Place:
        """Where to ask. NoneFound; what may pass (no connection, no answer) is raised, and the next asks anew."""
        async with self._finding:
            if self._found is None or time.monotonic() - self._at > LOOK_AGAIN_S:
                self._found, self._at = await self._searched(), time.monotonic()
        if isinstance(self._found, NoneFound):
            raise NoneFound(self._found.message, hint=self._found.hint)
        return self._found

    async def _searched(self) -> _Place | NoneFound:
        try:
            return await (self._look() if self.wanted is None else self._read(self.wanted))
        except NoneFound as none:
            return none
        except (Forbidden, NotFound) as error:
            return NoneFound(f"it can't be looked for: {error.message}", hint="give its URL")

    async def _read(self, wanted: Named) -> _Place:
        service = await self.reader.read(Service, wanted.namespace, wanted.name)
        ports = [p for p in service.spec.ports if wanted.port in (None, p.port)]
        if not ports:
            raise NoneFound(f"Service {wanted.namespace}/{wanted.name} has no port {wanted.port or ''}".rstrip())
        return _place(service, installations.best(ports))

    async def _look(self) -> _Place:
        """The one that looks like Prometheus. Of several namespaces none is taken: anybody may give labels."""
        lists = [(await self.reader.list(Service, labels=s)).items for s in installations.selectors()]
        found = sorted(
            {s.ref: s for held in lists for s in held if installations.fit(s)}.values(), key=installations.order
        )
        if not found:
            raise NoneFound("no Service of the cluster looks like Prometheus", hint="name it: NAMESPACE/SERVICE")
        if installations.doubtful(found):
            told = ", ".join(f"{s.namespace}/{s.name}" for s in found[:5])
            raise NoneFound(f"several Services look like Prometheus: {told}", hint="name one: NAMESPACE/SERVICE")
        return _place(found[0], installations.best(found[0].spec.ports))


def _place(service: Service, port: ServicePort) -> _Place:
    scheme = "https" if port.name.startswith("https") or port.port == 443 else "http"
    proxy = f"{scheme}:{service.name}:{port.port}"
    path = resource_of(Service).object(service.namespace, proxy, "proxy") + installations.prefix(service) + QUERY
    return _Place(service.namespace, proxy, path)


def _failed(error: Refused, place: _Place) -> QueryFailed:
    """A refusal as one of this Prometheus: by the API server, or by what stands behind it."""
    if isinstance(error, Forbidden) and error.reason:
        hint = f'grant get on services/proxy in {place.namespace}, resourceNames: ["{place.proxy}"]'
        return QueryFailed(f"it may not be asked: {error.message}", where=str(place), hint=hint)
    said = f"HTTP {error.status}" if isinstance(error, NotServed) else error.message
    return QueryFailed(f"{place} refused the query: {said}", where=str(place))
