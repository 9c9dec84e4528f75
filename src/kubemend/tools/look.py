"""The handle of a tool that reads: the cluster, and a note of everything that could not be had."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from kubemend.cluster.errors import Forbidden, NotServed, TimedOut, Unreachable
from kubemend.cluster.prometheus import Prometheus
from kubemend.cluster.reader import Reader
from kubemend.kube.histogram import Record
from kubemend.kube.redaction import text
from kubemend.model.answer import Gap
from kubemend.model.objects import Obj
from kubemend.model.ref import Ref
from kubemend.tools.pricebook import USUAL, PriceBook

T = TypeVar("T", bound=Obj)
Key = tuple[str, str, str, str]


class ContextRow(Struct, frozen=True):
    """One context of the kubeconfig."""

    name: str
    cluster: str
    user: str
    namespace: str
    is_current: bool


class Place(Struct, frozen=True):
    """Where a gateway stands: the context's name, the server's address, and the contexts there are to choose from."""

    context: str
    server: str
    namespace: str
    contexts: tuple[ContextRow, ...] = ()


class Memory(Protocol):
    """Where we keep what containers used, by (namespace, kind, workload, container)."""

    async def learn(self, seen: Mapping[Key, Sequence[tuple[float, float, float]]], *, at: float | None = None) -> None:
        """Add one look: cores, bytes and requested cores of each pod's container."""
        ...

    async def known(self, namespace: str | None = None) -> dict[Key, Record]:
        """What is known of each container (of one namespace)."""
        ...


class Kept(Protocol):
    """What was kept of this cluster. Reading it asks the cluster nothing."""

    async def listed(self, limit: int) -> list[dict[str, Any]]:
        """The newest repairs, newest first, as every surface shows them."""
        ...


def untold(_: str) -> None:
    """Nobody listens."""


class Look:
    """One call's view of the cluster. What could not be read is in `gaps`, and becomes the answer's `incomplete`.

    kept: our own records. prometheus: where there is one to ask. memory: what we ourselves remember of containers' use.
    prices: what things cost. tell: takes one line on how a long call comes on, for whoever waits for it.
    """

    def __init__(
        self,
        reader: Reader,
        place: Place,
        *,
        kept: Kept,
        prometheus: Prometheus | None = None,
        memory: Memory | None = None,
        prices: PriceBook = USUAL,
        tell: Callable[[str], None] = untold,
    ) -> None:
        self.reader, self.place, self.kept = reader, place, kept
        self.prometheus, self.memory = prometheus, memory
        self.prices, self.tell = prices, tell
        self.gaps: list[Gap] = []

    async def list(
        self, kind: type[T], namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> tuple[T, ...]:
        """All objects of a kind, by namespace and name. A list that can't be had fails the call: unknown is not empty.

        Objects that can't be decoded are noted as gaps.
        """
        found = await self.reader.list(kind, namespace, labels=labels, fields=fields)
        self.gaps += [Gap(f"{u.kind} {u.namespace}".strip(), u.why) for u in found.unread]
        return tuple(sorted(found.items, key=lambda o: (o.namespace, o.name)))

    async def beside(
        self, kind: type[T], namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> tuple[T, ...] | None:
        """The same for what only adds to an answer: None, and a gap, when it can't be had."""
        try:
            return await self.list(kind, namespace, labels=labels, fields=fields)
        except (Forbidden, NotServed, TimedOut, Unreachable) as error:
            self.missing(f"{kind.plural}{f' in {namespace}' if namespace else ''}", error.message)
            return None

    async def one(self, kind: type[T], namespace: str, name: str) -> T:
        """One object. NotFound when it isn't there."""
        return await self.reader.read(kind, namespace, name)

    async def raw(self, ref: Ref) -> dict[str, Any]:
        """One object, whole."""
        return await self.reader.get(ref)

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
        """The end of a container's log, as `Reader.logs`, redacted.

        As a whole, before a tool picks lines: a line may be a secret only by the one before it.
        """
        told = await self.reader.logs(namespace, pod, container=container, previous=previous, tail=tail, since=since)
        return text(told)

    def missing(self, what: str, why: str) -> None:
        """Note a gap."""
        self.gaps.append(Gap(what, why))
