"""The one file that knows every room and puts them together; and the program's way in and out."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from kubemend import __version__
from kubemend.surfaces.cli.commands import COMMANDS, GROUPS, page

if TYPE_CHECKING:
    from pathlib import Path

    from cyclopts import App

    from kubemend.cluster.connection import Connection
    from kubemend.cluster.prometheus import Prometheus
    from kubemend.cluster.reader import Reader
    from kubemend.cluster.transport import Transport
    from kubemend.engine.gateway import Gateway
    from kubemend.engine.mender import Mender
    from kubemend.engine.policy import Policy
    from kubemend.lab.cluster import PracticeCluster
    from kubemend.lab.hand import Hand
    from kubemend.lab.scenarios import Cast
    from kubemend.model.tool import Tool
    from kubemend.store.budget import Limits
    from kubemend.store.ledger import Ledger
    from kubemend.surfaces.cli.options import Access, Place
    from kubemend.surfaces.cli.wiring import Bench, Exercise, Practice, Seat, Tell
    from kubemend.tools.look import Place as GatewayPlace

# Imports below are made where they are needed: a command pays for the rooms it uses, and `--help` for none.
# ruff: noqa: PLC0415


class Playground:
    """A practice cluster as the commands see it."""

    def __init__(self, cluster: PracticeCluster, kubeconfig: Path) -> None:
        self._cluster, self.kubeconfig, self.url = cluster, kubeconfig, cluster.url

    async def create(self, manifest: dict[str, Any]) -> None:
        """Create an object from outside of kubemend."""
        await self._cluster.api.create(manifest)


class Exercises:
    """A cluster for practice as `lab break` sees it."""

    def __init__(self, hand: Hand, nodes: list[str]) -> None:
        self._hand, self.nodes = hand, nodes

    async def stage(self, cast: Cast, tell: Callable[[str], None]) -> None:
        """Make a scenario healthy and break it."""
        from kubemend.lab.breaking import stage

        await stage(self._hand, cast, tell)


class Rooms:
    """The wiring of this program: which class of which room plays which part."""

    @asynccontextmanager
    async def seat(self, place: Place) -> AsyncIterator[Seat]:
        """A cluster to read."""
        from kubemend.cluster.reader import Reader
        from kubemend.surfaces.cli.wiring import Seat

        connection = _connection(place)
        async with connection.open() as transport:
            yield Seat(Reader(transport), connection.name, connection.server, connection.namespace)

    @asynccontextmanager
    async def bench(
        self, access: Access, *, scope: str | None, tell: Tell, patience_s: float = 8.0, limits: Limits | None = None
    ) -> AsyncIterator[Bench]:
        """A cluster to mend: reader, ledger, watch cache and guard, closed in the opposite order."""
        from kubemend.cluster.reader import Reader
        from kubemend.engine import catalogue
        from kubemend.engine.guard.hands import hands
        from kubemend.engine.guard.machine import Guard
        from kubemend.engine.mender import Mender
        from kubemend.engine.sight import open_sight
        from kubemend.surfaces.cli.blind import refuse_blind
        from kubemend.surfaces.cli.wiring import Bench, Seat

        connection, policy = _connection(access), _policy(access, limits)
        async with AsyncExitStack() as stack:
            transport = await stack.enter_async_context(connection.open())
            reader = Reader(transport)
            ledger = await stack.enter_async_context(self.ledger(access.store))
            cluster = await identity(reader, connection.server)
            if scope is None and not access.all_namespaces:
                scope = await _reach(reader, connection.namespace)
            sight = await stack.enter_async_context(open_sight(reader, catalogue.kinds(), namespace=scope))
            refuse_blind(sight.snapshot(), connection.name)
            guard = Guard(
                cluster=cluster,
                reader=reader,
                hands=hands(reader, transport),
                ledger=ledger,
                sight=sight,
                policy=policy,
                rules=catalogue.rules(),
                strategies=catalogue.strategies(),
                tell=tell,
                patience_s=patience_s,
            )
            mender = Mender(cluster=cluster, policy=policy, ledger=ledger, sight=sight, guard=guard)
            yield Bench(Seat(reader, connection.name, connection.server, connection.namespace), mender)

    def tools(self) -> Mapping[str, Tool]:
        """Every tool that a door may offer: ours, and those in people's own files. What is odd there goes to stderr."""
        from kubemend.engine import catalogue
        from kubemend.tools.custom import configured

        custom = configured(catalogue.tools())
        for warning in custom.warnings:
            sys.stderr.write(f"warning: {warning}\n")
        return {**catalogue.tools(), **custom.tools}

    @asynccontextmanager
    async def gateway(self, access: Access, tools: Mapping[str, Tool] | None = None) -> AsyncIterator[Gateway]:
        """The one door for tool calls on a cluster. What diagnoses and writes need is opened by the first that does."""
        from kubemend.cluster.reader import Reader
        from kubemend.engine.gateway import Gateway
        from kubemend.engine.library import Library
        from kubemend.surfaces.cli.options import ToolAccess
        from kubemend.tools import pricefile
        from kubemend.tools.look import untold

        @asynccontextmanager
        async def mending(tell: Callable[[str], None] = untold) -> AsyncIterator[Mender]:
            async with self.bench(access, scope=None, tell=lambda _repair, text: tell(text)) as bench:
                yield bench.mender

        connection = _connection(access)
        prices = pricefile.configured(access.prices if isinstance(access, ToolAccess) else None)
        async with AsyncExitStack() as stack:
            transport = await stack.enter_async_context(connection.open())
            reader, asked = Reader(transport), _prometheus_of(access)
            ledger = await stack.enter_async_context(self.ledger(access.store))
            cluster = await identity(reader, connection.server)
            gateway = Gateway(
                self.tools() if tools is None else tools,
                reader=reader,
                place=_place(access, connection),
                cluster=cluster,
                records=ledger.audit,
                mending=mending,
                library=Library(ledger, cluster),
                namespace=access.scope,
                prometheus=await _prometheus(asked, transport, reader, stack),
                memory=ledger.usage(cluster),
                prices=prices,
            )
            stack.push_async_callback(gateway.settled)
            if "://" not in asked:
                # One in the cluster may not be there, or may not be found.
                await stack.enter_async_context(_observing(gateway))
            yield gateway

    @asynccontextmanager
    async def practice(self, *, nodes: int, pace: float, kubeconfig: Path | None = None) -> AsyncIterator[Practice]:
        """A practice cluster in this process, with its kubeconfig in a file that goes when it goes."""
        import json
        import tempfile
        from pathlib import Path

        from kubemend.lab.cluster import PracticeCluster

        with tempfile.TemporaryDirectory(prefix="kubemend-lab-") as folder:
            path = kubeconfig or Path(folder) / "kubeconfig"
            async with PracticeCluster(nodes, pace=pace) as cluster:
                _write_private(path, json.dumps(cluster.kubeconfig()))
                yield Playground(cluster, path)

    @asynccontextmanager
    async def exercise(self, place: Place, *, anyway: bool) -> AsyncIterator[Exercise]:
        """A cluster to break something in, and no other way to it than the lab's own hand."""
        from kubemend.lab.hand import take

        connection = _connection(place)
        async with connection.open() as transport:
            hand = await take(transport, connection.name, anyway=anyway)
            yield Exercises(hand, await hand.names("Node"))

    @asynccontextmanager
    async def ledger(self, store: Path | None) -> AsyncIterator[Ledger]:
        """The ledger alone."""
        from kubemend.store.ledger import open_ledger

        async with open_ledger(store) as ledger:
            yield ledger


