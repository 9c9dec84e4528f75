"""A person's hand in a cluster that is there to practise on: what `kubectl apply` and `kubectl delete` would do.

It is no part of the loop. It refuses every cluster that nobody has marked for practice (docs/decisions/0007).
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from kubemend.lab.api import Object
from kubemend.lab.fields import labels, name, namespace
from kubemend.lab.kinds import BY_KIND
from kubemend.model.errors import KubemendError

MARK: Final = "kubemend.dev/practice"
"""The label of namespace kube-system by which a cluster says that it is there to be broken."""
MANAGER: Final = "kubemend-lab"


class NotForPractice(KubemendError):
    """The cluster isn't marked as one that may be broken."""

    code = "cluster-not-for-practice"
    exit_status = 5


class Sender(Protocol):
    """Requests to one API server, as `kubemend.cluster.transport.Transport` makes them."""

    async def get(self, path: str) -> bytes:
        """The body of a GET."""
        ...

    async def send(
        self, method: str, path: str, body: Any, *, content_type: str = ..., params: tuple[tuple[str, str], ...] = ...
    ) -> bytes:
        """Send a body, once."""
        ...


class Hand:
    """Applies and deletes. Made by `take`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, or None when there is none."""
        try:
            return _decoded(await self._sender.get(_path(kind, namespace, name)))
        except KubemendError as error:
            if error.code == "not-found":
                return None
            raise

    async def names(self, kind: str) -> list[str]:
        """Of all objects of a kind that is in no namespace."""
        return [name(o) for o in _decoded(await self._sender.get(_path(kind, "")))["items"]]

    async def apply(self, obj: Object) -> Object:
        """Server-side apply, taking fields from others as somebody who edits by hand would."""
        params = (("fieldManager", MANAGER), ("force", "true"))
        path = _path(obj["kind"], namespace(obj), name(obj))
        kind = "application/apply-patch+yaml"
        return _decoded(await self._sender.send("PATCH", path, obj, content_type=kind, params=params))

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete one object."""
        await self._sender.send("DELETE", _path(kind, namespace, name), {})


async def take(sender: Sender, context: str, *, anyway: bool) -> Hand:
    """A hand in this cluster. NotForPractice unless it is marked, or `anyway`."""
    hand = Hand(sender)
    system = await hand.get("Namespace", "", "kube-system")
    if anyway or (system is not None and labels(system).get(MARK) == "true"):
        return hand
    raise NotForPractice(
        "this cluster is not marked as one to practise on, so nothing is broken in it",
        where=context,
        hint=f"kubectl label namespace kube-system {MARK}=true marks it; --yes-break-this-cluster does without",
    )


def _path(kind: str, namespace: str, name: str = "") -> str:
    served = BY_KIND[kind]
    root = f"/apis/{served.api_version}" if served.group else f"/api/{served.version}"
    inside = f"/namespaces/{namespace}" if served.namespaced else ""
    return f"{root}{inside}/{served.plural}" + (f"/{name}" if name else "")


def _decoded(body: bytes) -> Object:
    made: Object = msgspec.json.decode(body)
    return made
