"""What the commands need from the other rooms. `kubemend.app` hands it in: a surface knows nothing that is above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from kubemend.cluster.reader import Reader
    from kubemend.engine.gateway import Gateway
    from kubemend.engine.mender import Mender
    from kubemend.lab.scenarios import Cast
    from kubemend.model.repair import Repair
    from kubemend.model.tool import Tool
    from kubemend.store.budget import Limits
    from kubemend.store.ledger import Ledger
    from kubemend.surfaces.cli.options import Access, Place

Tell = Callable[["Repair", str], None]
"""Called with a repair and one line whenever the guard has something to tell of it."""


@dataclass(frozen=True)
class Seat:
    """A place at one cluster. context: its name for people. namespace: the one meant when none is named."""

    reader: Reader
    context: str
    server: str
    namespace: str


@dataclass(frozen=True)
class Bench:
    """A place at one cluster with all it takes to mend it."""

    seat: Seat
    mender: Mender


class Practice(Protocol):
    """A running practice cluster, and a hand in it that is nobody's but the person's who plays with it."""

    @property
    def url(self) -> str:
        """Where it serves."""
        ...

    @property
    def kubeconfig(self) -> Path:
        """How to get in."""
        ...

    async def create(self, manifest: dict[str, Any]) -> None:
        """Create an object, as somebody with kubectl would."""
        ...


class Exercise(Protocol):
    """A cluster that may be broken. nodes: those it has."""

    @property
    def nodes(self) -> list[str]:
        """Their names."""
        ...

    async def stage(self, cast: Cast, tell: Callable[[str], None]) -> None:
        """Make a scenario healthy and break it, telling each step."""
        ...


class Wiring(Protocol):
    """How a command gets at the other rooms."""

    def seat(self, place: Place) -> AbstractAsyncContextManager[Seat]:
        """A cluster to read."""
        ...

    def bench(
        self, access: Access, *, scope: str | None, tell: Tell, patience_s: float = 8.0, limits: Limits | None = None
    ) -> AbstractAsyncContextManager[Bench]:
        """A cluster to mend. scope: the one namespace to watch, None for all. patience_s: see the guard's `verify`.

        limits: how much may be repaired, if not as much as usual.
        """
        ...

    def tools(self) -> Mapping[str, Tool]:
        """Every tool that may be called: ours, and those that people added."""
        ...

    def gateway(self, access: Access, tools: Mapping[str, Tool] | None = None) -> AbstractAsyncContextManager[Gateway]:
        """The one door for tool calls on a cluster. tools: those that may be called, if not all."""
        ...

    def practice(
        self, *, nodes: int, pace: float, kubeconfig: Path | None = None
    ) -> AbstractAsyncContextManager[Practice]:
        """A practice cluster in this process, up while the block lasts. pace: real seconds per second of Kubernetes."""
        ...

    def exercise(self, place: Place, *, anyway: bool) -> AbstractAsyncContextManager[Exercise]:
        """A cluster to break something in. Refused unless it is marked for practice, or `anyway`."""
        ...

    def ledger(self, store: Path | None) -> AbstractAsyncContextManager[Ledger]:
        """The ledger alone."""
        ...


_current: ContextVar[Wiring] = ContextVar("wiring")


def wire(made: Wiring) -> None:
    """Set what the commands of this program run on."""
    _current.set(made)


def wiring() -> Wiring:
    """What the commands run on."""
    return _current.get()
