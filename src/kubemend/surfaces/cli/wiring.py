"""What the commands need from the other rooms. `kubemend.app` hands it in: a surface knows nothing that is above it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kubemend.cluster.reader import Reader
    from kubemend.engine.mender import Mender
    from kubemend.model.objects import Obj
    from kubemend.model.repair import Repair
    from kubemend.model.snapshot import Snapshot
    from kubemend.store.ledger import Ledger
    from kubemend.surfaces.cli.options import Access

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


@dataclass(frozen=True)
class Practice:
    """A running practice cluster. `apply` creates objects in it from outside, as kubectl would."""

    kubeconfig: Path
    url: str


class Wiring(Protocol):
    """How a command gets at the other rooms."""

    def seat(self, access: Access) -> AbstractAsyncContextManager[Seat]:
        """A cluster to read."""
        ...

    async def collected(self, seat: Seat, kinds: Sequence[type[Obj]], scope: str | None) -> Snapshot:
        """Read these kinds once. scope: the one namespace to read, None for all."""
        ...

    async def kept(self, path: Path) -> Snapshot:
        """A snapshot from a file or directory."""
        ...

    def bench(self, access: Access, *, scope: str | None, tell: Tell) -> AbstractAsyncContextManager[Bench]:
        """A cluster to mend. scope: the one namespace to watch, None for all."""
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
