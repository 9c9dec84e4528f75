"""The whole program on a practice cluster with a little of everything."""

from __future__ import annotations

from typing import Any

from tools_recorder import Recorder

from kubemend.app import Playground
from kubemend.engine.gateway import Gateway
from kubemend.surfaces.cli.options import Access


class Everything:
    """The gateway of a whole program on a practice cluster, what its reads asked for, and how others come in."""

    def __init__(self, gateway: Gateway, recorder: Recorder, lab: Playground, access: Access) -> None:
        self.gateway, self.recorder, self.lab, self.access = gateway, recorder, lab, access
        self._begun = len(self._audit)

    @property
    def _audit(self) -> list[Any]:
        return self.lab._cluster.server.audit

    def written(self) -> list[str]:
        """The changes that reached the API server since the world stood, dry runs aside, by the server's own record."""
        made = (a for a in self._audit[self._begun :] if not a.dry_run and a.code < 400)
        return [f"{a.verb} {a.resource}{f'/{a.subresource}' if a.subresource else ''} {a.name}" for a in made]
