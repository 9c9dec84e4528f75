"""The whole program on a practice cluster with a little of everything."""

from __future__ import annotations

from tools_recorder import Recorder

from kubemend.engine.gateway import Gateway


class Everything:
    """The gateway of a whole program on a practice cluster, and what its reads asked for."""

    def __init__(self, gateway: Gateway, recorder: Recorder) -> None:
        self.gateway, self.recorder = gateway, recorder