OBSERVE_S = 300.0
"""How often a gateway that stays open notes what pods use, where no URL of a Prometheus was given."""


@asynccontextmanager
async def _observing(gateway: Gateway) -> AsyncIterator[None]:
    import asyncio
    from contextlib import suppress

    looking = asyncio.create_task(gateway.observe(OBSERVE_S))
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def _prometheus_of(access: Access) -> str:
    """What was said of Prometheus, by option or environment; "" for nothing."""
    from kubemend.surfaces.cli.options import ToolAccess

    given = access.prometheus_url if isinstance(access, ToolAccess) else None
    return given or os.environ.get("KUBEMEND_PROMETHEUS_URL", "")


async def _prometheus(asked: str, transport: Transport, reader: Reader, stack: AsyncExitStack) -> Prometheus | None:
    """The Prometheus that was named, or is to be looked for in the cluster."""
    if not asked:
        return None
    if "://" in asked:
        from kubemend.cluster.prometheus import open_prometheus

        return await stack.enter_async_context(open_prometheus(asked))
    from kubemend.cluster.monitoring import in_cluster, named

    return in_cluster(transport, reader, named(asked))


def _write_private(path: Path, text: str) -> None:
    """A new or emptied file that only its owner may read: it holds a token. InvalidInput when that can't be."""
    from kubemend.model.errors import InvalidInput

    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"can't be written: {error.strerror}", code="path-unwritable", where=str(path)) from error


