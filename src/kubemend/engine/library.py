"""What was kept of one cluster, and what the rules say: things to read beside the tools' answers."""

from __future__ import annotations

from typing import Any

import msgspec

from kubemend.engine import catalogue, views
from kubemend.kube.redaction import redacted
from kubemend.model.errors import InvalidInput
from kubemend.model.repair import Incident
from kubemend.store.errors import UnknownIncident, UnknownRepair
from kubemend.store.ledger import Ledger

SHOWN = 100
"""Incidents or repairs in one list."""


class Library:
    """One cluster's incidents and repairs, redacted, newest first; and the page of each rule."""

    def __init__(self, ledger: Ledger, cluster: str) -> None:
        self._ledger, self._cluster = ledger, cluster

    async def incidents(self) -> list[dict[str, Any]]:
        """The newest incidents."""
        return [_shown(i) for i in await self._ledger.incidents.list(cluster=self._cluster, limit=SHOWN)]

    async def incident(self, name: str) -> dict[str, Any]:
        """One incident with the repairs that were planned for it. UnknownIncident when this cluster has none such."""
        found = await self._ledger.incidents.get(name)
        if found.cluster != self._cluster:
            raise UnknownIncident(f"there is no incident {name} of this cluster", where=name)
        return {**_shown(found), "repairs": [r for r in await self.repairs() if r["incident"] == name]}

    async def repairs(self) -> list[dict[str, Any]]:
        """The newest repairs."""
        return [redacted(_plain(r)) for r in await self.listed(SHOWN)]

    async def listed(self, limit: int) -> list[dict[str, Any]]:
        """The same as they are, for tools, whose answers are redacted as a whole."""
        return [views.of_repair(r) for r in await self._ledger.repairs.list(cluster=self._cluster, limit=limit)]

    async def repair(self, name: str) -> dict[str, Any]:
        """One repair. UnknownRepair when this cluster has none such."""
        found = await self._ledger.repairs.get(name)
        if found.cluster != self._cluster:
            raise UnknownRepair(f"there is no repair {name} of this cluster", where=name)
        return dict(redacted(_plain(views.of_repair(found))))

    def rule(self, code: str) -> str:
        """What a rule finds, why it matters and what to do, as Markdown. InvalidInput when there is no such rule."""
        found = next((r for r in catalogue.rules() if r.code == code.upper()), None)
        if found is None:
            raise InvalidInput(
                f"there is no rule {code!r}", code="rule-unknown", hint="findings name their rule's code"
            )
        return f"# {found.code} {found.title}\n\n{found.doc}\n"


def _shown(incident: Incident) -> dict[str, Any]:
    return dict(redacted(_plain(incident)))


def _plain(data: Any) -> Any:
    return msgspec.to_builtins(data, str_keys=True)
