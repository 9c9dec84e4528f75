"""What controllers and the node stand-in need of an API server.

The practice cluster's store satisfies it in the process; a thin adapter over the real client satisfies it
against a real API server, so that the same stand-in can serve as nodes of a real control plane.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Literal, Protocol

Object = dict[str, Any]
Run = Callable[[Sequence[str], Callable[[str], None]], Awaitable[int]]
"""Runs a command in a container, writing its lines; returns the exit code."""
Doors = MutableMapping[tuple[str, str, str], Run]
"""(namespace, pod, container) → the way into it while it runs."""
Change = Literal["ADDED", "MODIFIED", "DELETED"]


class Api(Protocol):
    """An API server as seen by its own components. Objects are raw; a returned object must not be changed in place."""

    async def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, or None when there is none."""
        ...

    async def list(self, kind: str, namespace: str | None = None) -> list[Object]:
        """All objects of a kind."""
        ...

    def watch(self, *kinds: str) -> AsyncIterator[tuple[Change, Object]]:
        """Everything there is of these kinds as ADDED, then each change as it happens, without end or gap."""
        ...

    async def create(self, obj: Object) -> Object:
        """Create; the API's own error when it is there already or refused by admission."""
        ...

    async def patch(self, obj: Object, body: Object, *, subresource: str = "") -> Object:
        """JSON merge patch of one object. A `metadata.resourceVersion` in the body makes it conditional."""
        ...

    async def delete(self, obj: Object, *, grace_seconds: int | None = None) -> None:
        """Delete this very object (uid is a precondition); nothing happens when it is gone already."""
        ...