def _connection(place: Place) -> Connection:
    from kubemend.cluster.connection import connect

    return connect(kubeconfig=place.given or place.kubeconfig, context=place.context, namespace=place.namespace)


def _policy(access: Access, limits: Limits | None) -> Policy:
    from kubemend.engine.policy import Mode, Policy
    from kubemend.store.budget import Limits

    mode = Mode.ALLOW_CHANGES if access.allow_changes else Mode.READ_ONLY
    return Policy(mode=Mode.AUTO_FIX if access.auto_fix else mode, limits=limits or Limits())


def _place(access: Access, connection: Connection) -> GatewayPlace:
    from kubemend.cluster.connection import kubeconfig_of
    from kubemend.tools.look import ContextRow
    from kubemend.tools.look import Place as GatewayPlace

    known = kubeconfig_of(access.given or access.kubeconfig).contexts
    rows = (
        ContextRow(name, c.cluster, c.user, c.namespace or "default", name == connection.name)
        for name, c in sorted(known.items())
    )
    return GatewayPlace(connection.name, connection.server, connection.namespace, tuple(rows))


async def _reach(reader: Reader, namespace: str) -> str | None:
    """All namespaces where they may be read, as None; else the one that is meant."""
    from kubemend.model.access import Access as Permission

    everywhere = await reader.allowed(Permission("list", "pods"))
    return None if everywhere.allowed else namespace


async def identity(reader: Reader, server: str) -> str:
    """A cluster's name in the ledger: the uid of its namespace kube-system, the same from every kubeconfig.

    Where that can't be read, a hash of the server's address, which is the same from most. Raises what the cluster
    raises when it can't be reached at all.
    """
    import hashlib

    from kubemend.cluster.errors import Forbidden, NotFound
    from kubemend.model.ref import Ref

    try:
        found = await reader.get(Ref("Namespace", "", "kube-system"))
    except (Forbidden, NotFound):
        return "server-" + hashlib.sha256(server.encode()).hexdigest()[:16]
    return str(found["metadata"]["uid"])


def program() -> App:
    """The command line. Commands are known by the place they are imported from, and imported when they are run."""
    from cyclopts import App, Parameter

    app = App(
        name="kubemend",
        version=f"kubemend {__version__}",
        help_format="plaintext",
        default_parameter=Parameter(negative=()),
        print_error=False,
        exit_on_error=False,
    )
    groups = {name: App(name=name, help=text) for name, text in GROUPS.items()}
    for group in groups.values():
        app.command(group)
    for command in COMMANDS:
        above, _, name = command.path.rpartition(" ")
        (groups[above] if above else app).command(command.target, name=name, help=command.help)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Returns its exit status; tells errors on stderr."""
    if list(arguments) in ([], ["--help"], ["-h"]):
        sys.stdout.write(page() + "\n")
        return 0
    from kubemend.model.errors import KubemendError
    from kubemend.surfaces.cli.exits import Exit, status_of
    from kubemend.surfaces.cli.failure import tell, wants_json

    try:
        return _run(arguments)
    except KubemendError as error:
        tell(error, as_json=wants_json(arguments))
        return status_of(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return Exit.INTERRUPTED


def _run(arguments: Sequence[str]) -> int:
    import asyncio
    import inspect

    from cyclopts import CycloptsError

    from kubemend.model.errors import InvalidInput
    from kubemend.surfaces.cli.wiring import wire

    wire(Rooms())
    _refuse_unknown(arguments)
    try:
        command, bound, _ = program().parse_args(list(arguments))
    except CycloptsError as error:
        raise InvalidInput(str(error).strip(), code="usage", hint="kubemend --help") from error
    status = command(*bound.args, **bound.kwargs)
    if inspect.iscoroutine(status):
        status = asyncio.run(status)
    return int(status or 0)


def _refuse_unknown(arguments: Sequence[str]) -> None:
    """Refuse a command that isn't there before the parser does, which would import them all to name them."""
    from kubemend.kube.names import near
    from kubemend.model.errors import InvalidInput

    words = {c.path.partition(" ")[0] for c in COMMANDS}
    if arguments[0].startswith("-") or arguments[0] in words:
        return
    guess = near(arguments[0], words)
    hint = f"did you mean {guess}?" if guess else "kubemend --help lists them"
    raise InvalidInput(f"there is no command {arguments[0]!r}", code="usage", hint=hint)


def main() -> None:
    """The program's entry point."""
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    sys.exit(status)
