"""Objects written straight into a practice cluster's store: a fleet of thousands in seconds, without any server.

They have neither defaults nor `managedFields`, which an API server would have given them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kubemend.lab.store import Store


class Direct:
    """A hand as `fleet.Hand`, over a store."""

    def __init__(self, store: Store) -> None:
        self._store, self._made = store, 0

    async def get(self, path: str) -> bytes:
        """Never needed: nobody else writes here."""
        raise NotImplementedError(path)

    async def send(self, method: str, path: str, body: Any, *, params: tuple[tuple[str, str], ...]) -> bytes:
        """Keep an object, or what it became."""
        del path, params
        obj = msgspec.json.decode(msgspec.json.encode(body))
        if method == "POST":
            self._made += 1
            uid = f"{self._made:08x}-0000-4000-8000-{self._made:012x}"
            obj["metadata"] |= {"uid": uid, "creationTimestamp": self._store.now(), "generation": 1}
            obj.pop("status", None)
        return msgspec.json.encode(self._store.put(obj["kind"], obj))
