"""The whole program on a practice cluster with a little of everything."""

from __future__ import annotations

from tools_recorder import Recorder

from kubemend.engine.gateway import Gateway
from kubemend.surfaces.cli.options import Access


class Everything:
    """The gateway of a whole program on a practice cluster, what its reads asked for, and how others come in."""

    def __init__(self, gateway: Gateway, recorder: Recorder, access: Access) -> None:
        self.gateway, self.recorder, self.access = gateway, recorder, access
